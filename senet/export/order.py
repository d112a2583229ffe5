"""What is to be exported, from what, measured on what, and where to."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from app.contract.errors import ConfigurationError
from app.contract.manifest import Input, ModelName, Precision
from senet.export.int8 import Layout
from senet.export.parity import BATCH_SIZES
from senet.export.photos import Photos
from senet.export.reject_rule import REJECT_RATE, check_rate
from senet.shapes import Shapes, shapes_of
from senet.sources import SourceModel


@dataclass(frozen=True)
class Order:
    """One export.

    Attributes:
        source: the network with its preprocessing and labels.
        name: the model's name in the repository.
        version: its version.
        repository: directory of the model repository.
        photos: real photos, at least 7, on which PyTorch and ONNX Runtime are compared.
        evaluation: labelled photos for the accuracy of every variant.
        evaluation_name: what the manifest calls them.
        calibration: labelled photos that the network was not trained on, for the temperature.
        fitting: bool [n], which of the calibration photos the temperature is fitted on, while the
            others judge it; None fits on all and cross-fits the calibration error.
        quantisation: photos for the ranges of int8, from the training photos.
        precisions: the variants to write; fp32 among them.
        int8_layout: see `senet.export.int8.quantise`.
        max_accuracy_drop: points of top-1 that a variant may lose against fp32.
        min_agreement: share of the evaluation photos on which a variant must agree with fp32.
        min_speedup: speed that int8 must reach on this machine, as a multiple of fp32's.
        reject_rate: share of the photos fitted to that is rejected as unlike them; 0 for none.
        excitations: whether the files shall give the gates of each SE block.
        allow_untrained: whether a network may be published that shows no sign of having learned.
        force: whether an existing version may be replaced.
        progress: whether to show progress bars.
    """

    source: SourceModel
    name: str
    version: int
    repository: Path
    photos: Photos
    evaluation: Photos | None = None
    evaluation_name: str = ""
    calibration: Photos | None = None
    fitting: NDArray[np.bool_] | None = None
    quantisation: Photos | None = None
    precisions: tuple[Precision, ...] = ("fp32",)
    int8_layout: Layout = "u8s8"
    max_accuracy_drop: float = 0.5
    min_agreement: float = 0.97
    min_speedup: float = 1.0
    reject_rate: float = REJECT_RATE
    excitations: bool = False
    allow_untrained: bool = False
    force: bool = False
    progress: bool = False

    @property
    def target(self) -> Path:
        """The version's directory."""
        return self.repository / self.name / str(self.version)

    @property
    def calibration_name(self) -> str:
        """What the manifest calls the calibration photos."""
        calibration, evaluation = self.calibration, self.evaluation
        if calibration is None:
            return ""
        same = evaluation is not None and calibration.files == evaluation.files
        return self.evaluation_name if same else calibration.directory.name

    @property
    def size(self) -> Input:
        """Height and width of the graph's input, in pixels."""
        preprocessing = self.source.preprocessing
        return Input(height=preprocessing.crop_height, width=preprocessing.crop_width)

    def shapes(self) -> tuple[Shapes, ...]:
        """Of the photos for each measurement that is ordered."""
        ordered = {
            "accuracy": self.evaluation,
            "the temperature": self.calibration,
            "int8's ranges": self.quantisation if "int8" in self.precisions else None,
        }
        return tuple(
            shapes_of(purpose, photos.files)
            for purpose, photos in ordered.items()
            if photos is not None
        )

    def notes(self) -> tuple[str, ...]:
        """What is to be known about the source and the photos, in whole sentences."""
        notes = list(self.source.notes)
        for photos in (self.evaluation, self.calibration):
            if photos is not None:
                notes += [f"{photos.option}: {note}" for note in photos.notes]
        if self.allow_untrained:
            notes.append("Published with --allow-untrained: it may have learned nothing.")
        return tuple(dict.fromkeys(notes))

    def check(self) -> None:
        """Raises ConfigurationError if the options contradict each other or say nothing valid."""
        try:
            TypeAdapter(ModelName).validate_python(self.name)
        except ValidationError as error:
            raise ConfigurationError(
                "--name",
                f"{self.name!r} is not a model name",
                "use lower-case letters, digits, '.', '_' and '-', a letter or digit first",
            ) from error
        if self.version < 1:
            raise ConfigurationError("--version", f"{self.version} is not positive", "start at 1")
        # Written so that NaN, which compares false, is refused.
        if not 0 <= self.max_accuracy_drop <= 100:
            raise ConfigurationError(
                "--max-accuracy-drop",
                f"{self.max_accuracy_drop:g} is not a number of points from 0 to 100",
                "give such a number",
            )
        if not 0 <= self.min_agreement <= 1:
            raise ConfigurationError(
                "--min-agreement",
                f"{self.min_agreement:g} is not a share from 0 to 1",
                "give such a number, as 0.97",
            )
        if not 0 <= self.min_speedup < float("inf"):
            raise ConfigurationError(
                "--min-speedup",
                f"{self.min_speedup:g} is not a multiple of fp32's speed",
                "give 1, or 0 where a smaller file is all that is wanted",
            )
        check_rate(self.reject_rate)
        if len(self.photos) < max(BATCH_SIZES):
            raise ConfigurationError(
                self.photos.option,
                f"only {len(self.photos)} photos",
                f"give at least {max(BATCH_SIZES)}",
            )
        if "fp32" not in self.precisions:
            raise ConfigurationError(
                "--precision", "fp32 is missing", "add it: the others are measured against it"
            )
        reduced = [precision for precision in self.precisions if precision != "fp32"]
        if reduced and self.evaluation is None:
            raise ConfigurationError(
                "--precision",
                f"what {' and '.join(reduced)} costs in accuracy is not known",
                "name a folder of class folders with --evaluate",
            )
        if "int8" in self.precisions and self.quantisation is None:
            raise ConfigurationError(
                "--precision",
                "int8 needs photos to find the range of its activations",
                "name a folder of training photos with --calibration-photos",
            )
