"""A model file to measure with: the bare loop and this service on it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.contract.errors import ConfigurationError
from app.contract.manifest import Precision
from app.contract.repository import ModelRepository, ModelVersion, select_variant
from app.engines.engine import Provider
from tools.bench.bare import Bare
from tools.bench.bare_worker import Job
from tools.loadtools.process import Server, service

# Of a GPU's bare loop: a batch of one leaves it idle.
_GPU_BATCH = 8


@dataclass(frozen=True)
class Subject:
    """One file of a model.

    Attributes:
        repository: folder of the repository that holds it.
        version: the model version.
        precision: of the file that all contenders share.
        provider: execution provider.
        shipped: options that the service takes beside the model's name when measured as shipped.
        mosec: the Python in whose environment mosec is; None where it is not measured.
    """

    repository: Path
    version: ModelVersion
    precision: Precision
    provider: Provider
    shipped: tuple[str, ...] = ()
    mosec: Path | None = None

    @property
    def model(self) -> str:
        """The model's name."""
        return self.version.manifest.name

    @property
    def name(self) -> str:
        """The model's and the file's."""
        return f"{self.model} {self.precision}"

    def file(self, precision: Precision) -> Path:
        """The ONNX file of a precision.

        Raises:
            ConfigurationError: if the model has none.
        """
        variant = select_variant(precision, self.version.manifest)
        return self.version.folder / variant.file

    def service(self, *options: str, cores: Collection[int] = (), module: str = "app") -> Server:
        """This service, as its users start it; `options` are further ones."""
        own = (
            "--model-repository", str(self.repository), "--model", self.model,
            "--provider", self.provider,
        )  # fmt: skip
        return service([*own, *options], cores=cores, module=module)

    def same(self, cores: Collection[int] = ()) -> Server:
        """This service with the file that all share."""
        return self.service("--precision", self.precision, cores=cores)

    def as_shipped(self, cores: Collection[int] = ()) -> Server:
        """This service with the precision that it would take by itself."""
        return self.service(*self.shipped, cores=cores)

    def bare(self, photos: Sequence[Path], processes: int, batch: int = 1) -> Bare:
        """Loops without a server: on a CPU a process of one thread for each core."""
        job = self._job(photos, self.precision)
        if self.provider != "cpu":
            return Bare(replace(job, loops=processes, batch=_GPU_BATCH), 1)
        return Bare(replace(job, batch=batch), processes)

    def bare_lone(self, photos: Sequence[Path], precision: Precision, threads: int) -> Bare:
        """One photo at a time, with so many threads in a run."""
        return Bare(replace(self._job(photos, precision), threads=threads), 1)

    def _job(self, photos: Sequence[Path], precision: Precision) -> Job:
        manifest = self.version.manifest
        return Job(
            model_file=str(self.file(precision)),
            preprocessing=manifest.preprocessing.model_dump(mode="json"),
            image=manifest.signature.image.name,
            logits=manifest.signature.logits.name,
            provider=self.provider,
            photos=[str(photo) for photo in photos],
        )


def find(name: str, repositories: Sequence[Path]) -> tuple[Path, ModelVersion]:
    """The repository that holds a model, and its newest version.

    Args:
        name: the model's.
        repositories: where to look, in order.

    Raises:
        ConfigurationError: if no repository holds it.
    """
    for repository in repositories:
        if (repository / name).is_dir():
            return repository, ModelRepository(repository).find(name)
    raise ConfigurationError(
        "--models",
        f"{name} is in none of {', '.join(map(str, repositories))}",
        "make it with python -m tools.bench.models, or name another",
    )
