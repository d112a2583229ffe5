"""Fits prediction sets, rejection and a reference for drift to photos, for a published version.

They are written into its manifest.
An export with `--calibrate` has done this already. The ONNX files stay as they are, and with them
the model's digest; the digest of the manifest changes.
"""

import argparse
import sys
from pathlib import Path

from app.contract.errors import ConfigurationError
from app.contract.repository import ModelRepository
from scripts.export_options import add_reject_rate
from senet.export import manifest_file, photos
from senet.export.reject_rule import check_rate
from senet.export.trust import fit_trust


def main(arguments: list[str] | None = None) -> int:
    """Fits and writes; returns the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        check_rate(parsed.reject_rate)
        version = ModelRepository(parsed.repository).find(parsed.name, parsed.version)
        if version.manifest.schema_version == 1:
            raise ConfigurationError(
                "--name",
                f"the manifest of {parsed.name}:{version.manifest.version} has schema 1, which has"
                " no place for it",
                "export the model again",
            )
        for variant in version.manifest.variants:
            version.verified_file(variant)
        fitting = photos.labelled("--photos", parsed.photos, version.manifest.labels)
        if parsed.fit_on is not None:
            fitting = fitting.chosen(photos.listed("--fit-on", parsed.fit_on, fitting))
        name = f"{parsed.photos_name or parsed.photos.name}, {len(fitting)} photos"
        fitted = fit_trust(
            version.manifest,
            version.folder,
            fitting,
            name,
            reject_rate=parsed.reject_rate,
            progress=True,
        )
        manifest_file.replace(fitted, version.folder)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{version.folder / manifest_file.NAME}: fitted to {name}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.fit_trust", description=__doc__)
    parser.add_argument("--name", required=True, help="the model's name")
    parser.add_argument("--version", type=int, help="its version (default: the highest)")
    parser.add_argument("--repository", type=Path, default=Path("models"), metavar="DIR")
    parser.add_argument(
        "--photos",
        type=Path,
        required=True,
        metavar="DIR",
        help="class folders of photos that the network was not trained on",
    )
    parser.add_argument("--photos-name", metavar="TEXT", help="their name in the manifest")
    parser.add_argument(
        "--fit-on", type=Path, metavar="FILE", help="list of the photos to fit to, as for an export"
    )
    add_reject_rate(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
