"""`python -m scripts.compare`: two versions side by side."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from app.contract.manifest import Label, Manifest
from scripts.compare import main
from senet.comparison import Answers, compare
from tests.support.images import encode, photo
from tests.support.repository import write_model

LABELS = tuple(Label(index=i, id=name, name=name) for i, name in enumerate(("cat", "dog")))


def test_gains_losses_and_flips_are_told_photo_by_photo() -> None:
    targets = np.array([0, 0, 0, 1])
    one = Answers("m:1", np.eye(2, dtype=np.float32)[[0, 0, 1, 1]])
    two = Answers("m:2", np.eye(2, dtype=np.float32)[[0, 1, 0, 1]])
    files = [Path("cat/a.jpg"), Path("cat/b.jpg"), Path("cat/c.jpg"), Path("dog/d.jpg")]
    lines = compare(one, two, files, targets, LABELS)
    assert "- Same class on 50.00% of them" in lines
    assert any("+0.00 ± 69.30 points" in line and "(1 gained, 1 lost)" in line for line in lines)
    assert "| cat | 3 | 66.67% | 66.67% | 1 | 1 |" in lines
    assert "| dog | 1 | 100.00% | 100.00% | 0 | 0 |" in lines
    assert lines[-2:] == ["| cat/b.jpg | cat | cat | dog |", "| cat/c.jpg | cat | dog | cat |"]


@pytest.fixture
def version(tmp_path: Path) -> Path:
    return write_model(tmp_path / "models")


@pytest.fixture
def photos(tmp_path: Path, version: Path) -> Path:
    manifest = Manifest.model_validate_json((version / "manifest.json").read_bytes())
    folder = tmp_path / "photos" / manifest.labels[0].id
    folder.mkdir(parents=True)
    (folder / "one.png").write_bytes(encode(photo((200, 10, 10))))
    return folder.parent


def test_a_version_agrees_with_itself(
    version: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(version), str(version), f"--photos={photos}"]) == 0
    shown = capsys.readouterr().out
    assert "- Same class on 100.00% of them" in shown
    assert "classes have no photos." in shown


@pytest.mark.parametrize("wrong", ["models", "models/colours/9"])
def test_what_is_no_version_is_refused(
    wrong: str, version: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = version.parents[2]
    assert main([str(version), str(root / wrong), f"--photos={photos}"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1


def test_versions_of_other_classes_are_refused(
    version: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = version.with_name("2")
    shutil.copytree(version, other)
    text = (other / "manifest.json").read_text()
    manifest = Manifest.model_validate_json(text)
    labels = (manifest.labels[0].model_copy(update={"id": "another"}), *manifest.labels[1:])
    changed = manifest.model_copy(update={"version": 2, "labels": labels})
    (other / "manifest.json").write_text(changed.model_dump_json())
    assert main([str(version), str(other), f"--photos={photos}"]) == 2
    assert "only one of the two has the class" in capsys.readouterr().err
