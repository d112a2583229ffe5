from pathlib import Path

import pytest

from scripts.hold_out import main


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("cat", "dog"):
        folder = tmp_path / "data" / "train" / name
        folder.mkdir(parents=True)
        for number in range(20):
            (folder / f"{number}.jpg").write_bytes(b"photo")
    return tmp_path / "data"


def names(folder: Path) -> set[str]:
    return {f"{path.parent.name}/{path.name}" for path in folder.glob("*/*")}


def test_each_class_gives_its_share_and_no_photo_is_in_both(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "parted"
    assert main(["--data", str(data), "--output", str(output), "--share", "0.25"]) == 0
    train, held = names(output / "train"), names(output / "val")
    assert len(held) == 10
    assert {name.split("/")[0] for name in held} == {"cat", "dog"}
    assert not train & held
    assert train | held == names(data / "train")
    assert all(path.read_bytes() == b"photo" for path in output.glob("*/*/*"))


def test_what_is_no_photo_is_left(data: Path, tmp_path: Path) -> None:
    (data / "train" / "cat" / "notes.txt").write_text("not a photo")
    (data / "train" / ".cache").mkdir()
    output = tmp_path / "parted"
    assert main(["--data", str(data), "--output", str(output)]) == 0
    assert {path.suffix for path in output.glob("*/*/*")} == {".jpg"}
    assert {path.name for path in output.glob("*/*")} == {"cat", "dog"}


def test_the_choice_depends_on_names_alone(data: Path, tmp_path: Path) -> None:
    for output in ("one", "other"):
        main(["--data", str(data), "--output", str(tmp_path / output)])
    assert names(tmp_path / "one" / "val") == names(tmp_path / "other" / "val")


def test_what_cannot_be_parted_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path), "--output", str(tmp_path / "x")]) == 2
    assert "--data: " in capsys.readouterr().err
    assert main(["--data", str(data), "--output", str(data)]) == 2
    assert "--output: " in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--data", str(data), "--output", str(tmp_path / "x"), "--share", "1"])
