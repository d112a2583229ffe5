"""What every peer does to a photo: the service's own decoding, the same ONNX file, the best labels.

Each runs in processes of its own, so what it is to do stands in their environment.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from app.contract.manifest import Manifest
from app.contract.preprocess import preprocess

MAX_PIXELS = 40_000_000
_VARIABLE = "PEER"
_TOP = 5


@dataclass(frozen=True)
class Setting:
    """One way to set a peer up, and the model that it serves.

    Attributes:
        name: for readers.
        processes: that infer.
        threads: of one run; 0, ONNX Runtime's default, for all cores.
        batch: images that one run takes at most, where the peer forms batches.
        decoders: processes that decode for them; 0 where they decode themselves.
        pool: threads that take requests in each process; 0 for the peer's default.
        folder: of the model version.
        file: its ONNX file's name.
        gpu: whether it runs on a card.
    """

    name: str
    processes: int
    threads: int
    batch: int = 1
    decoders: int = 0
    pool: int = 0
    folder: str = ""
    file: str = ""
    gpu: bool = False

    def environment(self) -> dict[str, str]:
        """What its processes need beside the usual variables."""
        return {_VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> "Setting":
        """That of this process."""
        return cls(**json.loads(environment[_VARIABLE]))


class Decoder:
    """Photos to pixels.

    Args:
        setting: says which model they are for.
    """

    def __init__(self, setting: Setting) -> None:
        self._preprocessing = _manifest(setting).preprocessing

    def __call__(self, photo: bytes) -> NDArray[np.uint8]:
        """[height, width, 3]."""
        return preprocess(photo, self._preprocessing, max_pixels=MAX_PIXELS)


class Model:
    """Pixels to labels.

    Args:
        setting: says which model, and how it runs.
    """

    def __init__(self, setting: Setting) -> None:
        self._labels = [label.name for label in _manifest(setting).labels]
        providers = ["CPUExecutionProvider"]
        if setting.gpu:
            onnxruntime.preload_dlls()
            providers.insert(0, "CUDAExecutionProvider")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = setting.threads
        self._session = onnxruntime.InferenceSession(
            Path(setting.folder) / setting.file, options, providers=providers
        )
        if self._session.get_providers()[0] != providers[0]:
            raise RuntimeError(f"{providers[0]} does not load")

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[list[dict[str, Any]]]:
        """The best labels of each image, with their scores."""
        [logits] = self._session.run(["logits"], {"images": np.stack(images)})
        return [self._best(row) for row in logits]

    def _best(self, logits: NDArray[np.float32]) -> list[dict[str, Any]]:
        scores = np.exp(logits - logits.max())
        scores /= scores.sum()
        best = np.argsort(-scores)[:_TOP]
        return [{"label": self._labels[i], "score": float(scores[i])} for i in best]


def _manifest(setting: Setting) -> Manifest:
    return Manifest.model_validate_json((Path(setting.folder) / "manifest.json").read_bytes())
