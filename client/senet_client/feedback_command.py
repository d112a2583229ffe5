"""The command line's word for labels that come late."""

import csv
from pathlib import Path
from typing import Annotated

import typer

from senet_client.command_options import DEFAULT_URL, KeyOption, UrlOption, asking
from senet_client.errors import SenetClientError
from senet_client.feedback import Label

_COLUMNS = ("request_id", "index", "class_index")
_SHOWN = 10
_FAILED = 1


def add_commands(application: typer.Typer) -> None:
    """Adds it to the application."""

    @application.command()
    def feedback(
        labels: Annotated[
            Path, typer.Argument(help="CSV with the columns request_id, index and class_index.")
        ],
        url: UrlOption = DEFAULT_URL,
        api_key: KeyOption = None,
    ) -> None:
        """Tells the service which classes images that it has answered really have."""
        rows = _read(labels)
        with asking(url, api_key) as client:
            results = client.feedback(rows)
        failed = [
            (row, result)
            for row, result in zip(rows, results, strict=True)
            if isinstance(result, SenetClientError)
        ]
        accepted = len(rows) - len(failed)
        right = sum(result is True for result in results)
        typer.echo(f"{accepted} of {len(rows)} labels accepted; {right} answers were right")
        for row, error in failed[:_SHOWN]:
            typer.echo(f"error: {row.request_id}, image {row.index}: {error}", err=True)
        if len(failed) > _SHOWN:
            typer.echo(f"and {len(failed) - _SHOWN} more", err=True)
        if failed:
            raise typer.Exit(_FAILED)


def _read(file: Path) -> list[Label]:
    """The labels of a CSV file; other columns are left alone."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            rows = csv.DictReader(text)
            missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise typer.BadParameter(f"{file} has no column {', '.join(missing)}")
            return [_label(file, rows.line_num, row) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise typer.BadParameter(f"{file} cannot be read as CSV: {error}") from error


def _label(file: Path, line: int, row: dict[str, str | None]) -> Label:
    try:
        index, class_index = int(row["index"] or ""), int(row["class_index"] or "")
        if not row["request_id"] or min(index, class_index) < 0:
            raise ValueError
        return Label(row["request_id"], index, class_index)
    except ValueError:
        raise typer.BadParameter(
            f"{file}, line {line}: request_id, index and class_index must be an id and two whole"
            " numbers from 0"
        ) from None
