"""What every step is told."""

from dataclasses import dataclass
from pathlib import Path

from app.contract.manifest import Precision
from app.contract.repository import ModelRepository, ModelVersion
from app.engines.engine import Engine, Layout, Provider
from app.engines.onnx_engine import OnnxEngines
from tools.gpu.notes import Notes

DEFAULT, MIDDLE, LARGE = "imagenette", "se_resnet50", "senet154"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a step measures, and for how long.

    Attributes:
        provider: "cuda"; "cpu" tries a step without a card.
        work: folder of the models that `tools.gpu.models` made, and of photos.
        seconds: of one measurement.
        quick: whether to leave out what takes long.
        notes: where it writes.
    """

    provider: Provider
    work: Path
    seconds: float
    quick: bool
    notes: Notes

    @property
    def precision(self) -> Precision:
        """What serves by rule."""
        return "fp16" if self.provider == "cuda" else "fp32"

    def precision_of(self, name: str) -> Precision:
        """What serves by rule, or else what the model has: a large one may come with fp16 alone.

        Raises:
            ConfigurationError: if the model is not there.
        """
        there = [variant.precision for variant in self.version(name).manifest.variants]
        return self.precision if self.precision in there else there[0]

    def repository(self, name: str) -> Path:
        """The repository that holds a model."""
        return Path("models") if name == DEFAULT else self.work / "models"

    def version(self, name: str) -> ModelVersion:
        """A model.

        Raises:
            ConfigurationError: if it is not there.
        """
        return ModelRepository(self.repository(name)).find(name)

    def engine(
        self,
        name: str,
        precision: Precision,
        *,
        slots: int,
        largest: int,
        cuda_graphs: bool = True,
        threads: int = 1,
    ) -> Engine:
        """An engine as the service loads it.

        Raises:
            ConfigurationError: if it cannot be loaded.
        """
        version = self.version(name)
        (variant,) = (each for each in version.manifest.variants if each.precision == precision)
        engines = OnnxEngines(self.provider, max_batch_size=largest, cuda_graphs=cuda_graphs)
        return engines.load(
            version.folder / variant.file,
            self.provider,
            Layout(threads, slots),
            version.manifest.signature,
        )

    def service_options(self, name: str, precision: Precision, *more: str) -> list[str]:
        """Options with which the service serves a model."""
        return [
            "--model-repository", str(self.repository(name)), "--model", name,
            "--provider", self.provider, "--precision", precision, "--log-level", "error", *more,
        ]  # fmt: skip
