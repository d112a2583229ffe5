"""Labels are in the order of the logits, complete and unambiguous."""

from pathlib import Path

import pytest

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label
from senet.sources.labels import read_labels

GOOD = "0 n01440764 tench, Tinca tinca\n1 n02012849 crane\n2 n03126707 crane\n"


def written(tmp_path: Path, content: bytes | str) -> Path:
    path = tmp_path / "labels.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_names_may_have_spaces_and_repeat(tmp_path: Path) -> None:
    assert read_labels(written(tmp_path, GOOD), 3) == (
        Label(index=0, id="n01440764", name="tench, Tinca tinca"),
        Label(index=1, id="n02012849", name="crane"),
        Label(index=2, id="n03126707", name="crane"),
    )


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("0 a b\n1 b c\n", "has 2 lines, but the network has 3 classes"),
        (GOOD + "3 d e\n", "has 4 lines, but the network has 3 classes"),
        ("", "has 0 lines"),
        ("0 a b\n1 c d\n2 a f\n", "has the identifier a more than once"),
        ("0 a b\n2 c d\n1 e f\n", "line 2 of .* has index 2, not 1"),
        ("1 a b\n2 c d\n3 e f\n", "line 1 of .* has index 1, not 0"),
        ("0 a b\n1 c d\n1 e f\n", "line 3 of .* has index 1, not 2"),
        ("0 a b\n1 c\n2 e f\n", "line 2 of .* is not `index id name`"),
        ("0 a b\n\n1 c d\n", "line 2 of .* is not `index id name`"),
        (b"\xff\xfe\x00", "cannot be read as UTF-8 text"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, content: bytes | str, cause: str) -> None:
    with pytest.raises(ConfigurationError, match=cause):
        read_labels(written(tmp_path, content), 3)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.txt cannot be read"):
        read_labels(tmp_path / "absent.txt", 3)
