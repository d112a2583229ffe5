"""Processes that decode give what a thread would give, and outlive what ends one of them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from app.contract.decoding import LargeImage
from app.contract.errors import (
    ImageTooLarge,
    InferenceFailed,
    InvalidImage,
    UnsupportedImageFormat,
)
from app.contract.manifest import Preprocessing
from app.contract.preprocess import NetworkInput, network_input
from app.inference.decoded import decode_here
from app.inference.decoders import DecoderProcesses
from app.inference.hosting import Hosting
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import Tracing
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.images import encode, landscape, photo, truncated_jpeg
from tests.support.server import running

CONTRACT = Preprocessing(
    geometry="torchvision", resize_shorter_side=48, crop_height=32, crop_width=48
)
OTHER_CONTRACT = CONTRACT.model_copy(update={"crop_width": 32})
PIXELS = 1_000_000
BOUND_SECONDS = 30.0
PHOTO = encode(landscape((120, 90)), "JPEG")


def decode(
    decoders: DecoderProcesses,
    data: bytes,
    preprocessing: Preprocessing,
    *,
    max_pixels: int,
    max_bytes: int | None = None,
) -> NetworkInput:
    """What becomes of one file; its error is raised."""
    [decoded] = decoders.decode([data], preprocessing, max_pixels=max_pixels, max_bytes=max_bytes)
    if isinstance(decoded, NetworkInput):
        return decoded
    raise decoded


@pytest.fixture
def two() -> Iterator[DecoderProcesses]:
    decoders = DecoderProcesses(2)
    decoders.start()
    yield decoders
    decoders.stop()


@pytest.mark.parametrize("contract", [CONTRACT, OTHER_CONTRACT])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_they_see_what_a_thread_sees(
    two: DecoderProcesses, contract: Preprocessing, image_format: str
) -> None:
    data = encode(landscape((120, 90)), image_format)
    expected = network_input(data, contract, max_pixels=PIXELS)
    for _ in range(3):
        seen = decode(two, data, contract, max_pixels=PIXELS)
        np.testing.assert_array_equal(seen.pixels, expected.pixels)
        assert seen.crop == expected.crop


def test_many_threads_get_each_their_own(two: DecoderProcesses) -> None:
    photos = [encode(photo(colour, (120, 90))) for colour in COLOURS]
    expected = [network_input(data, CONTRACT, max_pixels=PIXELS).pixels for data in photos]
    with ThreadPoolExecutor(8) as threads:
        seen = list(
            threads.map(lambda data: decode(two, data, CONTRACT, max_pixels=PIXELS), photos * 5)
        )
    for index, found in enumerate(seen):
        np.testing.assert_array_equal(found.pixels, expected[index % len(photos)])


@pytest.mark.parametrize(
    ("data", "max_pixels", "max_bytes", "error"),
    [
        (b"", PIXELS, None, UnsupportedImageFormat),
        (b"plain text", PIXELS, None, UnsupportedImageFormat),
        (truncated_jpeg(), PIXELS, None, InvalidImage),
        (PHOTO, 100, None, ImageTooLarge),
        (PHOTO, PIXELS, 10, LargeImage),
    ],
)
def test_their_errors_are_a_threads(
    two: DecoderProcesses,
    data: bytes,
    max_pixels: int,
    max_bytes: int | None,
    error: type[Exception],
) -> None:
    with pytest.raises(error) as expected:
        network_input(data, CONTRACT, max_pixels=max_pixels, max_bytes=max_bytes)
    with pytest.raises(error) as raised:
        decode(two, data, CONTRACT, max_pixels=max_pixels, max_bytes=max_bytes)
    assert str(raised.value) == str(expected.value)
    assert decode(two, PHOTO, CONTRACT, max_pixels=PIXELS).pixels.shape == (32, 48, 3)


def test_files_decoded_together_each_get_what_is_theirs(two: DecoderProcesses) -> None:
    photos = [encode(photo(colour, (120, 90))) for colour in COLOURS[:3]]
    files = [photos[0], b"plain text", photos[1], truncated_jpeg(), photos[2]]
    seen = two.decode(files, CONTRACT, max_pixels=PIXELS)
    expected = decode_here(files, CONTRACT, max_pixels=PIXELS, max_bytes=None)
    assert [type(decoded) for decoded in seen] == [
        NetworkInput, UnsupportedImageFormat, NetworkInput, InvalidImage, NetworkInput,
    ]  # fmt: skip
    for found, wanted in zip(seen, expected, strict=True):
        if isinstance(found, NetworkInput):
            assert isinstance(wanted, NetworkInput)
            np.testing.assert_array_equal(found.pixels, wanted.pixels)
            assert found.crop == wanted.crop
        else:
            assert str(found) == str(wanted)


def test_one_that_ends_over_one_of_several_files_fails_only_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = tmp_path / "decoder"
    decoder.write_text(
        f"#!{sys.executable}\n"
        "import os, sys\n"
        "from app.inference import decoded, decoder_process\n"
        "decode = decoded.network_input\n"
        "def crash(data, *rest, **options):\n"
        "    return os._exit(1) if data == b'crash' else decode(data, *rest, **options)\n"
        "decoded.network_input = crash\n"
        "del sys.argv[:2]\n"  # -m and the module's name
        "sys.exit(decoder_process.main())\n"
    )
    decoder.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(decoder))
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    decoders = DecoderProcesses(2)
    decoders.start()
    try:
        seen = decoders.decode([PHOTO, b"crash", PHOTO], CONTRACT, max_pixels=PIXELS)
        assert [type(decoded) for decoded in seen] == [NetworkInput, InferenceFailed, NetworkInput]
        assert str(seen[1]) == "the process that decoded this image ended"
    finally:
        decoders.stop()


def test_one_that_ends_fails_its_image_and_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    decoders = DecoderProcesses(1)
    decoders.start()
    try:
        decode(decoders, PHOTO, CONTRACT, max_pixels=PIXELS)
        # It cannot read this contract, which nothing that is loaded can have.
        unreadable = CONTRACT.model_copy(update={"crop_height": -1})
        with pytest.raises(InferenceFailed, match="the process that decoded this image ended"):
            decode(decoders, PHOTO, unreadable, max_pixels=PIXELS)
        assert "another takes its place" in caplog.text
        assert decode(decoders, PHOTO, CONTRACT, max_pixels=PIXELS).pixels.shape == (32, 48, 3)
    finally:
        decoders.stop()
    wait_until(lambda: children(os.getpid()) == [])


def test_one_that_ended_while_it_was_idle_fails_nothing() -> None:
    decoders = DecoderProcesses(1)
    decoders.start()
    try:
        for _ in range(2):
            decode(decoders, PHOTO, CONTRACT, max_pixels=PIXELS)
            kill_children()
        assert decode(decoders, PHOTO, CONTRACT, max_pixels=PIXELS).pixels.shape == (32, 48, 3)
    finally:
        decoders.stop()


def test_where_none_can_be_started_the_thread_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    decoders = DecoderProcesses(1)
    decoders.start()
    try:
        decode(decoders, PHOTO, CONTRACT, max_pixels=PIXELS)
        kill_children()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", "/nowhere/python")
            seen = decode(decoders, PHOTO, CONTRACT, max_pixels=PIXELS)
            assert seen.pixels.shape == (32, 48, 3)
            wait_until(lambda: children(os.getpid()) == [])
        decode(decoders, PHOTO, CONTRACT, max_pixels=PIXELS)
        assert len(children(os.getpid())) == 1
    finally:
        decoders.stop()


def test_where_they_end_at_once_the_thread_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    decoders = DecoderProcesses(2)
    decoders.start()
    try:
        for _ in range(2):
            seen = decode(decoders, PHOTO, CONTRACT, max_pixels=PIXELS)
            assert seen.pixels.shape == (32, 48, 3)
    finally:
        decoders.stop()


def test_they_outlive_what_asks_the_service_to_stop(two: DecoderProcesses) -> None:
    decode(two, PHOTO, CONTRACT, max_pixels=PIXELS)
    pids = children(os.getpid())
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
    for _ in range(4):
        decode(two, PHOTO, CONTRACT, max_pixels=PIXELS)
    assert children(os.getpid()) == pids


def test_after_the_stop_nothing_is_decoded_and_nobody_waits() -> None:
    decoders = DecoderProcesses(2)
    decoders.start()
    decoders.stop()
    for _ in range(3):
        with pytest.raises(InferenceFailed, match="the service stops"):
            decode(decoders, PHOTO, CONTRACT, max_pixels=PIXELS)
    wait_until(lambda: children(os.getpid()) == [])


def test_they_end_with_a_service_that_is_killed() -> None:
    script = (
        "import sys\n"
        "from app.inference.decoders import DecoderProcesses\n"
        "DecoderProcesses(3).start()\n"
        "print('started', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        wait_until(lambda: len(children(process.pid)) == 3)
        pids = children(process.pid)
        process.kill()
    wait_until(lambda: not any(is_decoder(pid) for pid in pids))


def test_a_service_decodes_by_them(make_settings: Callable[..., Settings]) -> None:
    for colour in (2, 7):
        data = encode(photo(COLOURS[colour], (120, 90)))
        answers = []
        for way in ("threads", "processes"):
            settings = make_settings(decode_by=way, decode_threads=2)
            with running(settings, FakeEngines()) as live, live.client() as client:
                headers = {"content-type": "image/png"}
                answers.append(client.post("/classify", content=data, headers=headers).json())
                refused = client.post("/classify", content=b"text", headers=headers)
                assert refused.status_code == 415
        first, second = ([r["predictions"] for r in answer["results"]] for answer in answers)
        assert first == second
    wait_until(lambda: children(os.getpid()) == [])


@pytest.mark.parametrize(
    ("threads", "limit_mib", "way", "count"),
    [
        (4, None, "auto", 0),
        (5, None, "auto", 5),
        (5, 1024, "auto", 0),
        (5, 2048, "auto", 5),
        (5, None, "threads", 0),
        (2, 512, "processes", 2),
    ],
)
async def test_they_are_taken_where_they_pay_and_memory_is_plenty(
    metrics: Metrics, threads: int, limit_mib: int | None, way: str, count: int
) -> None:
    hosting = Hosting(
        Settings(decode_threads=threads, decode_by=way),
        metrics,
        Tracing(),
        lambda error: None,
        limit_bytes=limit_mib and limit_mib * 2**20,
    )
    hosting.start()
    try:
        wait_until(lambda: len(children(os.getpid())) == count)
    finally:
        await hosting.stop()
    wait_until(lambda: children(os.getpid()) == [])


def children(pid: int) -> list[int]:
    """The processes that decode for a process, those that they were forked from included."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread or process that ends meanwhile
            for child in map(int, file.read_text().split()):
                found += [child, *children(child)] if is_decoder(child) else []
    return found


def kill_children() -> None:
    """Ends the processes that decode; returns once their sockets are closed."""
    pids = children(os.getpid())
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: all(has_ended(pid) for pid in pids))


def has_ended(pid: int) -> bool:
    """A zombie has closed its files; one whose memory is gone already may not have yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def is_decoder(pid: int) -> bool:
    try:
        return b"decoder_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def wait_until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + BOUND_SECONDS
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.01)
