"""The bare loop, which every server is compared with: decoding and inference in N processes."""

import json
import subprocess
import sys
from dataclasses import asdict
from typing import IO, Self, cast

from tools.bench.bare_worker import Done, Job


class Bare:
    """So many processes with the same job, for the length of a `with` block.

    Args:
        job: of each process.
        processes: how many.
    """

    def __init__(self, job: Job, processes: int) -> None:
        self._command = [sys.executable, "-m", "tools.bench.bare_worker", json.dumps(asdict(job))]
        self._count = processes
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        self._processes = [
            subprocess.Popen(  # noqa: S603 - our own command
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(self._count)
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.communicate()  # the end of its input ends it

    def run(self, seconds: float) -> Done:
        """Lets all of them loop at the same time.

        Raises:
            RuntimeError: if a process has ended; its reason stands on standard error.
        """
        try:
            for process in self._processes:
                # Both pipes are there, for they were asked for.
                stdin = cast("IO[str]", process.stdin)
                stdin.write(f"{seconds}\n")
                stdin.flush()
            answers = [_answer(cast("IO[str]", process.stdout)) for process in self._processes]
        except OSError as error:
            raise RuntimeError("a bare process has ended") from error
        rate = sum(answer.images / answer.seconds for answer in answers)
        images = sum(answer.images for answer in answers)
        median = sum(answer.median_ms for answer in answers) / len(answers)
        return Done(images, images / rate, median)


def _answer(stdout: IO[str]) -> Done:
    line = stdout.readline()
    if not line:
        raise RuntimeError("a bare process has ended; its reason stands above")
    return Done(**json.loads(line))
