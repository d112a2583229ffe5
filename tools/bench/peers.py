"""The peers: what they are called, the ways to set each up, and how each is started."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from app.contract.errors import ConfigurationError
from app.hardware import available_cores
from tools.bench.peer import Setting
from tools.bench.subject import Subject
from tools.loadtools.process import Server

PLAIN = "plain server"
MOSEC = "mosec"
_BATCHES = (8, 4)


def settings(subject: Subject) -> dict[str, tuple[Setting, ...]]:
    """The ways to set up each peer.

    The first is the best guess for many clients, the last for a lone one.
    """
    cores = available_cores()
    one_process = Setting("one process, all cores in a run", 1, 0)
    if subject.provider != "cpu":
        return {PLAIN: (one_process,)}
    found: dict[str, tuple[Setting, ...]] = {
        PLAIN: (
            Setting("a process a core", cores, 1),
            Setting("one process, a thread a core, each with a run of its own", 1, 1, pool=cores),
            one_process,
        )
    }
    if subject.mosec is not None:
        found[MOSEC] = (
            *(
                Setting(f"a process a core, batches up to {most}", cores, 1, batch=most)
                for most in _BATCHES
            ),
            Setting("a process a core, one image at a time", cores, 1),
            Setting(
                f"a decoding process a core, one inferring with all, batches up to {_BATCHES[0]}",
                1, 0, batch=_BATCHES[0], decoders=cores,
            ),
        )  # fmt: skip
    return found


def mosec_version(python: Path) -> str:
    """The version of mosec in an environment.

    Args:
        python: its interpreter.

    Raises:
        ConfigurationError: if it is not there, or has no mosec.
    """
    ask = "from importlib.metadata import version; print(version('mosec'))"
    try:
        done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)  # noqa: S603 - the user's own
    except (OSError, subprocess.CalledProcessError) as error:
        raise ConfigurationError(
            "--mosec", f"{python} has no mosec", "make bench installs it; or name another Python"
        ) from error
    return done.stdout.strip()


def start(peer: str, subject: Subject, setting: Setting) -> Server:
    """The peer with the subject's file, to be entered."""
    setting = replace(
        setting,
        folder=str(subject.version.folder.resolve()),
        file=subject.file(subject.precision).name,
        gpu=subject.provider != "cpu",
    )
    environment = os.environ | setting.environment()
    if peer == MOSEC:
        # A slow model's answers are waited for as long as everybody's.
        command = [
            str(subject.mosec), "-m", "tools.bench.mosec_server", "--port", "{port}",
            "--address", "127.0.0.1", "--timeout", "60000", "--log-level", "warning",
        ]  # fmt: skip
        return Server(command, path="/inference", ready_path="/", environment=environment)
    command = [
        sys.executable, "-m", "uvicorn", "tools.bench.plain_server:create_app", "--factory",
        "--port", "{port}", "--workers", str(setting.processes),
    ]  # fmt: skip
    return Server(command, form_path="/upload", environment=environment)
