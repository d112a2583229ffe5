"""What the SE gates of a network do over photos: `python -m senet.gates FILE --photos DIR`.

Prints each block's mean and spread, names the blocks whose gates are constants, and gives top-1
with every gate frozen to its mean beside top-1 as it is.
"""

import argparse
import sys
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label, Preprocessing
from app.contract.repository import ModelRepository
from senet.export import photos
from senet.export.excitation import excitation, render
from senet.export.trained import served_graph
from senet.gates.picture import role_of_excitation


def main(arguments: list[str] | None = None) -> int:
    """Prints the table; returns the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        model, preprocessing, labels = _load(parsed.file)
        chosen = photos.labelled("--photos", parsed.photos, labels)
        if parsed.limit is not None:
            chosen = chosen.spread(parsed.limit)
        figures, blocks = excitation(model, chosen, preprocessing, labels, progress=True)
        sys.stdout.write("\n".join(render(figures)) + "\n")
        if parsed.picture is not None:
            names = [label.name for label in labels]
            _write(parsed.picture, role_of_excitation(blocks, chosen.targets, names))
    except ConfigurationError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _load(file: Path) -> tuple[ModelProto, Preprocessing, tuple[Label, ...]]:
    if file.suffix != ".onnx":
        return served_graph(file)
    version = file.absolute().parent
    if not (version.name.isdigit() and (version / "manifest.json").is_file()):
        raise ConfigurationError(
            "FILE",
            f"{file} lies beside no manifest, which tells how to prepare photos for it",
            "name a file of a model repository: <repository>/<name>/<version>/<file>",
        )
    manifest = (
        ModelRepository(version.parent.parent).find(version.parent.name, int(version.name)).manifest
    )
    try:
        model = onnx.load(file)
    except (OSError, DecodeError) as error:
        raise ConfigurationError("FILE", f"{file} is not an ONNX file", "give another") from error
    return model, manifest.preprocessing, manifest.labels


def _write(path: Path, picture: str) -> None:
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            "--picture", f"{path} cannot be written ({error.strerror})", "give another"
        ) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m senet.gates",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="checkpoint, or fp32 ONNX file of a repository")
    add("--photos", type=Path, required=True, metavar="DIR", help="folder of class folders")
    add("--limit", type=int, metavar="N", help="take at most N of the photos, evenly spaced")
    add("--picture", type=Path, metavar="SVG", help="draw the gates, channel by channel")
    return parser


if __name__ == "__main__":
    sys.exit(main())
