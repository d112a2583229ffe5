"""The service on the event loop of its clients, so that what it leaves over can be seen."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from app.engines.engine import Engines
from app.settings import Settings
from app.transport.http.composition import create_app
from app.transport.process import uvicorn_config
from app.transport.server import DrainingServer
from tools.loadtools.operations import is_ready

_PAUSE_SECONDS = 0.05


class _Server(DrainingServer):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the process's signals alone."""
        yield


@contextlib.asynccontextmanager
async def served(
    model_repository: Path, model: str, engines: Engines, *, slow_ms: int
) -> AsyncIterator[int]:
    """A ready service for the length of a block; gives its port.

    Args:
        model_repository: where the model is.
        model: what to serve.
        engines: load it.
        slow_ms: how long heads and bodies may take.
    """
    logger = logging.getLogger("app")
    level = logger.level
    # Failures made on purpose would fill the screen.
    logger.setLevel(logging.CRITICAL)
    settings = Settings(
        model_repository=model_repository,
        model=model,
        head_timeout_ms=slow_ms,
        body_timeout_ms=slow_ms,
    )
    failures: list[BaseException] = []
    app = create_app(settings, engines=engines, on_failure=failures.append)
    server = _Server(
        uvicorn_config(app, settings), app.state.service, settings.drain_seconds, "critical"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not await is_ready(port):
            if failures:
                raise failures[0]
            await asyncio.sleep(_PAUSE_SECONDS)
        try:
            yield port
        finally:
            server.begin_drain()
            await serving
            logger.setLevel(level)
