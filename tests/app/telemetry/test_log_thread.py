"""Whoever logs waits for nobody."""

import io
import logging
from collections.abc import Iterator

import pytest

from app.telemetry.log_thread import LogThread
from tests.support.engines import Gate


class Pipe(io.StringIO):
    """Takes lines while its gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()

    def write(self, text: str) -> int:
        self.gate.pass_through()
        return super().write(text)

    @property
    def lines(self) -> list[str]:
        return self.getvalue().splitlines()


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


@pytest.fixture
def handler(pipe: Pipe) -> Iterator[LogThread]:
    handler = LogThread(pipe, capacity=3)
    yield handler
    pipe.gate.open()
    handler.close()


@pytest.fixture
def log(handler: LogThread) -> logging.Logger:
    logger = logging.Logger("of the test")
    logger.addHandler(handler)
    return logger


def test_lines_come_in_order(log: logging.Logger, handler: LogThread, pipe: Pipe) -> None:
    for number in range(3):
        log.warning("line %d", number)
    handler.flush()
    assert pipe.lines == ["line 0", "line 1", "line 2"]


def test_a_reader_that_stops_reading_stops_nobody(
    log: logging.Logger, handler: LogThread, pipe: Pipe
) -> None:
    pipe.gate.close()
    log.warning("first")
    pipe.gate.wait_until_held()
    for number in range(5):
        log.warning("line %d", number)
    pipe.gate.open()
    handler.flush()
    log.warning("last")
    handler.flush()
    assert pipe.lines[:4] == ["first", "line 0", "line 1", "line 2"]
    assert pipe.lines[4].endswith("not read: 2")
    assert pipe.lines[5:] == ["last"]


def test_what_waits_is_written_before_the_end(
    log: logging.Logger, handler: LogThread, pipe: Pipe
) -> None:
    pipe.gate.close()
    log.warning("first")
    log.warning("last")
    pipe.gate.open()
    handler.close()
    log.warning("too late")
    assert pipe.lines == ["first", "last"]


def test_a_line_that_cannot_be_formatted_ends_nothing(
    log: logging.Logger, handler: LogThread, pipe: Pipe, capsys: pytest.CaptureFixture[str]
) -> None:
    log.warning("%d", "no number")
    log.warning("good")
    handler.flush()
    assert pipe.lines == ["good"]
    assert "Logging error" in capsys.readouterr().err


def test_a_reader_that_is_gone_ends_nothing(
    log: logging.Logger, handler: LogThread, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(_: str) -> int:
        raise BrokenPipeError

    with monkeypatch.context() as patch:
        patch.setattr(pipe, "write", break_off)
        log.warning("lost")
        handler.flush()
    log.warning("back")
    handler.flush()
    assert pipe.lines[0] == "back"
    assert pipe.lines[1].endswith("not read: 1")
