"""`python -m tools.bench.null_engine`: the service with an engine that answers at once.

What it reaches is the most that HTTP, decoding, batching and serialisation allow. It takes the
service's own options.
"""

import socket
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.contract.manifest import Manifest
from app.contract.repository import ModelVersion
from app.contract.signature import Signature
from app.engines.engine import Engine, Layout, Provider, Slot
from app.settings import Settings, load_settings
from app.telemetry.log import configure_logging
from app.transport.http.composition import create_app
from app.transport.process import uvicorn_config
from app.transport.server import DrainingServer


class NullEngine:
    """Answers any images with the rows of `logits` in turn, so that the self-test passes.

    Args:
        logits: float32 [n, classes], the model's golden ones.
        signature: the model's.
        slots: runs that may be under way at once.
    """

    def __init__(self, logits: NDArray[np.float32], signature: Signature, slots: int) -> None:
        self._logits = logits
        self._signature = signature
        self._slots = slots

    @property
    def provider(self) -> Provider:
        """See `Engine`."""
        return "cpu"

    def open_slots(self) -> list[Slot]:
        """See `Engine`."""
        return [NullSlot(self._logits, self._signature) for _ in range(self._slots)]

    def open_lone_slot(self) -> Slot | None:
        """See `Engine`."""
        return None


class NullSlot:
    """A slot of a `NullEngine`.

    Args:
        logits: float32 [n, classes].
        signature: the model's.
    """

    def __init__(self, logits: NDArray[np.float32], signature: Signature) -> None:
        self._logits = logits
        self._signature = signature

    def run(
        self, images: Sequence[NDArray[np.uint8]], outputs: Collection[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        """See `Slot`; all but the logits is zeros, of one number where the size is not known."""
        answers: dict[str, NDArray[np.float32]] = {}
        for spec in self._signature.outputs:
            if spec.name not in outputs:
                continue
            shape = [
                len(images),
                *(size if isinstance(size, int) else 1 for size in spec.shape[1:]),
            ]
            is_logits = spec.meaning == "logits"
            answers[spec.name] = np.resize(self._logits if is_logits else np.float32(0), shape)
        return answers


class NullEngines:
    """Makes one for whatever model file is asked for."""

    @property
    def runtime(self) -> str:
        """See `Engines`."""
        return "null"

    def providers(self) -> list[Provider]:
        """See `Engines`."""
        return ["cpu"]

    def load(
        self, model_file: Path, provider: Provider, layout: Layout, signature: Signature
    ) -> Engine:
        """See `Engines`."""
        folder = model_file.parent
        manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
        _, logits = ModelVersion(folder, manifest).golden()
        return NullEngine(logits, signature, layout.slots)


def serve(settings: Settings) -> None:
    """Serves until a signal says stop.

    Raises:
        BaseException: what kept the service from starting.
    """
    configure_logging(settings.log_format, settings.log_level)
    failures: list[BaseException] = []

    def on_failure(error: BaseException) -> None:
        failures.append(error)
        server.begin_drain()

    app = create_app(settings, engines=NullEngines(), on_failure=on_failure)
    server = DrainingServer(
        uvicorn_config(app, settings), app.state.service, settings.drain_seconds, settings.log_level
    )
    server.run(sockets=[socket.create_server((settings.host, settings.port))])
    if failures:
        raise failures[0]


def main() -> int:
    """Runs the command; the exit code is 2 for a mistake in its options."""
    try:
        serve(load_settings(sys.argv[1:]))
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
