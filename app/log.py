"""Logging: one JSON object a line, each with the request's id where there is one."""

import logging
import sys
import warnings
from contextvars import ContextVar
from typing import Any, Literal

from pythonjsonlogger.orjson import OrjsonFormatter

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


def configure_logging(log_format: Literal["json", "text"], level: str) -> None:
    """Sends all logging of the process to standard output in the given format.

    Args:
        log_format: "json" for machines, "text" for a person's terminal.
        level: name of the lowest level that is written.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_RequestIdFilter())
    handler.setFormatter(
        OrjsonFormatter(
            ["levelname", "name", "message", "request_id"],
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
        )
        if log_format == "json"
        else logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    )
    logging.captureWarnings(True)
    # One hostile image can make Pillow warn 65,000 times, and Python remembers every warning.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    for library in ("PIL", "python_multipart"):  # they log what is wrong with a client's bytes
        logging.getLogger(library).setLevel(logging.CRITICAL)
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


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
