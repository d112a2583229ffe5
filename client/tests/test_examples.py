"""Each example runs as its first lines say."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.fake_service import FakeService, best_class, listening, url_of

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(service: FakeService, name: str, *arguments: object) -> str:
    with listening(service) as server:
        words = [sys.executable, str(EXAMPLES / name), *map(str, arguments), url_of(server)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - ours
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    Image.linear_gradient("L").resize((80, 60)).save(path)
    return path


def label(photo: Path) -> str:
    return f"class {best_class(photo.read_bytes())}"


def test_every_example_is_run() -> None:
    tested = {
        name.removeprefix("test_").removesuffix("_runs") + ".py"
        for name in globals()
        if name.endswith("_runs")
    }

    assert tested == {path.name for path in EXAMPLES.glob("*.py")}


def test_one_image_runs(service: FakeService, photo: Path) -> None:
    lines = run(service, "one_image.py", photo).splitlines()

    assert len(lines) == 5
    assert lines[0].endswith(label(photo))


def test_many_images_runs(service: FakeService, photo: Path) -> None:
    (photo.parent / "bad.jpg").write_bytes(b"corrupt")

    said = run(service, "many_images.py", photo.parent)

    assert said == f"bad.jpg: invalid_image\nphoto.jpg: {label(photo)}\n"


def test_data_frame_runs(service: FakeService, photo: Path) -> None:
    table, output = photo.parent / "table.csv", photo.parent / "output.csv"
    table.write_text(f"id,path\n7,{photo}\n8,/nowhere.jpg\n")

    run(service, "data_frame.py", table, output)

    header, first, second = output.read_text().splitlines()
    assert header == "id,path,label,score,error"
    assert first.startswith(f"7,{photo},{label(photo)},0.")
    assert second == "8,/nowhere.jpg,,,unreadable_image"


def test_camera_runs(service: FakeService) -> None:
    said = run(service, "camera.py", 3)

    assert [line.split(":")[0] for line in said.splitlines()] == ["frame 0", "frame 1", "frame 2"]


def test_activation_map_runs(service: FakeService, photo: Path) -> None:
    output = photo.parent / "map.png"

    said = run(service, "activation_map.py", photo, output)

    assert said == f"{label(photo)}: map of 2 x 3\n"
    with Image.open(output) as drawn:
        assert len(drawn.convert("RGB").getcolors(1_000_000) or []) > 100
