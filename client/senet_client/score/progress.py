"""What a person at a terminal, or a log, sees of a run."""

import json
import sys
import time
from collections.abc import Callable
from typing import Literal, Protocol, Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

ProgressKind = Literal["auto", "bar", "json", "none"]
_JSON_EVERY_SECONDS = 10.0


class Report(Protocol):
    """Shows how a run comes along; use in a `with` block."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def rows(self, count: int, errors: int) -> None:
        """Told that so many rows have come, and how many of them hold an error."""
        ...


class NoReport:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def rows(self, count: int, errors: int) -> None:
        """See `Report`."""


class Bar:
    """A progress bar on standard error.

    Args:
        total: rows of the finished output.
        done: rows that are there already.
        limit: how many requests may be under way now.
    """

    def __init__(self, total: int, done: int, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._started = time.monotonic()
        self._count = self._errors = 0
        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.0f}/s, {task.fields[errors]} errors"),
            TextColumn("{task.fields[limit]} requests at once"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task(
            "", total=total, completed=done, rate=0.0, errors=0, limit=limit()
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def rows(self, count: int, errors: int) -> None:
        """See `Report`."""
        self._count += count
        self._errors += errors
        self._progress.update(
            self._task,
            advance=count,
            rate=self._count / (time.monotonic() - self._started),
            errors=self._errors,
            limit=self._limit(),
        )


class JsonLines:
    """A JSON object on standard error every ten seconds, and one at the end.

    Args:
        total: rows of the finished output.
        done: rows that are there already.
        limit: how many requests may be under way now.
        stream: where the lines go.
        clock: monotonic time in seconds.
    """

    def __init__(
        self,
        total: int,
        done: int,
        limit: Callable[[], int],
        stream: TextIO = sys.stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._done = done
        self._limit = limit
        self._stream = stream
        self._clock = clock
        self._started = self._told = clock()
        self._count = self._errors = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tell()

    def rows(self, count: int, errors: int) -> None:
        """See `Report`."""
        self._count += count
        self._errors += errors
        if self._clock() - self._told >= _JSON_EVERY_SECONDS:
            self._tell()

    def _tell(self) -> None:
        self._told = self._clock()
        seconds = self._told - self._started
        rate = self._count / seconds if seconds else 0.0
        left = self._total - self._done - self._count
        line = {
            "done": self._done + self._count,
            "total": self._total,
            "errors": self._errors,
            "images_per_second": round(rate, 1),
            "seconds_left": round(left / rate, 1) if rate else None,
            "requests_at_once": self._limit(),
        }
        print(json.dumps(line), file=self._stream, flush=True)


def report(kind: ProgressKind, total: int, done: int, limit: Callable[[], int]) -> Report:
    """The report that was asked for; `auto` is a bar at a terminal and JSON lines elsewhere."""
    if kind == "none":
        return NoReport()
    if kind == "bar" or (kind == "auto" and sys.stderr.isatty()):
        return Bar(total, done, limit)
    return JsonLines(total, done, limit)
