import shutil
from pathlib import Path

import pytest

from app.contract.manifest import Manifest
from app.contract.repository import ModelRepository
from scripts.fit_trust import main
from tests.support.colours import COLOURS
from tests.support.images import encode, photo
from tests.support.repository import in_schema_1, write_model

NOTHING_FITTED = {"sets": None, "reject": None, "reference": None}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two drawn photos of every colour."""
    root = tmp_path / "photos"
    for colour in COLOURS:
        folder = root / "c{:02x}{:02x}{:02x}".format(*colour)
        folder.mkdir(parents=True)
        for number in range(2):
            (folder / f"{number}.png").write_bytes(encode(photo(colour, (40 + number, 40))))
    return root


def manifest_of(repository: Path) -> Manifest:
    return ModelRepository(repository).find("colours", 1).manifest


def fit(repository: Path, photos: Path, *arguments: str) -> int:
    return main(
        ["--name", "colours", "--repository", str(repository), "--photos", str(photos), *arguments]
    )


def test_a_published_version_gets_sets_and_keeps_its_files(tmp_path: Path, photos: Path) -> None:
    folder = write_model(tmp_path / "models")
    before, model = manifest_of(tmp_path / "models"), (folder / "model.fp32.onnx").read_bytes()
    assert fit(tmp_path / "models", photos) == 0
    after = manifest_of(tmp_path / "models")
    assert after.sets is not None
    assert after.sets.dataset == "photos, 128 photos"
    assert after.reference is not None
    assert after.reference.images == 128
    assert after.requires == after.first_reader != before.requires
    assert after.model_copy(update=NOTHING_FITTED | {"requires": before.requires}) == before
    assert (folder / "model.fp32.onnx").read_bytes() == model
    assert {path.name for path in folder.iterdir()} == {
        "manifest.json", "model.fp32.onnx", "golden.inputs.npy", "golden.logits.npy",
    }  # fmt: skip


def test_the_photos_that_are_fitted_to_can_be_listed(tmp_path: Path, photos: Path) -> None:
    write_model(tmp_path / "models")
    listed = tmp_path / "fitting.txt"
    listed.write_text("\n".join(f"{folder.name}/0.png" for folder in photos.iterdir()))
    assert fit(tmp_path / "models", photos, "--fit-on", str(listed), "--photos-name", "mine") == 0
    sets = manifest_of(tmp_path / "models").sets
    assert sets is not None
    assert sets.dataset == "mine, 64 photos"


def test_a_version_of_schema_1_is_refused(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(tmp_path / "models", change=in_schema_1)
    assert fit(tmp_path / "models", photos) == 2
    assert "schema 1" in capsys.readouterr().err


def test_files_that_were_changed_are_refused(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_model(tmp_path / "models")
    shutil.copy(folder / "golden.inputs.npy", folder / "model.fp32.onnx")
    assert fit(tmp_path / "models", photos) == 2
    assert "SHA-256" in capsys.readouterr().err
    assert manifest_of(tmp_path / "models").sets is None


def test_the_rate_of_false_alarms_is_the_options(tmp_path: Path, photos: Path) -> None:
    write_model(tmp_path / "models")
    assert fit(tmp_path / "models", photos, "--reject-rate", "0.1") == 0
    reject = manifest_of(tmp_path / "models").reject
    assert reject is not None
    assert reject.rate == 0.1
    assert fit(tmp_path / "models", photos, "--reject-rate", "0") == 0
    assert manifest_of(tmp_path / "models").reject is None


def test_a_rate_that_is_none_is_refused(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(tmp_path / "models")
    assert fit(tmp_path / "models", photos, "--reject-rate", "2") == 2
    assert "--reject-rate" in capsys.readouterr().err
    assert manifest_of(tmp_path / "models").sets is None
