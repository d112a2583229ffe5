"""These tests need timm, which has an environment of its own: scripts/timm_agreement.sh."""

from collections.abc import Callable
from importlib.util import find_spec

import pytest

# Without timm nothing is collected here, so that this folder alone ends with "no tests ran",
# which pytest counts as a failure.
collect_ignore_glob = [] if find_spec("timm") else ["test_*.py"]

_DIFFERENCES = pytest.StashKey[dict[str, float]]()


@pytest.fixture
def report_difference(request: pytest.FixtureRequest) -> Callable[[str, float], None]:
    """Puts the largest difference of an architecture's logits into the closing table."""
    table = request.config.stash.setdefault(_DIFFERENCES, {})
    return table.__setitem__


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    table = config.stash.get(_DIFFERENCES, {})
    if table:
        terminalreporter.section("largest difference of a logit from timm's, same weights")
        for architecture, difference in table.items():
            terminalreporter.write_line(f"{architecture:<22}{difference:.1e}")
