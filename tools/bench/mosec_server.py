"""`python -m tools.bench.mosec_server --port N --address A`: mosec with the same model.

mosec runs Python in processes of its own behind a server in Rust, which forms the batches. It has
an environment of its own (`requirements/mosec.txt`), so nothing else of the benchmark imports this.
"""

import json
from typing import Any

from mosec import Server, Worker

from tools.bench.peer import Decoder, Model, Setting

# Of a batch that is not full, in milliseconds: the least that mosec takes.
_WAIT_MS = 1


class _Photos(Worker):  # type: ignore[misc]  # mosec is not installed where types are checked
    """A first stage, which takes photos as they are."""

    def __init__(self) -> None:
        super().__init__()
        self._decode = Decoder(Setting.of())

    def deserialize(self, data: bytes) -> bytes:
        return data


class _Labels(Worker):  # type: ignore[misc]  # likewise
    """A last stage, which answers with labels."""

    def __init__(self) -> None:
        super().__init__()
        self._infer = Model(Setting.of())

    def serialize(self, data: Any) -> bytes:  # noqa: ANN401 - what `forward` returns
        return json.dumps({"results": [data]}).encode()


class Decoding(_Photos):
    """The first of two stages."""

    def forward(self, data: bytes) -> Any:  # noqa: ANN401 - pixels
        """One photo's pixels."""
        return self._decode(data)


class Inference(_Labels):
    """The second of two stages."""

    def forward(self, data: Any) -> Any:  # noqa: ANN401 - pixels of one image, or of several
        """The labels of one image, or of each."""
        return self._infer(data) if isinstance(data, list) else self._infer([data])[0]


class Whole(_Photos, _Labels):
    """The only stage."""

    def forward(self, data: bytes | list[bytes]) -> Any:  # noqa: ANN401 - labels
        """The labels of one photo, or of each."""
        if isinstance(data, list):
            return self._infer([self._decode(photo) for photo in data])
        return self._infer([self._decode(data)])[0]


def main() -> None:
    """Serves until a signal says stop."""
    setting = Setting.of()
    server = Server()
    if setting.decoders:
        server.append_worker(Decoding, num=setting.decoders)
    server.append_worker(
        Inference if setting.decoders else Whole,
        num=setting.processes,
        max_batch_size=setting.batch,
        max_wait_time=_WAIT_MS,
    )
    server.run()


if __name__ == "__main__":
    main()
