"""Labels are in the order of the logits, complete and unambiguous."""

import json
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


NAMES = [("tench", "tench"), ("great_white_shark", "great white shark"), ("cock", "cock")]
IMAGENET = [("n01440764", "tench"), ("n01484850", "great white shark"), ("n01514668", "cock")]
INDEXED = "".join(f"{index} {id_} {name}\n" for index, (id_, name) in enumerate(IMAGENET))


def classes(path: Path) -> list[tuple[str, str]]:
    labels = read_labels(path, 3)
    assert [label.index for label in labels] == [0, 1, 2]
    return [(label.id, label.name) for label in labels]


@pytest.mark.parametrize(
    "content",
    [
        INDEXED.encode("utf-8-sig"),
        INDEXED.encode("utf-16"),
        b"\xfe\xff" + INDEXED.encode("utf-16-be"),
        INDEXED.replace("\n", "\r\n").encode(),
        INDEXED.replace("\n", "\r").encode(),
        (INDEXED + "\n \r\n\n").encode(),
        INDEXED.rstrip().encode(),
        INDEXED.replace(" ", "\t").encode(),
        INDEXED.replace("white ", "white \N{LINE SEPARATOR}").encode(),
        INDEXED.replace("white ", "white\f").encode(),
        INDEXED.replace("white ", "white\x85").encode(),
        "".join(f"{id_} {name}\n" for id_, name in IMAGENET).encode(),
    ],
)
def test_text_is_read_as_editors_save_it(tmp_path: Path, content: bytes) -> None:
    assert classes(written(tmp_path, content)) == IMAGENET


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_names_alone_are_their_identifiers(tmp_path: Path, end: str) -> None:
    content = "\ufefftench\ngreat white shark\ncock" + end
    assert classes(written(tmp_path, content)) == NAMES


def test_a_name_that_repeats_gets_its_index(tmp_path: Path) -> None:
    assert classes(written(tmp_path, "crane\n3 wheeler\ncrane\n")) == [
        ("crane_0", "crane"),
        ("3_wheeler", "3 wheeler"),
        ("crane_2", "crane"),
    ]


def test_numbers_may_be_names(tmp_path: Path) -> None:
    assert classes(written(tmp_path, "7\n8\n9\n")) == [("7", "7"), ("8", "8"), ("9", "9")]


PLAIN = [name for _, name in NAMES]
PAIRS = [list(pair) for pair in IMAGENET]
OBJECTS = [{"index": i, "id": id_, "name": name} for i, (id_, name) in enumerate(IMAGENET)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (PLAIN, NAMES),
        (PAIRS, IMAGENET),
        (OBJECTS, IMAGENET),
        ({"labels": OBJECTS, "name": "a manifest"}, IMAGENET),
        (
            {"classes": [{"label": 0, "synset": "n1", "name": "a b"}, "c", "d"]},
            [("n1", "a b"), ("c", "c"), ("d", "d")],
        ),
        ({str(index): pair for index, pair in enumerate(PAIRS)}, IMAGENET),
        # In the order of text, as a program that sorts its keys writes it.
        ({"1": PLAIN[1], "2": PLAIN[2], "0": PLAIN[0]}, NAMES),
        ({name: index for index, name in reversed(list(enumerate(PLAIN)))}, NAMES),
        ({"id2label": dict(enumerate(PLAIN)), "label2id": {}, "model_type": "x"}, NAMES),
    ],
)
@pytest.mark.parametrize("name", ["labels.json", "labels.txt"])
def test_json_is_read(
    tmp_path: Path, content: object, expected: list[tuple[str, str]], name: str
) -> None:
    path = tmp_path / name
    path.write_text("\ufeff" + json.dumps(content, indent=1))
    assert classes(path) == expected


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("tench\n", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("3", "holds no classes"),
        ("{}", "has 0 classes"),
        ('["a", "b"]', "has 2 classes, but the network has 3"),
        ('["a", "b", ""]', "class 2 of .* has no name"),
        ('["a", "b", null]', "class 2 of .* has no name"),
        ('["a", "b", ["c", 1]]', "class 2 of .* has no name"),
        ('["a", "b", "\\ud800"]', "class 2 of .* has control characters or halves"),
        ('["a", "b", "\\u0000"]', "class 2 of .* has control characters or halves"),
        ('[["a b", "c"], "d", "e"]', "class 0 of .* has spaces in its identifier"),
        ('[{"index": 1, "id": "a", "name": "b"}, "c", "d"]', "class 0 of .* has index 1"),
        ('{"1": "a", "2": "b", "3": "c"}', "does not number its classes from 0"),
        ('{"0": "a", "00": "b", "1": "c"}', "does not number its classes from 0"),
        ('{"a": 0, "b": 1, "c": 1}', "does not number its classes from 0"),
        ('{"a": true, "b": 0, "c": 1}', "does not number its classes from 0"),
    ],
)
def test_mistakes_in_json_are_named(tmp_path: Path, content: str, cause: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=cause) as caught:
        read_labels(path, 3)
    assert "\n" not in str(caught.value)


def test_lines_of_a_spreadsheet_are_not_taken_for_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"line 1 of .* is not `index"):
        read_labels(written(tmp_path, "0,n1,a\n1,n2,b\n2,n3,c\n"), 3)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.txt cannot be read"):
        read_labels(tmp_path / "absent.txt", 3)
