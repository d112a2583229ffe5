"""Versions in a store are copied here, and used only while they are whole."""

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.contract.errors import ConfigurationError, Draining, StoreUnavailable
from app.contract.repository import ModelVersion
from app.remote.copies import Copies, cache_folder
from app.remote.repository import RemoteRepository
from app.remote.store import Store
from tests.support.repository import write_model
from tests.support.waiting import BOUND_SECONDS

from .conftest import URI, Bucket

MODEL = "colours/2/model.fp32.onnx"
MANIFEST = "colours/2/manifest.json"


def copies_in(cache: Path) -> list[str]:
    """What is in the cache, half copies as well."""
    return sorted(path.name for path in cache.glob("*/*"))


def refusal(remote: RemoteRepository, name: str = "colours", version: int | None = 2) -> str:
    with pytest.raises(ConfigurationError) as raised:
        remote.find(name, version)
    assert not isinstance(raised.value, StoreUnavailable)
    return raised.value.cause


def test_what_is_there(bucket: Bucket, remote: RemoteRepository) -> None:
    bucket.write("README.md", b"no model")
    bucket.write("colours/0/manifest.json", b"no version")
    bucket.write("colours/latest/manifest.json", b"no version")
    bucket.write("Capital/1/manifest.json", b"no name")
    assert remote.names() == ["colours", "others"]
    assert remote.versions("colours") == [1, 2]
    assert remote.versions("../colours") == []
    assert (remote.latest("colours"), remote.latest("cats")) == (2, None)
    assert remote.manifest("colours").version == 2


def test_a_version_is_copied_once(bucket: Bucket, remote: RemoteRepository, cache: Path) -> None:
    found = remote.find("colours", 1)
    found.verify()
    assert found.manifest.version == 1
    first = found.folder
    [name] = copies_in(cache)
    assert name.startswith("1-")
    inode = (first / "model.fp32.onnx").stat().st_ino
    assert remote.find("colours", 1).folder == first
    assert (first / "model.fp32.onnx").stat().st_ino == inode


def test_nothing_is_copied_to_tell_of_a_version(remote: RemoteRepository, cache: Path) -> None:
    assert remote.manifest("colours", 1).version == 1
    assert not cache.exists()


def test_a_version_without_a_manifest_is_not_there_yet(
    bucket: Bucket, remote: RemoteRepository
) -> None:
    bucket.write("colours/3/model.fp32.onnx", b"the first file of a push")
    assert remote.latest("colours") == 2
    assert remote.find("colours").manifest.version == 2
    assert f"colours:3 is not in {URI}" in refusal(remote, version=3)


@pytest.mark.parametrize("name", ["cats", "..", "colours/1", "Colours", ""])
def test_a_model_that_is_not_there(remote: RemoteRepository, name: str) -> None:
    assert "which holds colours, others" in refusal(remote, name, None)


def test_an_empty_store(bucket: Bucket, remote: RemoteRepository) -> None:
    shutil.rmtree(bucket.root)
    assert remote.names() == []
    assert "which holds no model" in refusal(remote, version=None)


@pytest.mark.parametrize("kept", [0, 100, -1])
def test_a_file_that_is_cut_or_changed_is_not_kept(
    bucket: Bucket, remote: RemoteRepository, cache: Path, kept: int
) -> None:
    whole = bucket.read(MODEL)
    bucket.write(MODEL, whole[:kept] or b"")
    cause = refusal(remote)
    assert f"{URI}/{MODEL} has SHA-256" in cause
    assert copies_in(cache) == []
    bucket.write(MODEL, bytes([whole[0] ^ 1]) + whole[1:])
    assert "its manifest says" in refusal(remote)
    bucket.write(MODEL, whole)
    remote.find("colours", 2).verify()


def test_a_file_that_is_missing(bucket: Bucket, remote: RemoteRepository, cache: Path) -> None:
    bucket.remove("colours/2/golden.logits.npy")
    assert "colours/2/golden.logits.npy is not there" in refusal(remote)
    assert copies_in(cache) == []


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"{", "manifest.json, the whole"),
        (b"", "manifest.json, the whole"),
        (b"[" * 100_000, "manifest.json, the whole"),
        (b" " * (32 * 2**20 + 1), "more than 33554432 bytes"),
    ],
)
def test_a_manifest_that_is_none(
    bucket: Bucket, remote: RemoteRepository, data: bytes, told: str
) -> None:
    bucket.write(MANIFEST, data)
    assert told in refusal(remote)


def test_a_manifest_of_another_version(bucket: Bucket, remote: RemoteRepository) -> None:
    bucket.write(MANIFEST, bucket.read("colours/1/manifest.json"))
    assert "is of colours:1" in refusal(remote)


def test_a_manifest_of_a_later_schema(bucket: Bucket, remote: RemoteRepository) -> None:
    text = bucket.read(MANIFEST).replace(b'"schema_version": 2', b'"schema_version": 9')
    bucket.write(MANIFEST, text)
    assert "has schema 9" in refusal(remote)


@pytest.mark.parametrize("name", ["../1/model.fp32.onnx", "/etc/passwd", "a/b", ".."])
def test_files_outside_the_version_are_not_read(
    bucket: Bucket, remote: RemoteRepository, name: str
) -> None:
    text = bucket.read(MANIFEST).replace(b"model.fp32.onnx", name.encode())
    bucket.write(MANIFEST, text)
    assert "variants.0.file" in refusal(remote)


