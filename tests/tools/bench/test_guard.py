"""Guards against gross regressions: the service beside the bare loop, in one run."""

import asyncio
from pathlib import Path

from app.hardware import available_cores
from tests.support.process import ROOT
from tools.bench.bare import Bare
from tools.bench.subject import Subject, find
from tools.loadtools import pictures
from tools.loadtools.generator import Generator

_ROUNDS = 12
_SECONDS = 0.7
_CLIENTS = 8
# On an idle machine of two cores it is 0.85 and more. What else runs there disturbs single rounds,
# so the best counts; and no machine makes half of the work disappear in every round.
_LEAST_RATIO = 0.5


def test_the_service_keeps_up_with_the_bare_loop(tmp_path: Path) -> None:
    photos = pictures.drawn(tmp_path, pictures.SMALL)
    model = Subject(*find("imagenette", [ROOT / "models"]), "fp32", "cpu")

    with model.same() as server, model.bare(photos, available_cores()) as bare:
        best = asyncio.run(_best_ratio(Generator(server, [photos[0].read_bytes()]), bare))

    assert best >= _LEAST_RATIO


async def _best_ratio(generator: Generator, bare: Bare) -> float:
    """Of as many rounds as it takes to reach what is enough."""
    best = 0.0
    await generator.closed(_SECONDS, _CLIENTS)
    for _ in range(_ROUNDS):
        alone = await asyncio.to_thread(bare.run, _SECONDS)
        served = await generator.closed(_SECONDS, _CLIENTS)
        assert served.offered == served.statuses[200]
        best = max(best, served.goodput * alone.seconds / alone.images)
        if best >= _LEAST_RATIO:
            break
    generator.close()
    return best
