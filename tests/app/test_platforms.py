"""Where platforms tell the service to listen."""

import os
from collections.abc import Mapping

import pytest

from app.contract.errors import ConfigurationError
from app.platforms import vertex_routes, with_platform
from app.settings import load_settings


@pytest.mark.parametrize(
    ("environment", "arguments", "expected"),
    [
        ({}, [], ("127.0.0.1", 8000)),
        ({}, ["serve"], ("0.0.0.0", 8080)),  # noqa: S104 - what SageMaker demands
        ({"SENET_PORT": "8000"}, ["serve"], ("0.0.0.0", 8080)),  # noqa: S104 - as the image sets it
        ({"SAGEMAKER_BIND_TO_PORT": "8444"}, ["serve"], ("0.0.0.0", 8444)),  # noqa: S104
        ({}, ["serve", "--port", "9000"], ("0.0.0.0", 9000)),  # noqa: S104
        ({}, ["serve", "--host=127.0.0.1"], ("127.0.0.1", 8080)),
        ({"AIP_HTTP_PORT": "7080", "SENET_PORT": "8000"}, [], ("0.0.0.0", 7080)),  # noqa: S104
        ({"AIP_HTTP_PORT": "7080"}, ["--port=9000"], ("0.0.0.0", 9000)),  # noqa: S104
        ({"PORT": "3000"}, [], ("127.0.0.1", 8000)),  # somebody else's
        ({"K_SERVICE": "senet", "PORT": "8080"}, [], ("0.0.0.0", 8080)),  # noqa: S104
        ({"K_SERVICE": "senet", "PORT": "8080"}, ["--port", "9000"], ("0.0.0.0", 9000)),  # noqa: S104
    ],
)
def test_host_and_port(
    monkeypatch: pytest.MonkeyPatch,
    environment: Mapping[str, str],
    arguments: list[str],
    expected: tuple[str, int],
) -> None:
    for name, value in environment.items():
        monkeypatch.setitem(os.environ, name, value)
    settings = load_settings(arguments)
    assert (settings.host, settings.port) == expected


@pytest.mark.parametrize("port", ["", "http", "0", "-1", "65536", "9" * 30, "80 "])
def test_a_port_that_is_none_is_named(port: str) -> None:
    with pytest.raises(ConfigurationError, match="AIP_HTTP_PORT"):
        with_platform({"AIP_HTTP_PORT": port}, [])


def test_a_port_of_knative_s_that_is_none_is_named() -> None:
    with pytest.raises(ConfigurationError, match="PORT=http"):
        with_platform({"K_SERVICE": "senet", "PORT": "http"}, [])


def test_vertex_routes() -> None:
    assert vertex_routes({}) == ("/health", "/predict")
    routes = {"AIP_HEALTH_ROUTE": "/v1/x", "AIP_PREDICT_ROUTE": "/v1/endpoints/5:predict"}
    assert vertex_routes(routes) == ("/v1/x", "/v1/endpoints/5:predict")


@pytest.mark.parametrize("route", ["", "predict", "/a?b", "/{model}", "/a b"])
def test_a_route_that_is_no_path_is_named(route: str) -> None:
    with pytest.raises(ConfigurationError, match="AIP_PREDICT_ROUTE"):
        vertex_routes({"AIP_PREDICT_ROUTE": route})
