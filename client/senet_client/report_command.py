"""The command line's `report`: what a scoring run found, as a page."""

from pathlib import Path
from typing import Annotated

import typer

from senet_client.command_options import FAILED
from senet_client.report import summarise, written
from senet_client.score.failures import WrongOption

_WRONG_OPTION = 2


def add_commands(application: typer.Typer) -> None:
    """Adds it to the application."""

    @application.command()
    def report(
        output: Annotated[Path, typer.Argument(help="File or folder of a scoring run.")],
        html: Annotated[Path, typer.Option(help="The page to write.")],
        examples: Annotated[
            int, typer.Option(min=0, max=1000, help="Most photos of each class, and of the rest.")
        ] = 24,
        title: Annotated[str, typer.Option(help="Of the page.")] = "Classified photos",
    ) -> None:
        """Makes one HTML page of a run: counts, the least sure photos, examples of each class.

        The page shows the photos where they lie; nothing is copied or sent.
        """
        try:
            page = written(summarise(output, examples), title, html.parent)
        except WrongOption as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(_WRONG_OPTION) from error
        try:
            html.write_text(page, encoding="utf-8")
        except OSError as error:
            typer.echo(f"error: {html} cannot be written: {error.strerror or error}", err=True)
            raise typer.Exit(FAILED) from error
        typer.echo(f"{html}")
