"""Too few open files for `max_connections` are said, and made up for where that is allowed."""

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from app.settings import Settings
from app.transport.open_files import connections_allowed, open_files, shortage
from tests.support.process import ROOT

Make = Callable[..., Settings]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def set_soft_limit(soft: int) -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return hard


def test_enough_is_left_as_it_is(make_settings: Make) -> None:
    set_soft_limit(500)
    assert connections_allowed(make_settings(max_connections=100)) == 100
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 500


def test_a_soft_limit_is_raised_as_far_as_is_needed(
    make_settings: Make, caplog: pytest.LogCaptureFixture
) -> None:
    set_soft_limit(100)
    settings = make_settings(max_connections=200)
    assert connections_allowed(settings) == 200
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == open_files(settings)[0]
    assert shortage(settings) is None
    assert caplog.records == []


def test_the_operations_port_needs_some_as_well(make_settings: Make) -> None:
    needed, _ = open_files(make_settings())
    assert open_files(make_settings(operations_port=0))[0] > needed


def test_the_grpc_port_has_as_many_connections_of_its_own(make_settings: Make) -> None:
    needed, _ = open_files(make_settings(max_connections=100))
    assert open_files(make_settings(max_connections=100, grpc_port=0))[0] == needed + 100


def test_each_process_that_decodes_has_a_socket(make_settings: Make) -> None:
    needed, _ = open_files(make_settings(decode_threads=7, decode_by="threads"))
    settings = make_settings(decode_threads=7, decode_by="processes")
    assert open_files(settings)[0] == needed + 7


def test_a_hard_limit_is_said_and_kept() -> None:
    # In a process of its own, for nobody gets a hard limit back.
    script = (
        "import logging, resource, sys\n"
        "from app.settings import load_settings\n"
        "from app.transport.open_files import connections_allowed\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))\n"
        "logging.basicConfig(stream=sys.stdout)\n"
        "print(connections_allowed(load_settings(['--max-connections', '4096'])))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    line, allowed = ended.stdout.splitlines()
    assert 1 <= int(allowed) < 84
    for word in ("max_connections", "the limit is 100", "ulimit -n", "SENET_MAX_CONNECTIONS"):
        assert word in line


def test_a_limit_that_leaves_nothing_stops_the_start() -> None:
    script = (
        "import resource, sys\n"
        "from app.__main__ import main\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "sys.argv = ['app', '--port', '0']\n"
        "sys.exit(main())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: max_connections: 4096 connections need ")
    assert len(ended.stderr.splitlines()) == 1
