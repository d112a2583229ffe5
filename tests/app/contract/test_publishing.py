import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from app.contract.errors import ConfigurationError
from app.contract.publishing import staged


def test_the_version_appears_whole_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "models" / "name" / "1"
    with staged(target, force=False) as stage:
        (stage / "a").write_text("x")
        assert not target.exists()
    assert (target / "a").read_text() == "x"
    assert list(target.parent.iterdir()) == [target]
    assert target.stat().st_mode & 0o777 == 0o755


def _fail(target: Path, *, force: bool) -> None:
    with staged(target, force=force) as stage:
        (stage / "new").write_text("x")
        raise RuntimeError


def test_nothing_is_left_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        _fail(tmp_path / "1", force=False)
    assert not list(tmp_path.iterdir())


def test_the_old_version_stands_when_its_replacement_fails(tmp_path: Path) -> None:
    target = tmp_path / "1"
    target.mkdir()
    (target / "old").write_text("x")
    with pytest.raises(RuntimeError):
        _fail(target, force=True)
    assert [path.name for path in target.iterdir()] == ["old"]


def test_the_old_version_is_gone_when_it_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "1"
    target.mkdir()
    (target / "old").write_text("x")
    with staged(target, force=True) as stage:
        (stage / "new").write_text("x")
    assert [path.name for path in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_said_in_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match="no space left to write"),
        staged(tmp_path / "1", force=False),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("earlier", [(), ("1",)])
def test_a_model_whose_only_version_fails_leaves_no_folder(
    tmp_path: Path, earlier: tuple[str, ...]
) -> None:
    model = tmp_path / "flowers"
    for version in earlier:
        (model / version).mkdir(parents=True)
    with pytest.raises(RuntimeError, match="fails"), staged(model / "2", force=False):
        raise RuntimeError("fails")
    assert [path.name for path in tmp_path.rglob("*")] == (["flowers", "1"] if earlier else [])


def test_a_limit_on_file_size_leaves_nothing_half_written(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from app.contract.publishing import staged\n"
        "with staged(pathlib.Path(sys.argv[1]), force=False) as stage:\n"
        "    (stage / 'model.fp32.onnx').write_bytes(bytes(1_000_000))\n"
    )
    limit = (100_000, 100_000)
    finished = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "1")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no space left to write" in finished.stderr
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(ConfigurationError, match=r"--repository: .*file/1 cannot be written"),
        staged(tmp_path / "file" / "1", force=False),
    ):
        pass
