"""A library is gone for everybody, and comes back whatever happens."""

from pathlib import Path

import pytest

from tools.gpu.hidden import copies, hidden


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Three copies of a library, one of them a link to a file with its full version."""
    for folder in ("toolkit", "package/lib", "system"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "libcudnn.so.9").write_text(folder)
    (tmp_path / "system/libcudnn.so.9").rename(tmp_path / "system/libcudnn.so.9.19.0")
    (tmp_path / "system/libcudnn.so.9").symlink_to("libcudnn.so.9.19.0")
    (tmp_path / "system/libcudnn_graph.so.9").write_text("another library")
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*.so*"))


def test_every_copy_is_away_and_comes_back(machine: Path) -> None:
    before = names(machine)
    with hidden("libcudnn.so", machine) as (away, kept):
        assert [str(file.relative_to(machine)) for file in away] == [
            "package/lib/libcudnn.so.9",
            "system/libcudnn.so.9",
            "system/libcudnn.so.9.19.0",
            "toolkit/libcudnn.so.9",
        ]
        assert not kept
        assert not copies("libcudnn.so", machine)
        assert copies("libcudnn_graph.so", machine)
    assert names(machine) == before
    assert (machine / "system/libcudnn.so.9").read_text() == "system"


def test_they_come_back_after_a_failure(machine: Path) -> None:
    before = names(machine)
    with pytest.raises(KeyboardInterrupt), hidden("libcudnn.so", machine):
        raise KeyboardInterrupt
    assert names(machine) == before
