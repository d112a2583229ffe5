"""A plugin of all test suites: tells what was not run, and may count a skip as a failure.

A developer may do without a program that a test needs; where everything must hold, its absence
would otherwise pass for success.
"""

import os
from collections import Counter
from collections.abc import Generator, Sequence
from typing import TypeVar

import pytest

_Report = TypeVar("_Report", pytest.TestReport, pytest.CollectReport)
_DESELECTED = pytest.StashKey[Counter[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fail-on-skip",
        action="store_true",
        default=bool(os.environ.get("CI")),
        help="count a skipped test as failed (the default where CI is set)",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _judged((yield), item.config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _judged((yield), collector.config)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    for item in items:
        item.config.stash.setdefault(_DESELECTED, Counter())[_reason(item)] += 1


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for reason, count in sorted(config.stash.get(_DESELECTED, Counter[str]()).items()):
        terminalreporter.write_line(f"deselected: {count} {reason}")


def _judged(report: _Report, config: pytest.Config) -> _Report:
    # An expected failure is reported as skipped, too.
    is_skip = report.skipped and not hasattr(report, "wasxfail")
    if is_skip and config.getoption("--fail-on-skip"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"no test may be skipped here (--fail-on-skip): {reason}"
    return report


def _reason(item: pytest.Item) -> str:
    if missing := [mark.args[0] for mark in item.iter_markers("needs_data")]:
        return f"that need the data set {' and '.join(missing)}"
    if item.get_closest_marker("needs_card"):
        return "that need an NVIDIA card"
    if item.get_closest_marker("needs_cuda"):
        return "that need an NVIDIA card and ONNX Runtime's build for it"
    return "slow" if item.get_closest_marker("slow") else "by their names or marks"
