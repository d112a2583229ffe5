import os
import socket
from collections.abc import Sequence
from pathlib import Path

import onnxruntime
import pytest
from hypothesis import HealthCheck, settings

from tests.support.repository import write_model

# They run in an environment of their own, by `make test-browser`.
collect_ignore = ["browser"]

# A machine that does other things as well is slow, and nothing is wrong with that.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

_TEST_DATA = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    # Read here, because tests run without the SENET_* variables from outside.
    if folder := os.environ.get("SENET_TEST_DATA"):
        config.stash[_TEST_DATA] = Path(folder).resolve()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects tests whose data set or card is not there; pytest counts them in its last line."""
    root = config.stash.get(_TEST_DATA, None)
    nvidia = Path("/dev/nvidiactl").exists()
    cuda = nvidia and "CUDAExecutionProvider" in onnxruntime.get_available_providers()

    def has_data(item: pytest.Item) -> bool:
        needed: Sequence[str] = [mark.args[0] for mark in item.iter_markers("needs_data")]
        return all(root is not None and (root / name).is_dir() for name in needed)

    def can_run(item: pytest.Item) -> bool:
        has_card = nvidia or not item.get_closest_marker("needs_card")
        return has_data(item) and has_card and (cuda or not item.get_closest_marker("needs_cuda"))

    absent = [item for item in items if not can_run(item)]
    if absent:
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if can_run(item)]


@pytest.fixture(scope="session")
def data_sets(pytestconfig: pytest.Config) -> Path:
    """Where the data sets lie that `needs_data` names."""
    return pytestconfig.stash[_TEST_DATA]


@pytest.fixture(autouse=True, scope="session")
def _no_options_from_outside() -> None:
    """The developer's own SENET_* variables must not reach the tests."""
    for name in [name for name in os.environ if name.startswith("SENET_")]:
        del os.environ[name]


@pytest.fixture(autouse=True, scope="session")
def _no_cache_outside(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tests measure must not reach the developer's own services, nor the reverse."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository with the colour classifier. To be read only."""
    root = tmp_path_factory.mktemp("models")
    write_model(root)
    return root


@pytest.fixture
def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
