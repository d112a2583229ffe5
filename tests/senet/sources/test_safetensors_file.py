"""Safetensors files are read whole and exactly, or refused."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from app.contract.errors import ConfigurationError
from senet.sources.weights import read_weights

Header = dict[str, Any]


def written(tmp_path: Path, header: object, content: bytes, name: str = "m.safetensors") -> Path:
    encoded = json.dumps(header).encode()
    # The format fills headers up with spaces to a multiple of eight bytes.
    encoded += b" " * (-len(encoded) % 8)
    path = tmp_path / name
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + content)
    return path


def good() -> tuple[Header, bytes]:
    """The tensors of the test below, in another order than that of their bytes."""
    header: Header = {
        "steps": {"dtype": "I64", "shape": [], "data_offsets": [8, 16]},
        "half": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [16, 20]},
        "none": {"dtype": "F32", "shape": [0, 3], "data_offsets": [20, 20]},
        "weight": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]},
        "__metadata__": {"format": "pt"},
    }
    return header, struct.pack("<2fq2H", 1.5, -2.0, 7, 0x3F80, 0xC000)


@pytest.mark.parametrize("name", ["m.safetensors", "without-suffix", "m.bin"])
def test_every_tensor_is_read(tmp_path: Path, name: str) -> None:
    state = read_weights(written(tmp_path, *good(), name)).state
    expected = {
        "weight": torch.tensor([[1.5], [-2.0]]),
        "steps": torch.tensor(7),
        "half": torch.tensor([[1.0, -2.0]], dtype=torch.bfloat16),
        "none": torch.empty(0, 3),
    }
    torch.testing.assert_close(dict(state), expected, rtol=0, atol=0)


def changed(name: str, key: str, value: object) -> Callable[[Header], object]:
    return lambda header: header | {name: header[name] | {key: value}}


@pytest.mark.parametrize(
    "change",
    [
        changed("weight", "shape", [3, 1]),
        changed("weight", "shape", [-2, -1]),
        changed("weight", "shape", [2.0, 1]),
        changed("weight", "shape", [True, 2]),
        changed("weight", "shape", [10**30, 10**30]),
        changed("weight", "shape", None),
        changed("weight", "data_offsets", [0, 16]),
        changed("weight", "data_offsets", [-8, 0]),
        changed("weight", "data_offsets", [0]),
        changed("weight", "data_offsets", "08"),
        changed("half", "data_offsets", [16, 10**30]),
        changed("half", "data_offsets", [20, 16]),
        lambda header: {name: entry for name, entry in header.items() if name != "half"},
        lambda header: header | {"weight": 3},
        lambda header: header | {"weight": {}},
        lambda header: [header],
        lambda _: {"a": [[]] * 3},
    ],
)
def test_a_damaged_header_is_refused(tmp_path: Path, change: Callable[[Header], object]) -> None:
    header, content = good()
    with pytest.raises(ConfigurationError, match="truncated or no safetensors file"):
        read_weights(written(tmp_path, change(header), content))


@pytest.mark.parametrize("length", [0, 4, 8, 20, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, length: int) -> None:
    path = written(tmp_path, *good())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ConfigurationError, match="truncated or no safetensors file"):
        read_weights(path)


@pytest.mark.parametrize("header", [b"{" * 200_000, b"[" * 200_000, b"{\xff}", b"null"])
def test_a_header_that_is_no_object_is_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(ConfigurationError, match="truncated or no safetensors file"):
        read_weights(path)


def test_a_length_beyond_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(struct.pack("<Q", 2**63) + b"{}")
    with pytest.raises(ConfigurationError, match="truncated or no safetensors file"):
        read_weights(path)


def test_an_unusual_type_is_named(tmp_path: Path) -> None:
    header, content = good()
    with pytest.raises(ConfigurationError, match="tensors of the type F8_E4M3; save them as"):
        read_weights(written(tmp_path, changed("weight", "dtype", "F8_E4M3")(header), content))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is missing"):
        read_weights(tmp_path / "absent.safetensors")
