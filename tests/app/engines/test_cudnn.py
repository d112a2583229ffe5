"""A machine without cuDNN is refused before a model is loaded, by what is missing."""

import ctypes
from pathlib import Path

import pytest

from app.contract.errors import ConfigurationError
from app.engines.cudnn import require_cudnn


def test_it_is_asked_for_by_the_name_that_onnx_runtime_uses() -> None:
    asked: list[str] = []
    require_cudnn(asked.append)
    assert asked == ["libcudnn.so.9"]


@pytest.mark.parametrize("content", [None, b"", b"not a library"])
def test_a_missing_or_damaged_library_names_the_option_and_the_remedy(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "libcudnn.so.9").write_bytes(content)
    with pytest.raises(ConfigurationError) as raised:
        require_cudnn(lambda name: ctypes.CDLL(str(tmp_path / name)))
    # The option by which "auto" goes on to the next provider.
    assert raised.value.option == "provider"
    assert "cuDNN 9 does not load" in str(raised.value)
    assert "libcudnn.so.9" in str(raised.value)
    assert "--provider cpu" in str(raised.value)
