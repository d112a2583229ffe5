"""Versions come and go under load: nobody is refused, and nothing is left behind."""

import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.keys import add_key
from tests.support.colours import COLOURS
from tests.support.images import encode, photo
from tests.support.metrics import samples
from tests.support.operator import Operator
from tests.support.process import ROOT, ServiceProcess
from tests.support.waiting import eventually

PICTURE = encode(photo(COLOURS[3]))
MODEL = "imagenette"
_ANSWERS_OF_EACH_BEFORE = 50


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two good versions of the default model, and one whose file is not what its manifest says."""
    root = tmp_path / "models"
    for version in (1, 2, 3):
        folder = root / MODEL / str(version)
        shutil.copytree(ROOT / "models" / MODEL / "1", folder)
        manifest = json.loads((folder / "manifest.json").read_text()) | {"version": version}
        (folder / "manifest.json").write_text(json.dumps(manifest))
    for file in (root / MODEL / "3").glob("*.onnx"):
        file.write_bytes(file.read_bytes()[:-1])
    return root


@pytest.fixture
def service(root: Path, tmp_path: Path) -> Iterator[tuple[ServiceProcess, str]]:
    """A service of the first version, and the key of who may change it."""
    key = add_key(tmp_path / "keys.json", "operator", ["admin", "classify"])
    service = ServiceProcess(
        tmp_path,
        *("--model-repository", root, "--model", f"{MODEL}:1"),
        *("--api-keys-file", tmp_path / "keys.json", "--access-log-share", "0"),
        *("--request-timeout-ms", "60000"),
    )
    try:
        service.wait_until_ready()
        yield service, key
    finally:
        service.kill()


class Load:
    """Clients that classify one photo after another, and count by whom they are answered."""

    def __init__(self, service: ServiceProcess, key: str, clients: int) -> None:
        self.answers: Counter[str] = Counter()
        self._service, self._key = service, key
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with self._service.client() as client:
            client.timeout = 120
            operator = Operator(client, self._key)
            while not self._over.is_set():
                response = operator.classify(PICTURE)
                told = response.json().get("model", {}).get("version", "none")
                self.answers[f"{response.status_code} {told}"] += 1


def swap(operator: Operator, old: int, new: int) -> None:
    operator.done(operator.load(MODEL, new))
    operator.done(operator.label(MODEL, "stable", new))
    operator.done(operator.unload(MODEL, old))


def swaps(service: ServiceProcess, key: str, count: int, clients: int, seconds: float) -> None:
    """Swaps two versions so many times, evenly over so many seconds, and a failing one once."""
    with service.client() as client:
        client.timeout = 120
        operator = Operator(client, key)
        with Load(service, key, clients) as load:
            # All batches have been met by then, and memory is what this load takes.
            eventually(lambda: load.answers.total() >= _ANSWERS_OF_EACH_BEFORE * clients)
            before = service.resident_bytes()
            began = time.monotonic()
            for number in range(count):
                old, new = (1, 2) if number % 2 == 0 else (2, 1)
                swap(operator, old, new)
                if number == count // 2:
                    assert operator.finished(operator.load(MODEL, 3))["state"] == "failed"
                left = began + seconds * (number + 1) / count - time.monotonic()
                threading.Event().wait(max(0.0, left))
            after = service.resident_bytes()
        assert set(load.answers) <= {"200 1", "200 2"}, load.answers
        assert after <= 1.1 * before, (before, after)


def test_nobody_notices_swaps(service: tuple[ServiceProcess, str]) -> None:
    swaps(*service, count=3, clients=4, seconds=0)


@pytest.mark.slow
def test_nobody_notices_ten_swaps_in_a_minute(service: tuple[ServiceProcess, str]) -> None:
    swaps(*service, count=10, clients=32, seconds=60)


@pytest.mark.slow
def test_fifty_loads_and_unloads_leave_nothing_behind(service: tuple[ServiceProcess, str]) -> None:
    process, key = service
    with process.client() as client:
        client.timeout = 120
        operator = Operator(client, key)

        def cycles(count: int) -> tuple[int, int, int]:
            for _ in range(count):
                operator.done(operator.load(MODEL, 2))
                operator.answered_by(PICTURE, version="2")
                operator.done(operator.unload(MODEL, 2))
            series = [labels for name, labels in samples(client) if name.startswith("senet_")]
            return process.resident_bytes(), process.threads(), len(series)

        cycles(1)  # reading the metrics has series of its own, from the second time on
        memory, threads, series = cycles(5)
        after = cycles(50)
        assert after[0] <= 1.1 * memory, (memory, after[0])
        assert after[1:] == (threads, series)
