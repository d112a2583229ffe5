"""Who is compared: the bare loop, this service and a plain server, each with the same model."""

import asyncio
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from app.contract.errors import ConfigurationError
from app.contract.manifest import Precision
from app.contract.repository import ModelRepository, ModelVersion, select_variant
from app.engines.engine import Provider
from app.hardware import available_cores
from tools.bench import plain_server
from tools.bench.bare import Bare
from tools.bench.bare_worker import Job
from tools.bench.process import Server
from tools.reliability.client import Connection

BARE = "bare loop"
BARE_SAME_THREADS = "bare, with the service's threads"
BARE_SHIPPED = "bare loop, shipped precision"
BARE_SHIPPED_THREADS = "bare, shipped precision, with the service's threads"
SAME = "service, same file"
SHIPPED = "service, as shipped"
PLAIN = "plain server"
PLAIN_WORKERS = "plain server, a worker a core"
GIVEN = "given server"
# Of a GPU's bare loop: a batch of one leaves it idle.
_GPU_BATCH = 8


class Endpoint(Protocol):
    """A running server: what the measurements need of it."""

    @property
    def port(self) -> int:
        """On 127.0.0.1."""
        ...

    @property
    def path(self) -> str:
        """Where it takes one image as the raw body."""
        ...

    @property
    def url(self) -> str:
        """The same, with port and host."""
        ...

    @property
    def resident_mib(self) -> float:
        """Memory that it holds now; 0 where that cannot be known."""
        ...


@dataclass(frozen=True)
class Subject:
    """A model to measure with.

    Attributes:
        repository: folder of the repository that holds it.
        version: the model version.
        precision: of the file that all contenders share.
        provider: execution provider.
        shipped: options that the service takes beside the model's name when measured as shipped.
    """

    repository: Path
    version: ModelVersion
    precision: Precision
    provider: Provider
    shipped: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The model's."""
        return self.version.manifest.name

    def file(self, precision: Precision) -> Path:
        """The ONNX file of a precision.

        Raises:
            ConfigurationError: if the model has none.
        """
        variant = select_variant(precision, self.version.manifest)
        return self.version.folder / variant.file

    def service(self, *options: str, cores: Collection[int] = (), module: str = "app") -> Server:
        """This service, as its users start it; `options` are further ones."""
        command = [
            sys.executable, "-m", module, "--port", "{port}",
            "--model-repository", str(self.repository), "--model", self.name,
            "--provider", self.provider,
        ]  # fmt: skip
        return Server([*command, *options], cores=cores)

    def same(self, cores: Collection[int] = ()) -> Server:
        """This service with the file that all share."""
        return self.service("--precision", self.precision, cores=cores)

    def as_shipped(self, cores: Collection[int] = ()) -> Server:
        """This service with the precision that it would take by itself."""
        return self.service(*self.shipped, cores=cores)

    def plain(self, workers: int = 1) -> Server:
        """The plain server with the same file; several workers have one thread a run each."""
        command = [
            sys.executable, "-m", "uvicorn", "tools.bench.plain_server:create_app", "--factory",
            "--port", "{port}", "--workers", str(workers),
        ]  # fmt: skip
        environment = {
            plain_server.FOLDER: str(self.version.folder),
            plain_server.MODEL_FILE: self.file(self.precision).name,
            plain_server.PROVIDER: self.provider,
            plain_server.THREADS: "1" if workers > 1 else "0",
        }
        return Server(command, form_path="/upload", environment=environment)

    def bare(self, photos: Sequence[Path], precision: Precision, processes: int) -> Bare:
        """The best of loops without a server: on a CPU a process of one thread for each core."""
        job = self._job(photos, precision)
        if self.provider != "cpu":
            return Bare(replace(job, loops=processes, batch=_GPU_BATCH), 1)
        return Bare(job, processes)

    def bare_lone(self, photos: Sequence[Path], precision: Precision, threads: int) -> Bare:
        """One photo at a time, with so many threads in a run."""
        return Bare(replace(self._job(photos, precision), threads=threads), 1)

    def _job(self, photos: Sequence[Path], precision: Precision) -> Job:
        return Job(
            model_file=str(self.file(precision)),
            preprocessing=self.version.manifest.preprocessing.model_dump(mode="json"),
            provider=self.provider,
            photos=[str(photo) for photo in photos],
        )


@dataclass
class Lineup:
    """A subject's running servers.

    Attributes:
        subject: the model.
        servers: by contender.
        shipped_precision: what the service took by itself.
        threads: of one run, by contender, where the service says so.
    """

    subject: Subject
    servers: dict[str, Endpoint] = field(default_factory=dict)
    shipped_precision: Precision = "fp32"
    threads: dict[str, int] = field(default_factory=dict)


@contextmanager
def lineup(subject: Subject, given: Endpoint | None = None) -> Iterator[Lineup]:
    """Starts a subject's servers for the length of a block; idle ones take no processor time.

    Args:
        subject: the model.
        given: a server of the user's own, which then is the only one.
    """
    found = Lineup(subject)
    if given is not None:
        found.servers[GIVEN] = given
        yield found
        return
    with ExitStack() as stack:
        shipped, same = (
            stack.enter_context(server) for server in (subject.as_shipped(), subject.same())
        )
        served = _served(shipped)
        found.shipped_precision = served["precision"]
        found.threads = {SHIPPED: served["threads"], SAME: _served(same)["threads"]}
        found.servers = {
            SAME: same,
            SHIPPED: shipped,
            PLAIN: stack.enter_context(subject.plain()),
        }
        if subject.provider == "cpu" and available_cores() > 1:
            found.servers[PLAIN_WORKERS] = stack.enter_context(subject.plain(available_cores()))
        yield found


def subject(
    name: str,
    repositories: Sequence[Path],
    *,
    precision: Precision,
    provider: Provider,
    shipped: tuple[str, ...] = (),
) -> Subject:
    """Finds a model.

    Args:
        name: the model's.
        repositories: where to look, in order.
        precision: of the file that all contenders share.
        provider: execution provider.
        shipped: see `Subject`.

    Raises:
        ConfigurationError: if no repository holds it.
    """
    for repository in repositories:
        if (repository / name).is_dir():
            return Subject(
                repository, ModelRepository(repository).find(name), precision, provider, shipped
            )
    raise ConfigurationError(
        "--models",
        f"{name} is in none of {', '.join(map(str, repositories))}",
        "make it with python -m tools.bench.models, or name another",
    )


def _served(server: Server) -> dict[str, Any]:
    """What the service says of the model that it serves."""
    connection = Connection(server.port)

    async def ask() -> dict[str, Any]:
        body = (await connection.request("/models", method="GET")).json()
        connection.close()
        model: dict[str, Any] = body["models"][0]
        return model

    return asyncio.run(ask())
