"""The model version that serves, and how."""

from dataclasses import dataclass

from app.contract.class_gates import ClassGates
from app.contract.errors import InvalidParameter, OutputNotAvailable
from app.contract.manifest import Manifest, Variant
from app.contract.prediction_sets import CoverageTooHigh, SetRule
from app.contract.signature import INCLUDED, Include, Signature, TensorSpec
from app.engines.engine import Layout, Provider
from app.selection.candidates import ChosenBy


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The model version that a classifier serves, and how.

    Attributes:
        manifest: of the model.
        variant: the ONNX file that runs.
        provider: what runs it.
        layout: how runs share the cores.
        max_batch_size: most images in one of its batches.
        chosen_by: why this engine serves.
        signature: what goes in and comes out, with every size.
        difference: largest absolute difference of a logit from the golden ones in its self-test.
        class_gates: what the gates did over the photos of each class; None if that is not known.
        usual_batch_size: the most while few images wait; None if that is `max_batch_size`.
    """

    manifest: Manifest
    variant: Variant
    provider: Provider
    layout: Layout
    max_batch_size: int
    chosen_by: ChosenBy
    signature: Signature
    difference: float = 0.0
    class_gates: ClassGates | None = None
    usual_batch_size: int | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """The model's version, as it stands in answers."""
        return str(self.manifest.version)

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the ONNX file."""
        return f"sha256:{self.variant.sha256}"

    def included(self, asked: Include) -> tuple[TensorSpec, ...]:
        """The outputs that `include=` asks for: an excitation of each block, else one.

        Raises:
            OutputNotAvailable: if the model has none of that meaning.
        """
        found = self.signature.find_all(INCLUDED[asked])
        if not found:
            others = [name for name, meaning in INCLUDED.items() if self.signature.find(meaning)]
            raise OutputNotAvailable(
                f"include: {self.name}:{self.version} has no {asked}, only"
                f" {', '.join(others) or 'its classes'}"
            )
        return found

    def check_class(self, index: int) -> None:
        """Refuses a class that the model does not have.

        Raises:
            InvalidParameter: if it is none.
        """
        classes = len(self.manifest.labels)
        if index >= classes:
            raise InvalidParameter(
                f"class_index: {index} is not one of the {classes} classes, 0 to {classes - 1}"
            )

    def set_rule(self, coverage: float) -> tuple[SetRule, float]:
        """What makes the prediction sets of a coverage: the rule and its threshold.

        Raises:
            OutputNotAvailable: if the model has none.
            InvalidParameter: if the coverage is higher than it knows sets for.
        """
        sets = self.manifest.sets
        if sets is None:
            raise OutputNotAvailable(
                f"coverage: {self.name}:{self.version} has no prediction sets; they are fitted to"
                " photos when a model is exported"
            )
        precision = self.variant.precision
        try:
            return sets.rules[precision], sets.threshold(precision, coverage)
        except CoverageTooHigh as error:
            raise InvalidParameter(f"coverage: {error}") from error
