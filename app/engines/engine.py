"""What the serving side needs of an inference engine."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from app.contract.signature import Signature

Provider = Literal["cpu", "cuda", "tensorrt"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How runs share the cores.

    Attributes:
        threads: threads of one run on the CPU.
        slots: runs under way at once, each in a slot of its own.
        lone_threads: threads of a run that has the cores to itself; 0 if it runs like any other.
    """

    threads: int
    slots: int
    lone_threads: int = 0


class Slot(Protocol):
    """Runs one batch at a time. For one thread at a time; slots of an engine run side by side."""

    def run(
        self, images: Sequence[NDArray[np.uint8]], outputs: Collection[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        """Runs one batch. Blocks for as long as that takes, and copies the images together first.

        Args:
            images: at least one, each uint8 [height, width, 3], RGB.
            outputs: names of what to return, as the signature has them.

        Returns:
            For each of `outputs` a float32 array whose first axis is the batch; the others are the
            signature's. The caller's own: no later run writes to it.
        """
        ...


class Engine(Protocol):
    """One model, ready to run."""

    @property
    def provider(self) -> Provider:
        """The provider that really runs the model."""
        ...

    def open_slots(self) -> list[Slot]:
        """The slots, as many as the layout said. Whoever opens them again must have left the first.

        On the CPU they share one session; on a GPU each has a session and buffers of its own.
        """
        ...

    def open_lone_slot(self) -> Slot | None:
        """A further slot, for a batch that has the cores to itself; None if there is none.

        It answers sooner than the others, and beside them it is a burden.
        """
        ...


class Engines(Protocol):
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

    def load(
        self, model_file: Path, provider: Provider, layout: Layout, signature: Signature
    ) -> Engine:
        """Loads a self-contained ONNX file on one provider.

        Args:
            model_file: the file.
            provider: what shall run it.
            layout: how runs share the cores; a GPU needs one thread.
            signature: the file's inputs and outputs.

        Raises:
            ConfigurationError: if the provider does not load (option `provider`), or the file
                is not a usable model or has another signature (option `model_repository`).
        """
        ...
