"""How a `score` command ends, and what it says then."""

import shlex
import sys
from collections.abc import Sequence
from enum import IntEnum

from senet_client.score.names import displayed


class Exit(IntEnum):
    """Exit codes of `senet-client score`."""

    COMPLETE = 0
    """Every input has a row, and no row holds an error."""
    FAILED = 1
    """Stopped before any row was on disk."""
    WRONG_OPTION = 2
    """Nothing was tried."""
    PARTIAL = 3
    """Rows tell of errors (`--retry-errors`), or the run stopped early (`--resume`)."""
    INTERRUPTED = 130
    """Ctrl-C or SIGTERM; `--resume` goes on."""


def how_to_resume(command: Sequence[str]) -> list[str]:
    """How a job goes on that has begun; its command is repeated without the key."""
    keyless = _without_key(command)
    words = [word for word in keyless if word not in ("--overwrite", "--resume")]
    lines = [f"go on with: {displayed(shlex.join([*words, '--resume']))}"]
    if len(keyless) < len(command):
        lines.insert(0, "the key is not repeated here: set SENET_API_KEY, or add --api-key")
    return lines


def _without_key(command: Sequence[str]) -> list[str]:
    """The command without the key, which must not get into a log."""
    return [
        word
        for before, word in zip(("", *command), command, strict=False)
        if "--api-key" not in (before, word) and not word.startswith("--api-key=")
    ]


def say(code: Exit, *lines: str) -> Exit:
    """Tells a person on standard error; returns the code."""
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201 - the command's answer to a person
    return code
