"""The command line's way to a few photos: their classes as a table or JSON, their maps as PNG."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from senet_client.client import Client
from senet_client.command_options import DEFAULT_URL, FAILED, KeyOption, UrlOption, asking
from senet_client.errors import ImageError, InvalidArgument
from senet_client.images import ImageLike
from senet_client.requests import ClassifyOptions
from senet_client.results import Classification, Result

_STDIN = "-"
_SOME_FAILED = 3


def add_commands(application: typer.Typer) -> None:
    """Adds them to the application."""

    @application.command()
    def classify(
        photos: Annotated[
            list[str], typer.Argument(metavar="PHOTO", help="Files; - reads one from stdin.")
        ],
        top_k: Annotated[int, typer.Option(min=1, help="Most classes of a photo.")] = 5,
        min_score: Annotated[
            float, typer.Option(min=0, max=1, help="Classes with a lower score are left out.")
        ] = 0.0,
        as_json: Annotated[
            bool, typer.Option("--json", help="One JSON object a photo, also where it fails.")
        ] = False,
        map_to: Annotated[
            Path | None,
            typer.Option(
                "--map",
                metavar="PATH",
                help="Draw where the network saw the class: a PNG file, of several photos a"
                " folder of them.",
            ),
        ] = None,
        class_index: Annotated[
            int | None, typer.Option(min=0, help="Whose map is drawn: the best class's.")
        ] = None,
        model: Annotated[str | None, typer.Option(help="Name of the model.")] = None,
        version: Annotated[str | None, typer.Option(help="Its version or label.")] = None,
        url: UrlOption = DEFAULT_URL,
        api_key: KeyOption = None,
    ) -> None:
        """Classifies photos.

        Exit codes: 0 all have classes; 3 some fail; 1 all fail, or the service cannot be asked;
        2 wrong options.
        """
        options: ClassifyOptions = {"top_k": top_k, "min_score": min_score}
        if model is not None:
            options["model"] = model
        if version is not None:
            options["version"] = version
        images = [_image(photo) for photo in photos]
        maps = _map_files(photos, map_to) if map_to is not None else []
        with asking(url, api_key) as client:
            results = list(client.classify_many(images, **options))
            _show(photos, results, as_json=as_json)
            for place, file in enumerate(maps):
                if isinstance(results[place], Classification):
                    _draw(client, images[place], file, class_index, model, version)
        good = sum(isinstance(result, Classification) for result in results)
        if good < len(results):
            raise typer.Exit(_SOME_FAILED if good else FAILED)

    @application.command()
    def ready(url: UrlOption = DEFAULT_URL, api_key: KeyOption = None) -> None:
        """Says whether images may be sent now, also by the exit code: 0 or 1."""
        with asking(url, api_key) as client:
            is_ready = client.ready()
        typer.echo("ready" if is_ready else "not ready")
        if not is_ready:
            raise typer.Exit(FAILED)


def _image(photo: str) -> ImageLike:
    # Read once, for the map needs it again.
    return sys.stdin.buffer.read() if photo == _STDIN else photo


def _map_files(photos: Sequence[str], place: Path) -> list[Path]:
    """Where each photo's map goes."""
    if len(photos) == 1 and not place.is_dir():
        return [place]
    if place.exists() and not place.is_dir():
        raise typer.BadParameter(f"{place} is a file; name a folder", param_hint="--map")
    files: list[Path] = []
    for number, photo in enumerate(photos, start=1):
        name = Path("stdin" if photo == _STDIN else photo).stem
        file = place / f"{name}.png"
        files.append(place / f"{name}-{number}.png" if file in files else file)
    return files


def _draw(
    client: Client,
    image: ImageLike,
    file: Path,
    class_index: int | None,
    model: str | None,
    version: str | None,
) -> None:
    chosen: dict[str, Any] = {"class_index": class_index, "model": model, "version": version}
    given = {name: value for name, value in chosen.items() if value is not None}
    picture = client.explain(image, **given)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture)
    except OSError as error:
        typer.echo(f"error: {file} cannot be written: {error.strerror or error}", err=True)
        raise typer.Exit(FAILED) from error


def _show(photos: Sequence[str], results: Sequence[Result], *, as_json: bool) -> None:
    if as_json:
        for photo, result in zip(photos, results, strict=True):
            typer.echo(json.dumps({**result.to_dict(), "name": photo}))
        return
    table = Table(box=box.SIMPLE)
    for name in ("photo", "class", "score"):
        table.add_column(name, overflow="fold", justify="right" if name == "score" else "left")
    for cells in _cells(photos, results):
        table.add_row(*map(Text, cells))
    if table.row_count:
        Console().print(table)
    for photo, result in zip(photos, results, strict=True):
        if not isinstance(result, Classification):
            kind = "" if isinstance(result, ImageError | InvalidArgument) else f" ({result.code})"
            typer.echo(f"error: {_printable(photo)}: {result.message}{kind}", err=True)


def _cells(photos: Sequence[str], results: Sequence[Result]) -> Iterator[tuple[str, str, str]]:
    for photo, result in zip(photos, results, strict=True):
        if not isinstance(result, Classification):
            continue
        if not result.predictions:
            yield _printable(photo), "(none above --min-score)", ""
        for found in result.predictions:
            shown = _printable(photo) if found.rank == 1 else ""
            yield shown, found.label, f"{found.score:.1%}"


def _printable(text: str) -> str:
    """Text that no terminal takes for a command, and every stream takes."""
    told = text.encode("utf-8", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in told)
