"""Whoever logs waits for nobody."""

import logging
from collections.abc import Iterator

import pytest

from app.telemetry.log_thread import LogThread
from tests.support.engines import Gate


class Held(logging.Handler):
    """Writes to a list, once its gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.gate.pass_through()
        self.lines.append(record.getMessage())


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def log(held: Held) -> Iterator[logging.Logger]:
    handler = LogThread(held, capacity=3)
    logger = logging.Logger("of the test")
    logger.addHandler(handler)
    yield logger
    held.gate.open()
    handler.close()


def test_lines_come_in_order(log: logging.Logger, held: Held) -> None:
    for number in range(3):
        log.warning("line %d", number)
    log.handlers[0].flush()
    assert held.lines == ["line 0", "line 1", "line 2"]


def test_a_reader_that_stops_reading_stops_nobody(log: logging.Logger, held: Held) -> None:
    held.gate.close()
    log.warning("first")
    held.gate.wait_until_held()
    for number in range(5):
        log.warning("line %d", number)
    held.gate.open()
    log.handlers[0].flush()
    log.warning("last")
    log.handlers[0].flush()
    assert held.lines[:4] == ["first", "line 0", "line 1", "line 2"]
    assert held.lines[4].startswith("2 log lines were dropped")
    assert held.lines[5:] == ["last"]


def test_what_waits_is_written_before_the_end(log: logging.Logger, held: Held) -> None:
    held.gate.close()
    log.warning("first")
    log.warning("last")
    held.gate.open()
    log.handlers[0].close()
    log.warning("too late")
    assert held.lines == ["first", "last"]
