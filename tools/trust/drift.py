"""When a service sees that photos have changed: `python -m tools.trust.drift --help`.

Starts nothing: give the address of a running service whose model has a reference, and which nobody
else uses. Each kind of photo begins after 1,024 unchanged ones.
"""

import argparse
import asyncio
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx

from tools.trust.spoil import SPOILERS

_SHORT, _LONG = 64, 1024
_AT_ONCE = 16
_UNCHANGED = "unchanged"
_UNSEEN = "unseen classes"


class Session:
    """Sends photos in a random order, 64 at a time.

    Args:
        client: of the service.
        model: the model's name.
        seed: of the order.
    """

    def __init__(self, client: httpx.AsyncClient, model: str, seed: int) -> None:
        self._client = client
        self._model = model
        self._random = random.Random(seed)  # noqa: S311 - nothing secret

    async def send(self, photos: Sequence[Path], spoiler: str) -> set[tuple[str, int]]:
        """Sends 64 photos; tells which signals are above their threshold, in which window."""
        places = asyncio.Semaphore(_AT_ONCE)

        async def send(path: Path) -> None:
            async with places:
                data = await asyncio.to_thread(_read, path, spoiler)
                answer = await self._client.post(
                    "/classify",
                    params={"model": self._model},
                    content=data,
                    headers={"content-type": "application/octet-stream"},
                )
            answer.raise_for_status()

        await asyncio.gather(*(send(path) for path in self._random.choices(photos, k=_SHORT)))
        answer = await self._client.get(f"/models/{self._model}/drift")
        answer.raise_for_status()
        [version] = answer.json()["versions"]
        return {
            (signal["signal"], signal["window"])
            for signal in version["signals"]
            if signal["exceeded"]
        }


def main(arguments: list[str] | None = None) -> int:
    """Measures and prints; the exit code is 1 if unchanged photos raised more than one alarm."""
    return asyncio.run(_measure(_parser().parse_args(arguments)))


async def _measure(parsed: argparse.Namespace) -> int:
    fitted = set(parsed.fit_on.read_text(encoding="utf-8").split("\n")) - {""}
    photos = [
        path
        for path in sorted(parsed.photos.glob("*/*"))
        if path.is_file() and f"{path.parent.name}/{path.name}" not in fitted
    ]
    async with httpx.AsyncClient(base_url=parsed.url, timeout=3600, trust_env=False) as client:
        session = Session(client, parsed.model, parsed.seed)
        alarms = await _false_alarms(session, photos, parsed.windows)
        kinds = [(name, photos, name) for name in parsed.spoil]
        if parsed.unseen is not None:
            unseen = sorted(path for path in parsed.unseen.rglob("*") if path.is_file())
            kinds.append((_UNSEEN, unseen, _UNCHANGED))
        if parsed.shifted:
            classes = sorted({path.parent.name for path in photos})[: parsed.shifted]
            some = [path for path in photos if path.parent.name in classes]
            kinds.append((f"{parsed.shifted} of the classes", some, _UNCHANGED))
        for name, own, spoiler in kinds:
            for _ in range(_LONG // _SHORT):
                await session.send(photos, _UNCHANGED)
            print(f"{name}: {await _detection(session, own, spoiler)}", flush=True)
    return 0 if alarms <= 1 else 1


async def _false_alarms(session: Session, photos: Sequence[Path], windows: int) -> int:
    """Windows of unchanged photos, of either length, with a signal above its threshold."""
    short = long = 0
    for _ in range(windows):
        for number in range(_LONG // _SHORT):
            exceeded = await session.send(photos, _UNCHANGED)
            short += any(window == _SHORT for _, window in exceeded)
            if number == _LONG // _SHORT - 1:
                long += any(window == _LONG for _, window in exceeded)
    print(
        f"unchanged: {long} of {windows} windows of {_LONG} and {short} of"
        f" {windows * _LONG // _SHORT} of {_SHORT} had a signal above its threshold",
        flush=True,
    )
    return long


async def _detection(session: Session, photos: Sequence[Path], spoiler: str) -> str:
    """After how many images each signal went above its threshold, in either window."""
    first: dict[str, int] = {}
    for number in range(1, _LONG // _SHORT + 1):
        exceeded = await session.send(photos, spoiler)
        for signal, _ in sorted(exceeded):
            first.setdefault(signal, number * _SHORT)
    told = [f"{signal} after {images}" for signal, images in first.items()]
    return ", ".join(told) or f"nothing within {_LONG} images"


def _read(path: Path, spoiler: str) -> bytes:
    return SPOILERS[spoiler](path.read_bytes())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.trust.drift", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--model", default="imagenette")
    parser.add_argument("--photos", type=Path, required=True, help="class folders")
    parser.add_argument("--fit-on", type=Path, required=True, help="list of those fitted to")
    parser.add_argument("--unseen", type=Path, help="photos of classes that the model lacks")
    parser.add_argument("--shifted", type=int, default=0, help="send photos of so many classes")
    parser.add_argument("--windows", type=int, default=20, help="of 1,024 unchanged photos")
    parser.add_argument("--seed", type=int, default=0)
    spoilers = [name for name in SPOILERS if name != _UNCHANGED]
    parser.add_argument("--spoil", nargs="*", choices=spoilers, default=spoilers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
