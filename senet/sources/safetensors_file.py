"""Safetensors files: eight bytes of length, a JSON header, and the tensors' bytes."""

import json
import math
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import torch
from torch import Tensor

from app.contract.errors import ConfigurationError

# The names that the format gives to types of tensors.
_TYPES = MappingProxyType(
    {
        "F64": torch.float64,
        "F32": torch.float32,
        "F16": torch.float16,
        "BF16": torch.bfloat16,
        "I64": torch.int64,
        "I32": torch.int32,
        "I16": torch.int16,
        "I8": torch.int8,
        "U8": torch.uint8,
        "BOOL": torch.bool,
    }
)
_LENGTH_BYTES = 8
# The bound that the format itself sets.
_MAX_HEADER_BYTES = 100_000_000


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Reads every tensor onto the CPU; the format holds no code.

    Source: https://github.com/huggingface/safetensors#format

    Raises:
        ConfigurationError: if the file is missing, damaged or holds tensors of unusual types.
    """
    try:
        with path.open("rb") as file:
            return _tensors(file, path.stat().st_size)
    except _UnusualTypeError as error:
        raise ConfigurationError(
            "--checkpoint", f"{path} holds tensors of the type {error}", "save them as float32"
        ) from error
    # A header may be any JSON, and its numbers and names anything.
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigurationError(
            "--checkpoint",
            f"{path} is missing, truncated or no safetensors file",
            "give an undamaged file",
        ) from error


class _UnusualTypeError(Exception):
    """A type that weights of a classifier don't have."""


def _tensors(file: BinaryIO, size: int) -> dict[str, Tensor]:
    length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    if length > min(size, _MAX_HEADER_BYTES):
        raise ValueError("the header is longer than the file")
    header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    tensors = {}
    position = 0
    # Tensors follow each other without gaps, so no byte is read twice.
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        start, end = entry["data_offsets"]
        if start != position or not start <= end <= size - _LENGTH_BYTES - length:
            raise ValueError("tensors overlap, leave gaps or pass the file's end")
        tensors[name] = _tensor(file.read(end - start), entry)
        position = end
    if position != size - _LENGTH_BYTES - length:
        raise ValueError("bytes are left behind the last tensor")
    return tensors


def _tensor(content: bytes, entry: dict[str, Any]) -> Tensor:
    if entry["dtype"] not in _TYPES:
        raise _UnusualTypeError(entry["dtype"])
    kind, shape = _TYPES[entry["dtype"]], entry["shape"]
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError("a shape is not of natural numbers")
    if math.prod(shape) * kind.itemsize != len(content):
        raise ValueError("a tensor's bytes do not match its shape")
    if not content:
        return torch.empty(shape, dtype=kind)
    # A copy, because PyTorch wants memory that may be written to.
    return torch.frombuffer(bytearray(content), dtype=kind).reshape(shape)
