"""The goals, and whether they were met."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tools.bench.contenders import BARE, BARE_SAME_THREADS, BARE_SHIPPED_THREADS, SAME, SHIPPED
from tools.bench.report import Cell, Table

DEFAULT_MODEL, LARGE_MODEL = "imagenette", "se_resnet50"


@dataclass(frozen=True)
class Goal:
    """One goal.

    Attributes:
        what: the quantity.
        contender: whose.
        bound: "at least" or "at most" the limit.
        limit: in the quantity's unit.
        measured: None where it was not.
    """

    what: str
    contender: str
    bound: Literal["at least", "at most"]
    limit: float
    measured: float | None

    @property
    def met(self) -> bool | None:
        """Whether; None where nothing was measured."""
        if self.measured is None:
            return None
        return self.measured >= self.limit if self.bound == "at least" else (
            self.measured <= self.limit
        )  # fmt: skip


def goals(figures: Mapping[str, float], *, vnni: bool) -> list[Goal]:
    """All goals, with what was measured.

    Args:
        figures: a report's.
        vnni: whether the processor has VNNI, for which more is asked of int8.
    """
    get = figures.get
    found: list[Goal] = []
    for model, same, with_vnni in ((LARGE_MODEL, 1.0, 3.0), (DEFAULT_MODEL, 0.95, 2.0)):
        for contender, limit in ((SAME, same), (SHIPPED, with_vnni if vnni else 1.3)):
            found.append(
                Goal(
                    f"throughput of {model}, 32 clients, to the bare loop", contender, "at least",
                    limit, get(f"{model}/ratio/{contender}"),
                )
            )  # fmt: skip
    for model in (LARGE_MODEL, DEFAULT_MODEL):
        found += _latency(model, figures)
    for contender in (SAME, SHIPPED):
        found += [
            Goal(
                f"{DEFAULT_MODEL}, start to ready, s", contender, "at most", 1.5,
                get(f"{DEFAULT_MODEL}/start_s/{contender}"),
            ),
            Goal(
                f"{LARGE_MODEL}, resident memory with 32 clients, MiB", contender, "at most", 350,
                get(f"{LARGE_MODEL}/memory_mib/{contender}"),
            ),
        ]  # fmt: skip
    return found


def _latency(model: str, figures: Mapping[str, float]) -> list[Goal]:
    def lone(contender: str) -> float | None:
        return figures.get(f"{model}/lone_ms/{contender}")

    found: list[Goal] = []
    for contender, bare in ((SAME, BARE_SAME_THREADS), (SHIPPED, BARE_SHIPPED_THREADS)):
        served, alone = lone(contender), lone(bare)
        added = served - alone if served is not None and alone is not None else None
        found.append(
            Goal(f"{model}, lone client, added to bare, ms", contender, "at most", 1.0, added)
        )
        p99 = figures.get(f"{model}/open_p99_ms/{contender}")
        ratio = p99 / served if p99 is not None and served else None
        found.append(
            Goal(
                f"{model}, p99 at 70 % of capacity, to the lone latency", contender, "at most",
                3.0, ratio,
            )
        )  # fmt: skip
    served, alone = lone(SHIPPED), lone(BARE)
    ratio = served / alone if served is not None and alone else None
    found.append(
        Goal(f"{model}, lone latency, to bare with one thread", SHIPPED, "at most", 1.0, ratio)
    )
    return found


def table(found: list[Goal]) -> Table:
    """The goals for readers."""
    words = {True: "met", False: "**missed**", None: "not measured"}
    rows: list[tuple[Cell, ...]] = [
        (goal.what, goal.contender, f"{goal.bound} {goal.limit:g}", goal.measured, words[goal.met])
        for goal in found
    ]
    return Table(
        "Goals",
        "Medians and ratios of the tables below.",
        ("goal", "of", "wanted", "measured", ""),
        rows,
    )
