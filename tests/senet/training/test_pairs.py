import statistics
from pathlib import Path

import pytest

from app.contract.errors import ConfigurationError
from senet.training.pairs import Figure, append, gain, missing, read


def figure(seed: int, architecture: str, top1: float) -> Figure:
    frozen = top1 - 0.02 if architecture.startswith("se_") else None
    return Figure(
        seed=seed, architecture=architecture, top1=top1, top5=1.0, top1_frozen=frozen,
        spread={}, seconds=1.0,
    )  # fmt: skip


def test_figures_survive_the_file(tmp_path: Path) -> None:
    file = tmp_path / "figures.jsonl"
    assert read(file) == []
    figures = [figure(1, "se_net", 0.9), figure(1, "net", 0.89)]
    for entry in figures:
        append(file, entry)
    assert read(file) == figures


def test_what_is_missing_comes_pair_by_pair() -> None:
    done = [figure(1, "se_net", 0.9), figure(1, "net", 0.9), figure(2, "se_net", 0.9)]
    assert list(missing(done, "se_net", [1, 2, 3])) == [(2, "net"), (3, "se_net"), (3, "net")]


def test_the_gain_is_over_whole_pairs_with_students_interval() -> None:
    differences = [0.004, 0.010, -0.002]
    figures = [figure(9, "se_net", 0.1)]
    for seed, difference in enumerate(differences, start=1):
        figures += [figure(seed, "net", 0.9), figure(seed, "se_net", 0.9 + difference)]
    interval = gain(figures, "se_net")
    assert interval is not None
    assert interval.pairs == 3
    assert interval.mean == pytest.approx(0.4)
    half = 4.303 * statistics.stdev([0.4, 1.0, -0.2]) / 3**0.5
    assert interval.high - interval.mean == pytest.approx(half)
    assert interval.mean - interval.low == pytest.approx(half)


def test_one_pair_has_no_interval() -> None:
    assert gain([figure(1, "se_net", 0.9), figure(1, "net", 0.9)], "se_net") is None


def test_a_malformed_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "figures.jsonl").write_text('{"seed": 1}\n')
    with pytest.raises(ConfigurationError, match=r"^--figures: .*malformed"):
        read(tmp_path / "figures.jsonl")
