"""Logging: one line an event, as JSON or as text, each with the request's id where there is one."""

import json
import logging
import re
import sys
import warnings
from contextvars import ContextVar
from typing import Any, Literal

from pythonjsonlogger.core import BaseJsonFormatter, LogData
from pythonjsonlogger.orjson import OrjsonFormatter

from app.telemetry.log_thread import LogThread

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)
request_fields: ContextVar[dict[str, Any] | None] = ContextVar("request_fields", default=None)


def annotate(**fields: object) -> None:
    """Adds fields to the line that the current request will leave in the log."""
    if (own := request_fields.get()) is not None:
        own.update(fields)


class _RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        if (trace := trace_id.get()) is not None:
            record.trace_id = trace
        return True


class _TextFormatter(BaseJsonFormatter):
    """The fields of the JSON line for a person's eye: what is known, as `name=value`."""

    def jsonify_log_record(self, log_data: LogData) -> str:
        """Makes the line."""
        time, level, logger, message = map(log_data.pop, ("time", "level", "logger", "message"))
        traceback = log_data.pop("exc_info", None)
        fields = [
            f" {name}={_word(value)}" for name, value in log_data.items() if value is not None
        ]
        line = f"{time.isoformat(timespec='milliseconds')} {level:7} {logger}: {_one_line(message)}"
        return line + "".join(fields) + (f"\n{traceback}" if traceback else "")


def _word(value: object) -> str:
    """A value as it is, or quoted as JSON does if it would not stand as one word."""
    text = str(value)
    return text if re.fullmatch(r"[^\s\"=]+", text) and text.isprintable() else json.dumps(text)


def _one_line(text: str) -> str:
    """Text whose line breaks and control characters are escaped: nobody writes lines of ours."""
    return text if text.isprintable() else json.dumps(text)[1:-1]


def configure_logging(log_format: Literal["json", "text"], level: str) -> LogThread:
    """Sends all logging of the process to standard output in the given format.

    Args:
        log_format: "json" for machines, "text" for a person's terminal.
        level: name of the lowest level that is written.

    Returns:
        The handler, whose thread writes the lines. Python closes it as the process ends.
    """
    handler = LogThread(sys.stdout)
    handler.addFilter(_RequestIdFilter())  # in the thread that logs, which knows the request
    formatter = OrjsonFormatter if log_format == "json" else _TextFormatter
    handler.setFormatter(
        formatter(
            ["levelname", "name", "message", "request_id"],
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
        )
    )
    logging.captureWarnings(True)
    # One hostile image can make Pillow warn 65,000 times, and Python remembers every warning.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    # It logs what is wrong with a client's bytes.
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    return handler


def toggle_debug(level: str) -> None:
    """Switches the running process to debug and back; one configured for debug to info and back.

    Args:
        level: the configured level.
    """
    root = logging.getLogger()
    configured = logging.getLevelNamesMapping()[level.upper()]
    other = logging.INFO if configured == logging.DEBUG else logging.DEBUG
    root.setLevel(other if root.level == configured else configured)
    root.log(root.level, "log level is now %s", logging.getLevelName(root.level).lower())
