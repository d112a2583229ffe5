"""The engine for the CPU: one session that all slots share, and one for lone runs."""

from collections.abc import Collection, Mapping, Sequence
from typing import cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from app.engines.engine import Provider, Slot


class CpuEngine:
    """One ONNX Runtime session on the CPU, which all slots share: it may be run by many threads.

    Args:
        session: the session.
        image: the name of its input.
        slots: runs that shall be under way at once.
        lone: a session of the same model with threads for a lone run, if it is to have one.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        image: str,
        slots: int,
        lone: onnxruntime.InferenceSession | None = None,
    ) -> None:
        self._session = session
        self._image = image
        self._slots = slots
        self._lone = lone

    @property
    def provider(self) -> Provider:
        """See `Engine`."""
        return "cpu"

    def open_slots(self) -> list[Slot]:
        """See `Engine`."""
        return [CpuSlot(self._session, self._image) for _ in range(self._slots)]

    def open_lone_slot(self) -> Slot | None:
        """See `Engine`."""
        return None if self._lone is None else CpuSlot(self._lone, self._image)


class CpuSlot:
    """A run of a session.

    Args:
        session: the session.
        image: the name of its input.
    """

    def __init__(self, session: onnxruntime.InferenceSession, image: str) -> None:
        self._session = session
        self._image = image

    def run(
        self, images: Sequence[NDArray[np.uint8]], outputs: Collection[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        """See `Slot`.

        Outputs that are not asked for are not copied out, but they are computed: inference builds
        of ONNX Runtime ignore `RunOptions.only_execute_path_to_fetches`.
        """
        names = list(outputs)
        results = self._session.run(names, {self._image: _stacked(images)})
        return dict(zip(names, cast("list[NDArray[np.float32]]", results), strict=True))


def _stacked(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The images as one array.

    `numpy.stack` gives the interpreter's lock away for each of them, and a thread that works beside
    others then waits for it (docs/performance.md).
    """
    joined = b"".join([np.ascontiguousarray(image).data for image in images])
    return np.frombuffer(joined, np.uint8).reshape(len(images), *images[0].shape)
