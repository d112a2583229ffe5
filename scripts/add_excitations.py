"""Makes the files of a published version give the gates of their SE blocks.

An export with `--excitations` has done this already. Answers stay the same to the last bit; the
digests of files and manifest change, so a TensorRT engine has to be built anew.
"""

import argparse
import sys
from pathlib import Path

from app.contract.errors import ConfigurationError
from app.contract.repository import ModelRepository
from senet.export import photos
from senet.export.add_excitations import add_excitations


def main(arguments: list[str] | None = None) -> int:
    """Changes the version; returns the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        version = ModelRepository(parsed.repository).find(parsed.name, parsed.version)
        watched = photos.labelled("--photos", parsed.photos, version.manifest.labels)
        name = parsed.photos_name or parsed.photos.name
        add_excitations(version, watched, name, progress=True)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{version.folder}: gives the gates of its SE blocks")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.add_excitations",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--name", required=True, help="the model's name")
    parser.add_argument("--version", type=int, help="its version (default: the highest)")
    parser.add_argument("--repository", type=Path, default=Path("models"), metavar="DIR")
    parser.add_argument(
        "--photos",
        type=Path,
        required=True,
        metavar="DIR",
        help="class folders; the means of the gates over each class are kept",
    )
    parser.add_argument("--photos-name", metavar="TEXT", help="their name in the manifest")
    return parser


if __name__ == "__main__":
    sys.exit(main())
