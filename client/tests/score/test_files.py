"""Formats and journal: what lies on the disk."""

from pathlib import Path

import pytest

from senet_client.score.failures import WrongOption
from senet_client.score.formats import FORMATS
from senet_client.score.journal import Commit, Journal
from senet_client.score.lock import OutputLock
from senet_client.score.rows import Row, Shape, columns

COLUMNS = columns(Shape(1))
ROWS: list[Row] = [
    (0, 'a,"b"\nc\\xff ☺.jpg', None, None, 1, 12.5, "m", "1", "d", 3, "n3", "chain saw", 0.25),
    (1, "b.jpg", "invalid_image", "truncated", 2, 0.1, "m", "1", "d", None, None, None, None),
]


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    form = FORMATS[name]()

    form.write(tmp_path / "part", COLUMNS, ROWS)

    assert form.read(tmp_path / "part", COLUMNS) == ROWS


@pytest.mark.parametrize("name", FORMATS)
def test_parts_are_merged_in_order(tmp_path: Path, name: str) -> None:
    form = FORMATS[name]()
    parts = [tmp_path / f"part-{number}" for number in range(3)]
    for number, part in enumerate(parts):
        form.write(part, COLUMNS, [(number, *ROWS[1][1:])])

    form.merge(parts, tmp_path / "whole")

    assert [row[0] for row in form.read(tmp_path / "whole", COLUMNS)] == [0, 1, 2]


def test_the_journal_remembers(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "journal", {"top_k": 5})
    journal.append(Commit(0, 10, 2))
    journal.append(Commit(1, 10, 0))
    journal.append(Commit(0, 10, 1))
    journal.close()

    again = Journal.open(tmp_path / "journal")
    again.close()

    assert again.header == {"top_k": 5}
    assert again.commits == {0: Commit(0, 10, 1), 1: Commit(1, 10, 0)}


def test_half_a_line_did_not_happen(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal.create(path, {})
    journal.append(Commit(0, 10, 0))
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"part": 1, "ro')

    again = Journal.open(path)
    again.append(Commit(2, 10, 0))
    again.close()

    assert path.read_bytes().startswith(whole + b'{"part": 2')


def test_an_output_is_one_runs_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "out.parts"
    with OutputLock(folder):
        with pytest.raises(WrongOption, match="another run is writing it"), OutputLock(folder):
            pass
        assert [path.name for path in folder.iterdir()] == ["_lock"]

    assert not folder.exists()


def test_a_lock_leaves_the_folder_that_was_there(tmp_path: Path) -> None:
    with OutputLock(tmp_path):
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_was_let_go_of_while_it_was_waited_for_is_no_lock(tmp_path: Path) -> None:
    first = OutputLock(tmp_path).__enter__()
    # What a run sees that opened the file just before the other let go of it and a third began.
    (tmp_path / "_lock").rename(tmp_path / "old")
    with OutputLock(tmp_path):
        (tmp_path / "old").unlink()
        with pytest.raises(WrongOption), OutputLock(tmp_path):
            pass
        (tmp_path / "_lock").touch()
    first.__exit__()


@pytest.mark.parametrize("text", [b"", b"no json\n", b'{}\n{"rows": 1}\n'])
def test_what_is_no_journal_is_told(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "journal").write_bytes(text)

    with pytest.raises(WrongOption, match="is not a journal"):
        Journal.open(tmp_path / "journal")
