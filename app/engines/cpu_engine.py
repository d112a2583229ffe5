"""The engine for the CPU: one session that all slots share."""

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
    """

    def __init__(self, session: onnxruntime.InferenceSession, image: str, slots: int) -> None:
        self._session = session
        self._image = image
        self._slots = slots

    @property
    def provider(self) -> Provider:
        """See `Engine`."""
        return "cpu"

    def open_slots(self) -> list[Slot]:
        """See `Engine`."""
        return [CpuSlot(self._session, self._image) for _ in range(self._slots)]


class CpuSlot:
    """A run of the shared session.

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
        results = self._session.run(names, {self._image: np.stack(images)})
        return dict(zip(names, cast("list[NDArray[np.float32]]", results), strict=True))
