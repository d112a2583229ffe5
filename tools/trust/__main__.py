"""Coverage and size of prediction sets, over HTTP: `python -m tools.trust --help`.

Starts nothing: give the address of a running service that has sets.
"""

import argparse
import asyncio
import math
import sys
from collections import defaultdict
from pathlib import Path

import httpx

from tools.trust.interval import coverage_interval
from tools.trust.spoil import SPOILERS

_AT_ONCE = 16
Photo = tuple[Path, str]


def main(arguments: list[str] | None = None) -> int:
    """Measures and prints; the exit code is 1 if unchanged photos lie outside of an interval."""
    parsed = _parser().parse_args(arguments)
    fitted = set(parsed.fit_on.read_text(encoding="utf-8").split("\n")) - {""}
    photos = [
        (path, path.parent.name)
        for path in sorted(parsed.photos.glob("*/*"))
        if path.is_file() and f"{path.parent.name}/{path.name}" not in fitted
    ]
    print(f"{len(fitted)} photos fitted to, {len(photos)} judge")
    inside = True
    for name in parsed.spoil:
        for coverage in parsed.coverage:
            sizes = asyncio.run(_ask(parsed.url, photos, name, coverage))
            covered = sum(found for of_class in sizes.values() for found, _ in of_class)
            share = covered / len(photos)
            rank = math.ceil(round((len(fitted) + 1) * coverage, 9))
            low, high = coverage_interval(len(fitted), len(photos), rank)
            if name == "unchanged":
                inside = inside and low <= share <= high
            print(_line(name, coverage, sizes, share, low, high))
    return 0 if inside else 1


def _line(
    name: str,
    coverage: float,
    sizes: dict[str, list[tuple[bool, int]]],
    share: float,
    low: float,
    high: float,
) -> str:
    every = [size for of_class in sizes.values() for _, size in of_class]
    of_class = [
        f"{class_id} {sum(found for found, _ in own) / len(own):.1%}"
        f" {sum(size for _, size in own) / len(own):.2f}"
        for class_id, own in sorted(sizes.items())
    ]
    empty = sum(size == 0 for size in every) / len(every)
    return (
        f"{name}: asked {coverage:.1%}, covered {share:.2%} (99 % interval {low:.2%} to"
        f" {high:.2%}), mean size {sum(every) / len(every):.3f}, empty {empty:.1%};"
        f" {', '.join(of_class)}"
    )


async def _ask(
    url: str, photos: list[Photo], spoiler: str, coverage: float
) -> dict[str, list[tuple[bool, int]]]:
    """For each class, whether each photo's set holds it, and the set's size."""
    found: dict[str, list[tuple[bool, int]]] = defaultdict(list)
    places = asyncio.Semaphore(_AT_ONCE)
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:

        async def ask(path: Path, class_id: str) -> None:
            async with places:
                data = await asyncio.to_thread(_read, path, spoiler)
                answer = await client.post(
                    "/classify",
                    params={"coverage": coverage, "top_k": 1},
                    content=data,
                    headers={"content-type": "application/octet-stream"},
                )
            answer.raise_for_status()
            members = [member["id"] for member in answer.json()["results"][0]["prediction_set"]]
            found[class_id].append((class_id in members, len(members)))

        await asyncio.gather(*(ask(*photo) for photo in photos))
    return found


def _read(path: Path, spoiler: str) -> bytes:
    return SPOILERS[spoiler](path.read_bytes())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.trust", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--photos", type=Path, required=True, help="class folders")
    parser.add_argument("--fit-on", type=Path, required=True, help="list of those fitted to")
    parser.add_argument("--coverage", type=float, nargs="+", default=[0.9, 0.95, 0.99])
    parser.add_argument("--spoil", nargs="+", choices=list(SPOILERS), default=["unchanged"])
    return parser


if __name__ == "__main__":
    sys.exit(main())
