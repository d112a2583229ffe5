"""Parts training photos into some to train on and some to judge a recipe by, as links.

A recipe that is chosen by its accuracy on the validation photos has seen them. This makes a
folder for `scripts.train` whose `val` holds training photos instead.
"""

import argparse
import hashlib
import sys
from pathlib import Path

from app.contract.errors import ConfigurationError
from app.contract.photo_folder import is_photo


def main(arguments: list[str] | None = None) -> int:
    """Makes the folder; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.hold_out", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/<class>/")
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    parser.add_argument(
        "--share", type=float, default=0.1, help="of each class to hold out (default %(default)s)"
    )
    parsed = parser.parse_args(arguments)
    if not 0 < parsed.share < 1:
        parser.error("--share must lie between 0 and 1")
    try:
        kept, held = part(parsed.data, parsed.output, parsed.share)
    except ConfigurationError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{parsed.output}: {kept} photos to train on, {held} held out\n")
    return 0


def part(data: Path, output: Path, share: float) -> tuple[int, int]:
    """Links the photos of `data/train` into `output/train` and `output/val`.

    Which are held out depends on their names alone, so it is the same everywhere.

    Args:
        data: folder with train/<class>/<photo>.
        output: folder to make; must not exist.
        share: of each class to hold out, between 0 and 1.

    Returns:
        How many photos are left to train on, and how many are held out.

    Raises:
        ConfigurationError: if there are no photos, or `output` exists or cannot be written.
    """
    classes = [
        folder
        for folder in sorted((data / "train").glob("*"))
        if folder.is_dir() and not folder.name.startswith(".")
    ]
    if not classes:
        raise ConfigurationError("--data", f"{data} has no train/<class>/", "give another folder")
    if output.exists():
        raise ConfigurationError("--output", f"{output} exists", "remove it or give another")
    counts = {"train": 0, "val": 0}
    for folder in classes:
        ranked = sorted(filter(is_photo, folder.iterdir()), key=_rank)
        held = round(share * len(ranked))
        for target, photos in (("val", ranked[:held]), ("train", ranked[held:])):
            links = output / target / folder.name
            try:
                links.mkdir(parents=True)
                for photo in photos:
                    (links / photo.name).symlink_to(photo.resolve())
            except OSError as error:
                raise ConfigurationError(
                    "--output", f"{links} cannot be written ({error.strerror})", "give another"
                ) from error
            counts[target] += len(photos)
    return counts["train"], counts["val"]


def _rank(photo: Path) -> str:
    return hashlib.sha256(f"{photo.parent.name}/{photo.name}".encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
