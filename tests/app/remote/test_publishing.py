"""A version is written to a store so that nobody meets half of it."""

from pathlib import Path

import pytest

from app.contract.errors import ConfigurationError
from app.contract.repository import ModelRepository, ModelVersion
from app.remote.publishing import publish
from app.remote.repository import RemoteRepository
from app.remote.store import Store
from tests.support.repository import write_model

from .conftest import Bucket


@pytest.fixture
def version(tmp_path: Path) -> ModelVersion:
    folder = write_model(tmp_path / "local", version=3)
    (folder / "README.md").write_text("its card")
    (folder / ".hidden").write_text("an editor's")
    (folder / "folder").mkdir()
    return ModelRepository(tmp_path / "local").find("colours", 3)


def test_a_version_is_written_with_its_card(
    bucket: Bucket, remote: RemoteRepository, version: ModelVersion, tmp_path: Path
) -> None:
    assert publish(version, bucket.store, force=False) == "s3://bucket/models/colours/3"
    assert [name.rpartition("/")[2] for name in bucket.names() if "/3/" in name] == [
        "README.md", "golden.inputs.npy", "golden.logits.npy", "manifest.json", "model.fp32.onnx",
    ]  # fmt: skip
    remote.find("colours", 3).verify()
    (tmp_path / "pulled").mkdir()
    remote.copy("colours", 3, tmp_path / "pulled").verify()
    assert (tmp_path / "pulled" / "README.md").read_text() == "its card"


def test_what_is_there_is_replaced_only_when_told(bucket: Bucket, version: ModelVersion) -> None:
    publish(version, bucket.store, force=False)
    with pytest.raises(ConfigurationError, match="exists") as raised:
        publish(version, bucket.store, force=False)
    assert raised.value.option == "--force"
    publish(version, bucket.store, force=True)


class Failing(Store):
    """A store that fails at the second file."""

    written = 0

    def write(self, source: Path, path: str) -> None:
        self.written += 1
        if self.written == 2:
            raise ConfigurationError("model_repository", "it failed", "try again")
        super().write(source, path)


@pytest.mark.parametrize("was_there", [False, True])
def test_a_push_that_fails_leaves_no_version(
    bucket: Bucket, remote: RemoteRepository, version: ModelVersion, was_there: bool
) -> None:
    if was_there:
        publish(version, bucket.store, force=False)
    with pytest.raises(ConfigurationError, match="it failed"):
        publish(version, Failing(bucket.store.uri, bucket.connect), force=True)
    assert remote.latest("colours") == 2
    publish(version, bucket.store, force=False)
    remote.find("colours", 3).verify()


def test_a_version_that_is_not_in_order_is_not_written(
    bucket: Bucket, version: ModelVersion
) -> None:
    model = version.folder / "model.fp32.onnx"
    model.write_bytes(model.read_bytes()[:-1])
    with pytest.raises(ConfigurationError, match="its manifest says"):
        publish(version, bucket.store, force=True)
    assert not [name for name in bucket.names() if "/3/" in name]
