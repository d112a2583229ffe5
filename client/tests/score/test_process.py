"""The command as a process: killed, interrupted, out of disk space."""

import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from senet_client.score.ending import Exit
from tests.fake_service import FakeService
from tests.score.conftest import check, read_rows

Command = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(photos: Path, tmp_path: Path, url: str) -> Command:
    def command(*more: str, output: str = "out.parquet", **options: Any) -> "subprocess.Popen[str]":
        words = [
            *(sys.executable, "-m", "senet_client", "score", str(photos)),
            *("--output", str(tmp_path / output), "--url", url),
            *("--rows-per-part", "4", "--images-per-request", "2", *more),
        ]
        return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, **options)  # noqa: S603 - ours

    return command


def run(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """The exit code and what was said."""
    _, said = process.communicate(timeout=120)
    return process.returncode, said


def signal_after(
    service: FakeService, images: int, process: "list[subprocess.Popen[str]]", number: int
) -> None:
    """Sends a signal to the process while the service holds the image of that number."""
    seen = 0

    def count(batch: list[bytes]) -> None:
        nonlocal seen
        seen += len(batch)
        if seen >= images and process:
            process.pop().send_signal(number)

    service.on_classify = count


def test_killed_again_and_again_and_resumed(
    start: Command, service: FakeService, photos: Path, tmp_path: Path
) -> None:
    for images in (1, 9, 17, 11, 5):
        process = start("--resume", "--quiet")
        signal_after(service, images, [process], signal.SIGKILL)
        code, _ = run(process)
        assert code in (-signal.SIGKILL, 0)

    assert run(start("--resume", "--quiet"))[0] == Exit.COMPLETE
    check(read_rows(tmp_path / "out.parquet"), photos)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_how_to_go_on(
    start: Command, service: FakeService, photos: Path, tmp_path: Path, number: int
) -> None:
    process = start("--overwrite", "--quiet")
    signal_after(service, 20, [process], number)

    code, said = run(process)

    assert code == Exit.INTERRUPTED
    interrupted, resume = said.splitlines()
    assert interrupted == "interrupted"
    words = shlex.split(resume.removeprefix("go on with: senet-client"))
    assert "--overwrite" not in words
    assert words[-1] == "--resume"
    again = subprocess.run(  # noqa: S603 - the command it printed
        [sys.executable, "-m", "senet_client", *words], check=False
    )
    assert again.returncode == Exit.COMPLETE
    check(read_rows(tmp_path / "out.parquet"), photos)


def test_a_full_disk_stops_cleanly(start: Command, photos: Path, tmp_path: Path) -> None:
    def small_files() -> None:
        # A file beyond this size cannot be written: EFBIG, for want of a disk that fills.
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))

    process = start("--rows-per-part", "16", "--quiet", output="out.jsonl", preexec_fn=small_files)

    code, said = run(process)

    assert code == Exit.FAILED
    assert re.match(r"stopped: the output cannot be written: File too large\ngo on with: ", said)
    left = {path.name for path in (tmp_path / "out.jsonl.parts").iterdir()}
    assert left == {"_inputs.jsonl", "_journal.jsonl"}
    again = start("--rows-per-part", "16", "--quiet", "--resume", output="out.jsonl")
    assert run(again)[0] == Exit.COMPLETE
    check(read_rows(tmp_path / "out.jsonl"), photos)


def test_logs_get_json_progress(start: Command) -> None:
    code, said = run(start())

    *lines, last = said.splitlines()
    assert code == Exit.COMPLETE
    assert last.startswith("50 rows in")
    told = json.loads(lines[-1])
    assert (told["done"], told["total"], told["errors"]) == (50, 50, 0)
    assert told["images_per_second"] > 0


def test_a_terminal_gets_a_bar(start: Command) -> None:
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": "100"}

    code, said = run(start("--progress", "bar", env=environment))

    assert code == Exit.COMPLETE
    assert "50/50" in said


def test_odd_names_go_through(start: Command, photos: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(b"999 odd\xff\nname.jpg")
    Path(photos, odd).write_bytes(b"odd")

    assert run(start("--quiet", output="out.csv"))[0] == Exit.COMPLETE

    rows = read_rows(tmp_path / "out.csv")
    assert rows[-1]["path"] == f"{photos}/999 odd\\xff\nname.jpg"
    assert len(rows) == 51


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--concurrency", "many"], "for --concurrency: 'many' is neither auto nor a number"),
        (["--overwrite", "--resume"], "--overwrite excludes --resume"),
        (["--top-k", "0"], "--top-k"),
        (["--url", "ftp://host"], "'ftp://host' is not http(s)://"),
        (["--api-key", "two words"], "'--api-key'"),
        (["--give-up-after", "inf"], "--give-up-after"),
    ],
)
def test_wrong_words_are_told(start: Command, words: list[str], message: str) -> None:
    code, said = run(start(*words, env={**os.environ, "COLUMNS": "200"}))

    assert code == Exit.WRONG_OPTION
    assert message in said
    assert "two words" not in said
    assert "Traceback" not in said


def test_a_read_that_hangs_does_not_keep_a_run_from_ending(start: Command, tmp_path: Path) -> None:
    asked = threading.Event()
    released = threading.Event()

    class Hangs(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            released.wait(60)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            del format, args

    (tmp_path / "hangs.py").write_text(_HANGING_STORAGE)
    (tmp_path / "hangs-1.dist-info").mkdir()
    (tmp_path / "hangs-1.dist-info" / "METADATA").write_text("Name: hangs\nVersion: 1\n")
    (tmp_path / "hangs-1.dist-info" / "entry_points.txt").write_text(
        "[fsspec.specs]\nhangs = hangs:Hangs\n"
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), Hangs) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            process = start(
                *(f"hangs://127.0.0.1:{server.server_address[1]}/a.jpg", "--quiet"),
                env={**os.environ, "PYTHONPATH": str(tmp_path)},
            )
            assert asked.wait(60)
            process.send_signal(signal.SIGTERM)
            code, said = run(process)
        finally:
            released.set()
            server.shutdown()
            thread.join()

    assert code == Exit.INTERRUPTED
    assert "go on with: " in said


# Found by fsspec by its entry point in a folder on the path, as storages of other packages are.
_HANGING_STORAGE = """
import urllib.request
from fsspec import AbstractFileSystem

class Hangs(AbstractFileSystem):
    protocol = "hangs"

    def info(self, path, **_):
        return {"name": path, "size": None, "type": "file"}

    def cat_file(self, path, start=None, end=None, **_):
        return urllib.request.urlopen("http://" + path).read()
"""
