"""A store in a folder, and what a service copies from it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from app.remote.connection import Connection
from app.remote.copies import Copies
from app.remote.repository import RemoteRepository
from app.remote.store import Store
from tests.support.repository import write_model

URI = "s3://bucket/models"


class Bucket:
    """A bucket, as fsspec shows a folder.

    Attributes:
        filesystem: fsspec's.
        root: the folder.
        store: the same as the service sees it.
    """

    def __init__(self, root: Path) -> None:
        self.filesystem = LocalFileSystem(auto_mkdir=True)
        self.root = root
        self.store = Store(URI, self.connect)

    def connect(self) -> Connection:
        return Connection(self.filesystem, str(self.root))

    def put(self, folder: Path, name: str) -> None:
        """Puts the files of a folder below a name."""
        for file in folder.iterdir():
            self.write(f"{name}/{file.name}", file.read_bytes())

    def write(self, name: str, data: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def remove(self, name: str) -> None:
        (self.root / name).unlink()

    def names(self) -> list[str]:
        """Of all objects."""
        files = filter(Path.is_file, self.root.rglob("*"))
        return sorted(str(path.relative_to(self.root)) for path in files)


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    """With the versions 1 and 2 of one model, and one version of another."""
    bucket = Bucket(tmp_path / "bucket")
    for name, version in (("colours", 1), ("colours", 2), ("others", 1)):
        folder = write_model(tmp_path / "published", name=name, version=version)
        bucket.put(folder, f"{name}/{version}")
    shutil.rmtree(tmp_path / "published")
    return bucket


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def repository_of(bucket: Bucket, cache: Path) -> Callable[[], RemoteRepository]:
    """What a process that shares the cache sees."""
    return lambda: RemoteRepository(bucket.store, Copies(cache))


@pytest.fixture
def remote(repository_of: Callable[[], RemoteRepository]) -> RemoteRepository:
    return repository_of()
