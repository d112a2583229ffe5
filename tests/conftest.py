import os
import socket
from pathlib import Path

import pytest

from tests.support.repository import write_model


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
