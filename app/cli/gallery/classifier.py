"""A loaded model, run on files."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.cli.gallery.judged import Judged, Seen, Unreadable
from app.contract.errors import ImageError, InferenceFailed
from app.contract.preprocess import NetworkInput, network_input
from app.contract.ranking import RankedClass, softmax
from app.engines.engine import Slot
from app.hardware import available_cores
from app.selection.loading import LoadedModel

_RANKED = 3


@dataclass(frozen=True, slots=True)
class FileClassifier:
    """Classifies files.

    Attributes:
        loaded: the model.
        slot: runs it.
        max_bytes: of a file.
        max_pixels: of an image.
    """

    loaded: LoadedModel
    slot: Slot
    max_bytes: int
    max_pixels: int

    def judge(self, files: Iterable[Path], truths: Mapping[str, int], root: Path) -> Iterator[Seen]:
        """Classifies files in their order, never holding more than a batch of them.

        Args:
            files: below `root`.
            truths: the class of each class folder, by its name.
            root: the folder of class folders.
        """
        waiting = iter(files)
        with ThreadPoolExecutor(available_cores()) as pool:
            while group := list(islice(waiting, self.loaded.model.max_batch_size)):
                read = list(pool.map(self._read, group))
                inputs = [own.pixels for own in read if not isinstance(own, Unreadable)]
                logits = iter(self._logits(inputs) if inputs else ())
                for path, own in zip(group, read, strict=True):
                    if isinstance(own, Unreadable):
                        yield own
                    else:
                        folder = path.relative_to(root).parts[0] if path.parent != root else ""
                        yield self._judged(path, folder, next(logits), truths.get(folder))

    def bytes_of(self, path: Path) -> bytes:
        """The content of a file.

        Raises:
            OSError: if it cannot be read, or is too large.
        """
        with path.open("rb") as file:
            data = file.read(self.max_bytes + 1)
        if len(data) > self.max_bytes:
            raise OSError(f"larger than {self.max_bytes} bytes")
        return data

    def maps(self, seen: NetworkInput) -> NDArray[np.float32] | None:
        """The class activation maps of a photo, float32 [classes, h, w]; None without maps."""
        spec = self.loaded.model.signature.find("class_activation_map")
        if spec is None:
            return None
        maps: NDArray[np.float32] = self.slot.run([seen.pixels], [spec.name])[spec.name][0]
        return maps

    def input_of(self, data: bytes) -> NetworkInput:
        """What the network sees of a photo.

        Raises:
            ImageError: if it is none that the service takes.
        """
        preprocessing = self.loaded.model.manifest.preprocessing
        return network_input(data, preprocessing, max_pixels=self.max_pixels)

    def _read(self, path: Path) -> NetworkInput | Unreadable:
        try:
            return self.input_of(self.bytes_of(path))
        except ImageError as error:
            return Unreadable(path, str(error))
        except OSError as error:
            return Unreadable(path, error.strerror or str(error))

    def _logits(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        name = self.loaded.model.signature.logits.name
        return self.slot.run(images, [name])[name]

    def _judged(
        self, path: Path, folder: str, logits: NDArray[np.float32], truth: int | None
    ) -> Seen:
        calibration = self.loaded.model.manifest.calibration
        try:
            scores = softmax(logits, calibration.temperature if calibration else 1.0)
        except InferenceFailed as error:
            return Unreadable(path, str(error))
        order = np.argsort(-scores, kind="stable")
        best = tuple(RankedClass(int(index), float(scores[index])) for index in order[:_RANKED])
        if truth is None:
            return Judged(path, folder, best)
        rank = int(np.flatnonzero(order == truth)[0]) + 1
        return Judged(path, folder, best, truth, float(scores[truth]), rank)
