"""The command line of the gallery, and what it does."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import get_args

from app.cli.gallery.classifier import FileClassifier
from app.cli.gallery.judged import Seen
from app.cli.gallery.page import page
from app.cli.gallery.photo_walk import walk
from app.cli.gallery.pictures import draw
from app.cli.gallery.tally import Tally
from app.contract.errors import ConfigurationError
from app.contract.manifest import Precision
from app.engines.engine import Provider
from app.engines.onnx_engine import OnnxEngines
from app.selection.configured import load_configured
from app.settings import load_settings

# Of the service's options those that matter here; all have their variables as well.
_SERVICE = ("model", "model_repository", "precision", "provider", "max_image_pixels")
_TOLD_EVERY = 100
_DIGITS = 12
# A report is not a secret of its owner's.
_MODE = 0o644


def write_gallery(arguments: Sequence[str]) -> str:
    """Runs the `gallery` command.

    Args:
        arguments: the command line after `gallery`.

    Returns:
        What to print: what was written.

    Raises:
        ConfigurationError: if an option is wrong, or there is no photo, or the report cannot be
            written.
    """
    parsed = _parser().parse_args(arguments)
    root: Path = parsed.folder
    if not root.is_dir():
        raise ConfigurationError("DIR", f"{root} is not a folder", "name a folder of photos")
    if parsed.output.is_dir() or not parsed.output.absolute().parent.is_dir():
        # Told before the photos are read, which may take an hour.
        raise ConfigurationError(
            "--output", f"{parsed.output} cannot be a file", "name a file in a folder that is there"
        )
    chosen = {name: getattr(parsed, name) for name in _SERVICE}
    settings = load_settings(
        [f"--{name.replace('_', '-')}={value}" for name, value in chosen.items() if value]
    )
    loaded = load_configured(
        settings,
        OnnxEngines(settings.provider, max_batch_size=settings.max_batch_size),
        measures=False,
    )
    classifier = FileClassifier(
        loaded,
        loaded.engine.open_slots()[0],
        settings.max_body_bytes,
        settings.max_image_pixels,
    )
    labels = loaded.model.manifest.labels
    # A folder may be called by the class's name where no class has that for its identifier.
    truths = {label.name: label.index for label in labels}
    truths |= {label.id: label.index for label in labels}
    tally = Tally(parsed.most)
    for seen in _told(classifier.judge(walk(root), truths, root)):
        tally.add(seen)
    if not tally.photos + tally.unreadable:
        raise ConfigurationError("DIR", f"no photo below {root}", "name a folder of photos")
    _write(
        parsed.output,
        page(loaded.model, root, tally, lambda judged: draw(classifier, judged)),
    )
    told = str(parsed.output).encode("utf-8", "backslashreplace").decode()
    return f"wrote {told}, which shows {len(tally.shown):,} of {tally.photos:,} photos"


def _told(seen: Iterable[Seen]) -> Iterator[Seen]:
    """The same, with their number on a terminal while they come."""
    is_watched = sys.stderr.isatty()
    for number, own in enumerate(seen, start=1):
        if is_watched and number % _TOLD_EVERY == 0:
            sys.stderr.write(f"\r{number:,} photos")
        yield own
    if is_watched:
        sys.stderr.write("\r\033[K")


def _write(output: Path, pieces: Iterable[str]) -> None:
    """Writes beside and renames, so that whoever reads meets the old report or the new one."""
    beside: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{output.name}.", dir=output.absolute().parent)
        beside = Path(name)
        # A name that is not UTF-8 has been escaped before.
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(pieces)
        beside.chmod(_MODE)
        beside.replace(output)
    except OSError as error:
        raise ConfigurationError(
            "--output",
            f"{output} cannot be written ({error.strerror or error})",
            "name a file that you may write, where there is space",
        ) from error
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app gallery",
        description="Writes what a model makes of a folder of photos as one HTML file: photos,"
        " classes and maps, the worst mistakes first, and, where the photos lie in class folders,"
        " which classes are confused.",
    )
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="photos, in class folders or not")
    add("--output", type=Path, required=True, metavar="FILE", help="the HTML file")
    add(
        "--most",
        type=_count,
        default=200,
        metavar="PHOTOS",
        help="photos to show, about 30 kB each; all are counted (default %(default)s)",
    )
    add("--model", metavar="NAME[:VERSION]", help="as for the service, and so are the others")
    add("--model-repository", metavar="DIR")
    add("--precision", choices=("auto", *get_args(Precision)))
    add("--provider", choices=("auto", *get_args(Provider)))
    add("--max-image-pixels", type=_count, metavar="PIXELS")
    return parser


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[: _DIGITS + 1]) < 10**_DIGITS:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a number of at least 1")
    return int(text)
