"""One version: `app/version.py` has it, and what cannot read it there repeats it.

`python -m tools.release` says what keeps the version from being released; with `set 0.3.0` it
writes a version everywhere.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).parents[1]
SOURCE = "app/version.py"
MANIFEST = "app/contract/manifest.py"
VERSION = r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?"

# By file, what stands before each mention of the version.
PLACES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        SOURCE: ('VERSION = "',),
        "Dockerfile": ("ARG VERSION=",),
        "client-js/package.json": ('\n  "version": "',),
        "client-js/package-lock.json": (
            '"name": "senet-client",\n  "version": "',
            '"name": "senet-client",\n      "version": "',
        ),
        "deploy/helm/senet-serving/Chart.yaml": ("\nversion: ", "appVersion: "),
        "deploy/kubernetes/ray/Dockerfile": ("senet-ray:",),
        "deploy/kubernetes/ray/kustomization.yaml": ("newTag: ",),
        "docs/client.md": ("senet-ray:",),
        "docs/index.md": ("senet_serving-",),
        "docs/tutorials/timm-network.md": ("senet_serving-",),
    }
)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Checks or sets the version; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["set"] and len(given) == 2 and re.fullmatch(VERSION, given[1]):
        set_version(root, given[1])
        return 0
    if given:
        sys.stderr.write("usage: python -m tools.release [set MAJOR.MINOR.PATCH]\n")
        return 2
    found = list(faults(root))
    for fault in found:
        print(f"error: {fault}", file=sys.stderr)
    if not found:
        print(f"{version(root)} stands everywhere and in the changelog")
    return 1 if found else 0


def version(root: Path) -> str:
    """The version in `app/version.py`."""
    [found] = _mentions(root, SOURCE, PLACES[SOURCE][0])
    return found


def faults(root: Path) -> Iterator[str]:
    """What keeps the version from being released, one line each."""
    wanted = version(root)
    for file, prefixes in PLACES.items():
        for prefix in prefixes:
            found = _mentions(root, file, prefix)
            if not found:
                yield f"{file} has no {prefix!r} with a version after it"
            yield from (
                f"{file} says {prefix}{other}, {SOURCE} says {wanted}"
                for other in found
                if other != wanted
            )
    # Exports tell their users which version reads what they write.
    for reader in _mentions(root, MANIFEST, "senet-serving>="):
        if _numbers(reader) > _numbers(wanted):
            yield f"{MANIFEST} has manifests require {reader}, which is later than {wanted}"
    yield from changelog_faults((root / "CHANGELOG.md").read_text(), wanted)


def changelog_faults(text: str, wanted: str) -> Iterator[str]:
    """What the changelog lacks for a version."""
    headings = re.findall(r"^## \[([^\]]+)\](?: - (\d{4}-\d{2}-\d{2}))?$", text, re.MULTILINE)
    dates = dict(headings)
    if not dates.get(wanted):
        yield f"CHANGELOG.md has no section '## [{wanted}] - YYYY-MM-DD'"
    released = [(date, name) for name, date in headings if name != "Unreleased"]
    if released != sorted(released, reverse=True):
        yield "CHANGELOG.md has its versions out of order, or one without a date"
    unreleased = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
    if unreleased and re.search(r"^- ", unreleased[1], re.MULTILINE):
        yield f"CHANGELOG.md has entries under Unreleased; move them to {wanted}"


def set_version(root: Path, wanted: str) -> None:
    """Writes a version wherever one stands."""
    for file, prefixes in PLACES.items():
        path = root / file
        text = path.read_text()
        for prefix in prefixes:
            text = re.sub(re.escape(prefix) + VERSION, prefix + wanted, text)
        path.write_text(text)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)[:3]]


def _mentions(root: Path, file: str, prefix: str) -> list[str]:
    return re.findall(re.escape(prefix) + f"({VERSION})", (root / file).read_text())


if __name__ == "__main__":
    sys.exit(main())
