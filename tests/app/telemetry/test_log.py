"""One JSON object a line, with the request's id."""

import json
import logging
from collections.abc import Iterator

import pytest

from app.telemetry.log import configure_logging, request_id
from app.telemetry.log_thread import LogThread


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    # configure_logging closes and removes what it finds: keep pytest's own handlers out of it.
    root.handlers[:] = []
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def written(log: LogThread, capsys: pytest.CaptureFixture[str]) -> str:
    """What has been written to standard output."""
    log.close()
    return capsys.readouterr().out


def test_json_lines_carry_level_logger_time_and_extra_fields(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = configure_logging("json", "info")
    token = request_id.set("abc")
    logging.getLogger("app.test").info("first\nsecond", extra={"status": 200})
    request_id.reset(token)
    logging.getLogger("app.test").debug("too quiet")
    [line] = written(log, capsys).splitlines()
    entry = json.loads(line)
    assert entry.pop("time")
    assert entry == {
        "level": "INFO",
        "logger": "app.test",
        "message": "first\nsecond",
        "request_id": "abc",
        "status": 200,
    }


def test_tracebacks_stay_within_their_line(capsys: pytest.CaptureFixture[str]) -> None:
    log = configure_logging("json", "info")
    try:
        raise ZeroDivisionError("why")
    except ZeroDivisionError:
        logging.getLogger("app.test").exception("it failed")
    [line] = written(log, capsys).splitlines()
    entry = json.loads(line)
    assert "ZeroDivisionError: why" in entry["exc_info"]
    assert entry["request_id"] is None


def test_text_shows_all_that_json_shows(capsys: pytest.CaptureFixture[str]) -> None:
    fields = {"route": "/classify", "status": 200, "outcome": "ok", "duration_ms": 1.5}
    token = request_id.set("abc")
    for log_format in ("json", "text"):
        log = configure_logging(log_format, "info")
        logging.getLogger("app.test").info("request", extra=fields)
        log.flush()
    request_id.reset(token)
    as_json, as_text = written(log, capsys).splitlines()
    entry = json.loads(as_json)
    assert entry.pop("time")[:17] == as_text[:17]
    head = " ".join(f"{entry.pop(name):{width}}" for name, width in (("level", 7), ("logger", 0)))
    assert f"{head}: {entry.pop('message')} " in as_text
    assert [f"{name}={value}" for name, value in entry.items()] == as_text.split()[-len(entry) :]


def test_text_of_others_stays_within_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    log = configure_logging("text", "info")
    hostile = 'x\n2026-01-01 "INFO" forged=yes\x1b[2J\ud800'
    logging.getLogger("app.test").info("name: %s", hostile, extra={"name_": hostile, "empty": ""})
    [line] = written(log, capsys).splitlines()
    assert line.isprintable()
    assert line.endswith(' empty=""')
    assert json.loads(line.partition("name_=")[2].removesuffix(' empty=""')) == hostile


def test_text_shows_tracebacks_as_python_does(capsys: pytest.CaptureFixture[str]) -> None:
    log = configure_logging("text", "info")
    try:
        raise ZeroDivisionError("why")
    except ZeroDivisionError:
        logging.getLogger("app.test").exception("it failed")
    first, *others = written(log, capsys).splitlines()
    assert first.endswith("ERROR   app.test: it failed")
    assert others[0] == "Traceback (most recent call last):"
    assert others[-1] == "ZeroDivisionError: why"


def test_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    log = configure_logging("text", "warning")
    logging.getLogger("app.test").warning("look")
    assert written(log, capsys).endswith("WARNING app.test: look\n")
