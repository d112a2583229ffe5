"""`python -m tools.gpu.slim_model SOURCE TARGET PRECISION...`: a model with those variants alone.

A large model's file in fp32 packs badly, and a card serves fp16.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

from app.contract.errors import ConfigurationError
from app.contract.manifest_file import MANIFEST
from tools.loadtools.command import run


def slim(source: Path, target: Path, precisions: Collection[str]) -> None:
    """Copies what serves of a model's version.

    Args:
        source: its folder.
        target: made.
        precisions: of the variants to copy.

    Raises:
        ConfigurationError: if one of them is not there.
    """
    manifest = json.loads((source / MANIFEST).read_text())
    kept = [each for each in manifest["variants"] if each["precision"] in precisions]
    if len(kept) < len(precisions):
        there = ", ".join(each["precision"] for each in manifest["variants"])
        raise ConfigurationError("PRECISION", f"{source} has {there}", "name some of those")
    golden = manifest["golden"]
    target.mkdir(parents=True)
    for file in (golden["inputs"], golden["logits"], *(each["file"] for each in kept)):
        shutil.copy(source / file, target / file)
    (target / MANIFEST).write_text(json.dumps({**manifest, "variants": kept}))


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.gpu.slim_model",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("precisions", nargs="+", metavar="PRECISION")
    parsed = parser.parse_args()
    slim(parsed.source, parsed.target, parsed.precisions)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
