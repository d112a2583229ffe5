"""Several replicas on one host serve from one volume of models, and leave it as it was."""

import hashlib
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.colours import COLOURS
from tests.support.http import post_image
from tests.support.images import encode, photo
from tests.support.process import ServiceProcess
from tests.support.repository import write_model

PICTURES = [encode(photo(colour)) for colour in COLOURS]
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def contents(volume: Path) -> dict[Path, tuple[int, str]]:
    """Every file and folder: when it was changed, and what it holds."""
    return {
        path: (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in [volume, *volume.rglob("*")]
    }


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A volume of models that nobody may write to."""
    volume = tmp_path / "models"
    write_model(volume)
    modes = {path: path.stat().st_mode for path in [volume, *volume.rglob("*")]}
    for path, mode in modes.items():
        path.chmod(mode & ~_WRITABLE)
    yield volume
    for path, mode in modes.items():
        path.chmod(mode)


def test_two_replicas_share_a_read_only_volume(volume: Path, tmp_path: Path) -> None:
    before = contents(volume)
    replicas = []
    try:
        for name in ("one", "two"):
            folder = tmp_path / name
            folder.mkdir()
            options = ("--model-repository", volume, "--model", "colours")
            replicas.append(ServiceProcess(folder, *options))
        for replica in replicas:
            replica.wait_until_ready()
        one, two = replicas
        with one.client() as first, two.client() as second:
            for picture in PICTURES:
                answers = [post_image(client, picture) for client in (first, second)]
                assert [answer.status_code for answer in answers] == [200, 200]
                assert answers[0].json() == answers[1].json()
            one.send_signal(signal.SIGTERM)
            assert one.wait() == 0
            assert post_image(second, PICTURES[0]).status_code == 200
        two.send_signal(signal.SIGTERM)
        assert two.wait() == 0
        assert one.errors == two.errors == ""
    finally:
        for replica in replicas:
            replica.kill()
    assert contents(volume) == before
