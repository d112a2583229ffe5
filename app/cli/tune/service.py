"""The services under test: children of this process."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from app.cli.tune.load import Load
from app.cli.tune.search import Options, Trial
from app.contract.errors import ConfigurationError

_CLIENTS = 32
_POLL_SECONDS = 0.05
_STOP_SECONDS = 30
_ENOUGH_REQUESTS = 200
_LONGEST_TRIAL_SECONDS = 10.0
# Its own connections, keys and log are no part of what is tuned.
_FIXED = {
    "host": "127.0.0.1",
    "log_level": "warning",
    "access_log_share": 0,
}


class ChildServices:
    """Starts `python -m app` with the options of the user, and those that are tried.

    Args:
        options: those of the user.
        images: encoded images to send.
        slo_p99_ms: the objective.
        trial_seconds: how long a trial lasts.
    """

    def __init__(
        self,
        options: Mapping[str, str],
        images: Sequence[bytes],
        *,
        slo_p99_ms: float,
        trial_seconds: float,
    ) -> None:
        self._options = options
        self._images = images
        self._slo = slo_p99_ms
        self._trial_seconds = trial_seconds

    @asynccontextmanager
    async def running(self, options: Options) -> AsyncIterator["ChildService"]:
        """See `Services`."""
        port = _free_port()
        everything = {**self._options, **options, **_FIXED, "port": port}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app"),
            env=_environment(everything),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # Ctrl-C is for this process, which then stops the child.
            start_new_session=True,
        )
        load = Load(port, self._images)
        try:
            await _wait_until_ready(process, load)
            yield ChildService(load, self._slo, self._trial_seconds)
        finally:
            load.close()
            await _stop(process)


class ChildService:
    """A service that runs; see `RunningService`."""

    def __init__(self, load: Load, slo_p99_ms: float, trial_seconds: float) -> None:
        self._load = load
        self._slo = slo_p99_ms
        self._trial_seconds = trial_seconds

    async def effective(self) -> Options:
        """See `RunningService`."""
        _, body = await self._load.get("/models")
        model = json.loads(body)["models"][0]
        return {"precision": model["precision"], "inference_threads": model["threads"]}

    async def capacity(self) -> float:
        """See `RunningService`."""
        await self._load.closed(_CLIENTS, self._trial_seconds / 2)
        return max(1.0, await self._load.closed(_CLIENTS, self._trial_seconds))

    async def trial(self, rate: float) -> Trial:
        """See `RunningService`."""
        seconds = min(max(self._trial_seconds, _ENOUGH_REQUESTS / rate), _LONGEST_TRIAL_SECONDS)
        return await self._load.open(rate, seconds, self._slo)


def _environment(options: Mapping[str, object]) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SENET_")}
    return own | {f"SENET_{name.upper()}": str(value) for name, value in options.items()}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def _wait_until_ready(process: asyncio.subprocess.Process, load: Load) -> None:
    """Returns once the service is ready.

    Raises:
        ConfigurationError: if it ends before.
    """
    while process.returncode is None:
        try:
            status, _ = await load.get("/readyz")
            if status == b"200":
                return
        except (OSError, EOFError):
            pass
        await asyncio.sleep(_POLL_SECONDS)
    errors = await process.stderr.read() if process.stderr else b""
    cause = errors.decode(errors="replace").strip().splitlines()
    raise ConfigurationError(
        "tune",
        f"the service does not start: {cause[-1] if cause else 'it said nothing'}",
        "make `python -m app` start with the same options first",
    )


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
