"""What a service says where OpenVINO is asked for and not installed."""

from importlib.metadata import PackageNotFoundError
from typing import NoReturn

import pytest

from app.engines.onnx_engine import OnnxEngines
from app.errors import ConfigurationError


def not_installed(name: str) -> NoReturn:
    raise PackageNotFoundError(name)


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.engines.openvino_engine.version", not_installed)
    with pytest.raises(ConfigurationError) as raised:
        OnnxEngines("openvino").providers()
    assert raised.value.option == "provider"
    assert "openvino extra" in raised.value.remedy
    assert "openvino" not in OnnxEngines("cpu").runtime