def test_a_damaged_copy_is_made_anew(remote: RemoteRepository) -> None:
    folder = remote.find("colours", 2).folder
    for name in ("model.fp32.onnx", "golden.logits.npy", "manifest.json"):
        file = folder / name
        whole = file.read_bytes()
        file.write_bytes(whole[:-1])
        remote.find("colours", 2).verify()
        assert file.read_bytes() == whole
        file.unlink()
        remote.find("colours", 2).verify()
        assert file.read_bytes() == whole
    (folder / "copied.json").write_text("[]")
    remote.find("colours", 2).verify()


def test_a_version_that_was_replaced_is_copied_anew(
    bucket: Bucket, remote: RemoteRepository, tmp_path: Path
) -> None:
    before = remote.find("colours", 2).folder

    def change(manifest: dict[str, object]) -> None:
        manifest["architecture"] = "another"

    bucket.put(write_model(tmp_path / "new", version=2, change=change), "colours/2")
    after = remote.find("colours", 2)
    assert after.folder != before
    assert after.manifest.architecture == "another"


def test_golden_files_that_come_after_their_manifest(
    bucket: Bucket, remote: RemoteRepository
) -> None:
    name = "colours/2/golden.logits.npy"
    right = bucket.read(name)
    bucket.write(name, right[:-4])
    with pytest.raises(ConfigurationError, match="NumPy"):
        remote.find("colours", 2).verify()
    bucket.write(name, right)
    remote.find("colours", 2).verify()


def test_two_processes_copy_the_same_at_once(
    repository_of: Callable[[], RemoteRepository], cache: Path
) -> None:
    both = threading.Barrier(2, timeout=BOUND_SECONDS)
    first = threading.local()
    found: list[ModelVersion] = []

    def meet() -> None:
        if not hasattr(first, "met"):
            first.met = both.wait()

    def copy() -> None:
        found.append(repository_of().find("colours", 2, meet))

    threads = [threading.Thread(target=copy) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0].folder == found[1].folder
    found[0].verify()
    assert len(copies_in(cache)) == 1


def test_what_ends_the_copying_leaves_nothing(remote: RemoteRepository, cache: Path) -> None:
    def stop() -> None:
        raise Draining("the service is shutting down")

    with pytest.raises(Draining):
        remote.find("colours", 2, stop)
    assert copies_in(cache) == []


def test_what_a_killed_process_left_is_removed(remote: RemoteRepository, cache: Path) -> None:
    half = cache / "colours" / ".copying-of-the-dead"
    half.mkdir(parents=True)
    (half / "model.fp32.onnx").write_bytes(b"half")
    remote.find("colours", 2)
    assert len(copies_in(cache)) == 1


class FullDisk(Store):
    """A store whose files find no space here."""

    def copy(self, path: str, target: Path, on_chunk: Callable[[], None]) -> str:
        super().copy(path, target, on_chunk)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))


def test_a_full_disk(bucket: Bucket, cache: Path) -> None:
    store = FullDisk(bucket.store.uri, bucket.connect)
    remote = RemoteRepository(store, Copies(cache))
    with pytest.raises(ConfigurationError, match="no space is left") as raised:
        remote.find("colours", 2)
    assert raised.value.option == "cache_directory"
    assert "SENET_CACHE_DIRECTORY" in raised.value.remedy
    assert copies_in(cache) == []


def test_a_cache_that_cannot_be_written(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    remote = RemoteRepository(bucket.store, Copies(tmp_path / "file" / "cache"))
    with pytest.raises(ConfigurationError, match="SENET_CACHE_DIRECTORY"):
        remote.find("colours", 2)


def test_a_user_without_a_home() -> None:
    with pytest.raises(ConfigurationError, match="SENET_CACHE_DIRECTORY"):
        cache_folder(None)


def test_old_copies_go_once_nobody_uses_them(cache: Path) -> None:
    now = time.time()
    copies = Copies(cache, lambda: now)

    def make(folder: Path) -> None:
        (folder / "file").write_text("content")

    for number in range(6):
        copies.get("colours", str(number), make)
    assert len(copies_in(cache)) == 6  # they were all used today
    now += 2 * 24 * 3600
    copies.get("colours", "5", make)
    assert "5" in copies_in(cache)
    assert len(copies_in(cache)) == 3
    shutil.rmtree(cache)
    copies.get("colours", "5", make)


class Silent(Store):
    """A store that does not answer."""

    def folder(self, path: str) -> list[str]:
        raise StoreUnavailable("model_repository", f"{self.where(path)} cannot be read now", "wait")


def test_a_store_that_does_not_list_is_asked_for_a_version_by_its_name(
    bucket: Bucket, cache: Path
) -> None:
    store = Silent(bucket.store.uri, bucket.connect)
    remote = RemoteRepository(store, Copies(cache))
    remote.find("colours", 2).verify()
    with pytest.raises(StoreUnavailable):
        remote.find("colours")
    assert refusal(remote, version=7) == f"colours:7 is not in {URI}"


def test_a_stamp_changes_with_each_file(bucket: Bucket, remote: RemoteRepository) -> None:
    stamps = {remote.stamp("colours", 2)}
    bucket.write("colours/2/report.md", b"new")
    stamps.add(remote.stamp("colours", 2))
    bucket.write("colours/2/report.md", b"new and longer")
    stamps.add(remote.stamp("colours", 2))
    assert len(stamps) == 3
    assert remote.stamp("colours", 2) in stamps
