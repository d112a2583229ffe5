"""Choosing the engine that serves: by what is set, from the cache, or by measurement."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.contract.manifest import Variant
from app.engines.engine import Engine, Layout
from app.selection.cache import ChoiceCache, StoredChoice
from app.selection.candidates import Candidate, ChosenBy
from app.selection.measurement import Clocks, Speed, measure
from app.selection.served_model import ServedModel

logger = logging.getLogger(__name__)

# For all candidates together: what a start may cost in time.
_SECONDS = 0.5
_A_TIE = 0.95
# More threads a run must be faster by more than this to serve. The same engine, loaded again, is up
# to a tenth faster or slower, and under load fewer threads a run are the better guess
# (docs/performance.md).
_A_TIE_OF_THREADS = 0.9
# As much sooner more threads must answer a lone client to be worth a session of their own.
_SOONER = 0.9
# So many times the usual batch is run when many images wait: 1.03 to 1.07 times as many images a
# second, for a batch costs the service more than its run, in hand-overs (decision 015). Not where
# the engine has been slower with it, by more than chance.
_MORE_WAIT = 2
_AS_FAST = 0.99
# Raised whenever measuring changes, so that earlier measurements are void.
_METHOD = 10


@dataclass(frozen=True, slots=True)
class Choice:
    """What serves, and why.

    Attributes:
        candidate: what was chosen.
        chosen_by: why.
        engine: the candidate's engine.
        max_batch_size: most images in a batch that it should get.
        usual_batch_size: the most while few images wait.
        images_per_second: what each candidate that was measured would serve, by its name.
    """

    candidate: Candidate
    chosen_by: ChosenBy
    engine: Engine
    max_batch_size: int
    usual_batch_size: int
    images_per_second: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        table = ", ".join(f"{name} {speed}" for name, speed in self.images_per_second.items())
        lone = self.candidate.layout.lone_threads
        return (
            f"{self.candidate}"
            + (f", {lone} threads for a lone run" if lone else "")
            + f", batches of up to {self.max_batch_size}"
            + (f" ({self.usual_batch_size} while few images wait)" if self._has_two_sizes else "")
            + f", by {self.chosen_by}"
            + (f" ({table} images/s)" if table else "")
        )

    @property
    def _has_two_sizes(self) -> bool:
        return self.usual_batch_size < self.max_batch_size


class Chooser:
    """Chooses among candidates on the CPU. Never holds more than one engine.

    Args:
        load: loads a candidate's engine.
        images: uint8 [n, height, width, 3] to measure with.
        output: name of the output to measure with.
        batch_sizes: to measure, rising.
        cores: that inference and decoding share.
        circumstances: what a measurement depends on besides the candidates.
        cache: of earlier choices; None to measure at every start.
        clocks: the time.
        like: a version of the model that serves; where nothing is known, what suits it is taken.
        measures: whether to measure where nothing is known. Beside engines that serve a
            measurement disturbs them, and tells nothing.
    """

    def __init__(
        self,
        load: Callable[[Candidate], Engine],
        images: NDArray[np.uint8],
        output: str,
        batch_sizes: Sequence[int],
        *,
        cores: int,
        circumstances: Mapping[str, str],
        cache: ChoiceCache | None,
        clocks: Clocks | None = None,
        like: ServedModel | None = None,
        measures: bool = True,
    ) -> None:
        self._load = load
        self._images = images
        self._output = output
        self._batch_sizes = batch_sizes
        self._cores = cores
        self._circumstances = circumstances
        self._cache = cache
        self._clocks = clocks or Clocks()
        self._like = like
        self._measures = measures
        self._held: tuple[Candidate, Engine] | None = None

    def choose(self, variants: Sequence[Variant], layouts: Sequence[Layout]) -> Choice:
        """The fastest candidate.

        Args:
            variants: the likely fastest first.
            layouts: the one with most threads a run first.

        Raises:
            ConfigurationError: if no candidate can be loaded.
        """
        candidates = [
            Candidate("cpu", variant, layout) for variant in variants for layout in layouts
        ]
        if len(candidates) == 1:
            largest = self._batch_sizes[-1]
            return Choice(candidates[0], "setting", self._engine(candidates[0]), largest, largest)
        conditions = self._conditions(candidates)
        if self._cache and (stored := self._cache.read(conditions)):
            for candidate in candidates:
                if str(candidate) == stored.chosen:
                    chosen = candidate.with_lone_threads(stored.lone_threads)
                    return Choice(
                        chosen,
                        "cache",
                        self._engine(chosen),
                        stored.max_batch_size,
                        stored.usual_batch_size,
                        stored.images_per_second,
                    )
        if not self._measures:
            return self._assume(candidates)
        choice = self._measure(variants, layouts)
        if self._cache:
            self._cache.write(
                StoredChoice(
                    conditions=conditions,
                    chosen=str(choice.candidate),
                    lone_threads=choice.candidate.layout.lone_threads,
                    max_batch_size=choice.max_batch_size,
                    usual_batch_size=choice.usual_batch_size,
                    images_per_second=dict(choice.images_per_second),
                )
            )
        return choice

    def _assume(self, candidates: Sequence[Candidate]) -> Choice:
        """What suits another version of the model, or else the likely fastest arithmetic.

        As few threads a run as may be, so that engines share the cores as their batches need them.
        """
        like, last = self._like, candidates[-1].layout
        chosen = next(candidate for candidate in candidates if candidate.layout == last)
        usual = largest = self._batch_sizes[-1]
        if like is not None:
            for candidate in candidates:
                layout = replace(like.layout, lone_threads=0)
                if (candidate.variant.precision, candidate.layout) == (
                    like.variant.precision,
                    layout,
                ):
                    chosen = candidate.with_lone_threads(like.layout.lone_threads)
                    largest = min(largest, like.max_batch_size)
                    usual = min(largest, like.usual_batch_size or largest)
        return Choice(chosen, "rule", self._engine(chosen), largest, usual)

    def _measure(self, variants: Sequence[Variant], layouts: Sequence[Layout]) -> Choice:
        """First the arithmetic, with the fewest threads a run; then the layout for the winner."""
        seconds = _SECONDS / (len(variants) + len(layouts) - 1)
        speeds: dict[Candidate, Speed] = {}
        fastest: Speed | None = None
        for variant in variants:
            candidate = Candidate("cpu", variant, layouts[-1])
            speeds[candidate] = self._time(candidate, seconds, rival=fastest)
            fastest = max(speeds.values(), key=lambda speed: speed.best)
        self._confirm(next(iter(speeds)), speeds, seconds)
        by_exactness = sorted(speeds, key=lambda candidate: candidate.exactness)
        winner = _about_the_fastest(by_exactness, speeds, _A_TIE)[0].variant
        by_threads = [Candidate("cpu", winner, layout) for layout in reversed(layouts)]
        for candidate in by_threads[1:]:
            with_lone_run = candidate.with_lone_threads(candidate.layout.threads)
            speeds[candidate] = self._time(with_lone_run, seconds)
        self._confirm(by_threads[0], speeds, seconds)
        fastest_layout = _about_the_fastest(by_threads, speeds, _A_TIE_OF_THREADS)[0]
        table = {str(candidate): round(speed.best) for candidate, speed in speeds.items()}
        usual, more = _usual_and_largest_batch(speeds[fastest_layout], self._batch_sizes[-1])
        chosen = fastest_layout.with_lone_threads(_lone_threads(fastest_layout, speeds))
        return Choice(
            chosen,
            "measurement",
            self._engine(chosen),
            more,
            usual,
            table,
        )

    def _confirm(self, expected: Candidate, speeds: dict[Candidate, Speed], seconds: float) -> None:
        """Measures what was expected to be the fastest once more, if it was not.

        Another program may have slowed it down, and the choice is kept for later starts.
        """
        fastest = max(speeds.values(), key=lambda speed: speed.best)
        if 0 < speeds[expected].best < fastest.best:
            again = self._time(expected, seconds, rival=fastest)
            speeds[expected] = max(speeds[expected], again, key=lambda speed: speed.best)

    def _time(self, candidate: Candidate, seconds: float, rival: Speed | None = None) -> Speed:
        try:
            engine = self._engine(candidate)
        except ConfigurationError as error:
            logger.warning("%s does not load: %s", candidate, error.cause)
            return Speed({1: 0.0})
        try:
            return measure(
                engine,
                self._images,
                self._output,
                self._batch_sizes,
                cores=self._cores,
                seconds=seconds,
                rival=rival,
                clocks=self._clocks,
            )
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's share no base class
            logger.warning("%s does not run: %s", candidate, " ".join(str(error).split()))
            return Speed({1: 0.0})

    def _engine(self, candidate: Candidate) -> Engine:
        if self._held is None or self._held[0] != candidate:
            self._held = None  # its memory is free before the next one takes some
            self._held = (candidate, self._load(candidate))
        return self._held[1]

    def _conditions(self, candidates: Sequence[Candidate]) -> dict[str, object]:
        return {
            **self._circumstances,
            "method": _METHOD,
            "batch_sizes": list(self._batch_sizes),
            "candidates": [
                f"{candidate} {candidate.provider} {candidate.variant.sha256}"
                for candidate in candidates
            ],
        }


def _about_the_fastest(
    candidates: Sequence[Candidate], speeds: Mapping[Candidate, Speed], tie: float
) -> list[Candidate]:
    """Those that are about as fast as the fastest: measurements of the same thing differ."""
    best = max(speeds[candidate].best for candidate in candidates)
    return [candidate for candidate in candidates if speeds[candidate].best >= tie * best]


def _usual_and_largest_batch(speed: Speed, limit: int) -> tuple[int, int]:
    """The batch size that is usual, and the one while many images wait."""
    usual = speed.enough or limit
    more = min(_MORE_WAIT * usual, limit)
    by_size = speed.images_per_second
    is_slower = by_size.get(more, math.inf) < _AS_FAST * by_size.get(usual, 0)
    return usual, usual if is_slower else more


def _lone_threads(chosen: Candidate, speeds: Mapping[Candidate, Speed]) -> int:
    """How many threads run a lone image soonest; 0 if one does about as well."""
    several = [
        candidate
        for candidate in speeds
        if candidate.variant is chosen.variant
        and candidate.layout.threads >= max(2, chosen.layout.threads)
    ]
    soonest = min(several, key=lambda candidate: speeds[candidate].lone_seconds, default=chosen)
    seconds = speeds[soonest].lone_seconds
    if chosen.layout.threads == 1 and seconds > _SOONER * speeds[chosen].lone_seconds:
        return 0
    return soonest.layout.threads
