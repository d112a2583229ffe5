"""Fixtures, for conftests to import: a real server on the colour classifier, and its client."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import Settings
from tests.support.engines import FakeEngines
from tests.support.server import LiveServer, running


@pytest.fixture(scope="session")
def make_settings(repository: Path) -> Callable[..., Settings]:
    """Settings that serve the colour classifier, nothing measured, with further options."""

    def make(**options: object) -> Settings:
        defaults: dict[str, Any] = {
            "model_repository": repository,
            "model": "colours",
            "inference_threads": 1,
        }
        return Settings(**(defaults | options))

    return make


@pytest.fixture(scope="module")
def server(make_settings: Callable[..., Settings]) -> Iterator[LiveServer]:
    """A ready service with default options, shared by the tests of a module."""
    with running(make_settings(), FakeEngines()) as live:
        yield live


@pytest.fixture
def client(server: LiveServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client
