"""What the serving side needs of an inference engine."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Output = Literal["logits", "embedding", "cam"]
Provider = Literal["cpu", "cuda", "tensorrt"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How runs share the cores.

    Attributes:
        threads: threads of one run on the CPU.
        slots: runs under way at once.
    """

    threads: int
    slots: int


class InferenceEngine(Protocol):
    """Runs one model on batches of images. `infer` may be called from several threads at once."""

    @property
    def provider(self) -> Provider:
        """The provider that really runs the model."""
        ...

    @property
    def slots(self) -> int:
        """How many calls of `infer` should be under way at once to use the hardware well."""
        ...

    def infer(
        self, images: NDArray[np.uint8], outputs: Collection[Output]
    ) -> Mapping[Output, NDArray[np.float32]]:
        """Runs one batch.

        Args:
            images: uint8 [batch, height, width, 3], RGB.
            outputs: what to return.

        Returns:
            For each of `outputs` a float32 array whose first axis is the batch: `logits`
            [batch, classes], `embedding` [batch, dim], `cam` [batch, classes, h, w].
        """
        ...


class InferenceEngines(Protocol):
    """Loads engines on the providers that are allowed."""

    @property
    def runtime(self) -> str:
        """Name and version of what runs the models; what was measured with another is void."""
        ...

    def providers(self) -> list[Provider]:
        """The providers to try, best first.

        Raises:
            ConfigurationError: if the one provider asked for cannot be had.
        """
        ...

    def load(self, model_file: Path, provider: Provider, layout: Layout) -> InferenceEngine:
        """Loads a self-contained ONNX file on one provider.

        Args:
            model_file: the file.
            provider: what shall run it.
            layout: how runs share the cores; a GPU needs one thread.

        Raises:
            ConfigurationError: if the provider does not load (option `provider`), or the file
                is no usable model (option `model_repository`).
        """
        ...
