from collections.abc import Callable, Iterator

import httpx
import pytest

from app.settings import Settings
from tests.support.engines import FakeEngines
from tests.support.grpc_client import GrpcClient
from tests.support.server import LiveServer, running


@pytest.fixture(scope="module")
def server(make_settings: Callable[..., Settings]) -> Iterator[LiveServer]:
    """A ready service that also speaks gRPC, shared by the tests of a module."""
    with running(make_settings(grpc_port=0), FakeEngines()) as live:
        yield live


@pytest.fixture
def client(server: LiveServer) -> Iterator[GrpcClient]:
    with GrpcClient(server.grpc_port) as client:
        yield client


@pytest.fixture
def http(server: LiveServer) -> Iterator[httpx.Client]:
    """For `/classify` and `/metrics` of the same service."""
    with server.client() as client:
        yield client
