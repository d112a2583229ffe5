"""Too few open files for `max_connections` are said, and made up for where that is allowed."""

import logging
import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest

from app.contract.errors import ConfigurationError
from app.transport.open_files import connections_allowed
from tests.support.process import ROOT


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def set_soft_limit(soft: int) -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return hard


def test_enough_is_left_as_it_is() -> None:
    set_soft_limit(500)
    assert connections_allowed(100, 16) == 100
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 500


def test_a_soft_limit_is_raised_as_far_as_is_needed(caplog: pytest.LogCaptureFixture) -> None:
    set_soft_limit(100)
    assert connections_allowed(200, 16) == 200
    assert 200 < resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 300
    assert caplog.records == []


def test_a_hard_limit_is_said_and_kept() -> None:
    # In a process of its own, for nobody gets a hard limit back.
    script = (
        "import logging, resource, sys; from app.transport.open_files import connections_allowed\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))\n"
        "logging.basicConfig(stream=sys.stdout)\n"
        "print(connections_allowed(4096, 16))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    line, allowed = ended.stdout.splitlines()
    assert 1 <= int(allowed) < 84
    for word in ("max_connections", "the limit is 100", "ulimit -n", "SENET_MAX_CONNECTIONS"):
        assert word in line


def test_a_limit_that_leaves_nothing_stops_the_start(caplog: pytest.LogCaptureFixture) -> None:
    hard = set_soft_limit(64)
    with caplog.at_level(logging.WARNING), pytest.raises(ConfigurationError) as caught:
        connections_allowed(hard, hard)
    assert caught.value.option == "max_connections"
    assert "raise the limit" in str(caught.value)
