"""Ways to resize and crop are compared with torchvision's."""

from pathlib import Path

import pytest

from tests.support.images import encode, photo
from tools.bench.geometry import WAYS, main


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for width in (153, 157, 300):
        (tmp_path / f"{width}.jpg").write_bytes(encode(photo((90, 120, 150), (width, 100)), "JPEG"))
    return tmp_path


def rows(output: str) -> list[list[str]]:
    """The cells of the first table, without its head."""
    table = output.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_every_way_is_compared_and_timed(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"--photos={photos}", "--resize=40", "--crop=32", "-n=1"]) == 0
    output = capsys.readouterr().out
    table = rows(output)
    assert [row[0] for row in table] == list(WAYS)
    assert table[0][1:] == ["0.0000", "0.000", "0"]
    assert float(table[1][1]) < 0.05 < 0.5 < float(table[3][1])
    assert all(f"| {name} |" in output.partition("processor ms")[2] for name in WAYS)


def test_a_model_says_what_its_answers_make_of_it(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"--photos={photos}", "-n=0"]) == 0
    output = capsys.readouterr().out
    assert "fp32: top-1 agrees" in output
    assert "int8: largest logit difference" in output
    assert "right of" not in output
    assert rows(output)[0][4:6] == ["100.0%", "0.000"]
