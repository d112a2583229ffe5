"""Several replicas on one host serve from one volume of models, and share what they measured."""

import hashlib
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.hardware import available_cores
from tests.support.colours import COLOURS
from tests.support.http import post_image, top_classes
from tests.support.images import encode, photo
from tests.support.process import ServiceProcess
from tests.support.repository import write_model

PICTURES = [encode(photo(colour)) for colour in COLOURS]
Start = Callable[..., ServiceProcess]
CHOOSER = "app.selection.loading"
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


@pytest.fixture
def start(volume: Path, tmp_path: Path) -> Iterator[Start]:
    started: list[ServiceProcess] = []

    def start(name: str, *arguments: str | Path) -> ServiceProcess:
        folder = tmp_path / name
        folder.mkdir()
        options = ("--model-repository", volume, "--model", "colours", *arguments)
        started.append(ServiceProcess(folder, *options))
        return started[-1]

    yield start
    for replica in started:
        replica.kill()


def stop(replica: ServiceProcess) -> None:
    replica.send_signal(signal.SIGTERM)
    assert replica.wait() == 0
    assert replica.errors == ""


def test_two_replicas_share_a_read_only_volume(start: Start, volume: Path) -> None:
    before = contents(volume)
    one, two = start("one"), start("two")
    for replica in (one, two):
        replica.wait_until_ready()
    with one.client() as first, two.client() as second:
        for picture in PICTURES:
            answers = [post_image(client, picture) for client in (first, second)]
            assert [answer.status_code for answer in answers] == [200, 200]
            assert answers[0].json() == answers[1].json()
        stop(one)
        assert post_image(second, PICTURES[0]).status_code == 200
    stop(two)
    assert contents(volume) == before


@pytest.mark.skipif(available_cores() < 2, reason="a lone core leaves nothing to be measured")
def test_replicas_that_start_at_once_share_one_cache(start: Start, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    both = [start(name, "--cache-directory", cache) for name in ("one", "two")]
    for replica in both:
        replica.wait_until_ready()
        with replica.client() as client:
            for index, picture in enumerate(PICTURES):
                assert top_classes(post_image(client, picture)) == [index]
        stop(replica)
    # One whole file, whichever of them wrote it last: the next start believes it.
    [stored] = cache.iterdir()
    before = stored.read_bytes()
    third = start("three", "--cache-directory", cache)
    third.wait_until_ready()
    stop(third)
    choices = [str(entry["message"]) for entry in third.log if entry["logger"] == CHOOSER]
    assert [choice for choice in choices if ", by cache (" in choice]
    assert stored.read_bytes() == before
