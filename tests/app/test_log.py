"""One JSON object a line, with the request's id."""

import json
import logging
from collections.abc import Iterator

import pytest

from app.log import configure_logging, request_id


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    # configure_logging closes and removes what it finds: keep pytest's own handlers out of it.
    root.handlers[:] = []
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_lines_carry_level_logger_time_and_extra_fields(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("json", "info")
    token = request_id.set("abc")
    logging.getLogger("app.test").info("first\nsecond", extra={"status": 200})
    request_id.reset(token)
    logging.getLogger("app.test").debug("too quiet")
    [line] = capsys.readouterr().out.splitlines()
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
    configure_logging("json", "info")
    try:
        raise ZeroDivisionError("why")
    except ZeroDivisionError:
        logging.getLogger("app.test").exception("it failed")
    [line] = capsys.readouterr().out.splitlines()
    entry = json.loads(line)
    assert "ZeroDivisionError: why" in entry["exc_info"]
    assert entry["request_id"] is None


def test_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text", "warning")
    logging.getLogger("app.test").warning("look")
    assert capsys.readouterr().out.endswith("WARNING app.test: look\n")
