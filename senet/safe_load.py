"""Reading what `torch.save` wrote without running code that a pickle may hold."""

import re
import warnings
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from app.contract.errors import ConfigurationError
from senet.file_kind import REMEDIES, kind_of

# What training programs put beside the weights: options, paths, figures, dates and their types.
_PLAIN = (
    "argparse.Namespace",
    "types.SimpleNamespace",
    *(f"builtins.{name}" for name in ("bool", "float", "frozenset", "int", "list", "str", "tuple")),
    *(f"datetime.{name}" for name in ("date", "datetime", "timedelta", "timezone")),
    *(
        f"{module}.{name}"
        for module in ("pathlib", "pathlib._local")
        for name in ("PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath")
    ),
    *(
        f"numpy.{core}.multiarray.{name}"
        for core in ("core", "_core")
        for name in ("scalar", "_reconstruct")
    ),
    *(f"numpy.{name}" for name in ("dtype", "ndarray", "float32", "float64", "int64")),
    "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata",
    "omegaconf.dictconfig.DictConfig",
    "omegaconf.listconfig.ListConfig",
    *(f"omegaconf.nodes.{name}Node" for name in ("Any", "Boolean", "Float", "Integer", "String")),
    "torch.torch_version.TorchVersion",
    "typing.Any",
)
_DICTIONARIES = (
    "builtins.dict",
    "collections.defaultdict",
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
)
_LISTS = ("collections.deque",)


class _StandIn:
    """Takes the place of a harmless object, whose own code is not run either."""

    def __new__(cls, *_: object, **__: object) -> "_StandIn":
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


class _Dictionary:
    """Makes a plain dictionary, which PyTorch lets a file fill."""

    # That it makes none of its own instances is the point.
    def __new__(cls, *_: object) -> dict[Any, Any]:  # type: ignore[misc]
        return {}


class _List:
    """Makes a plain list, which PyTorch lets a file fill."""

    # Likewise.
    def __new__(cls, *_: object) -> list[Any]:  # type: ignore[misc]
        return []


_STAND_INS = MappingProxyType({_StandIn: _PLAIN, _Dictionary: _DICTIONARIES, _List: _LISTS})


def safe_load(path: Path, option: str) -> Any:  # noqa: ANN401 - a file may hold anything
    """Reads tensors and plain Python values onto the CPU.

    Objects of harmless types, such as the `argparse.Namespace` of a training's options, are
    replaced by stand-ins without content.

    Args:
        path: the file.
        option: the option that named it, for a refusal.

    Raises:
        ConfigurationError: if the file is missing, damaged or of another kind, or holds code.
    """
    if not path.is_file():
        raise ConfigurationError(option, f"{path} is not a file", "give the path of a file")
    kind = kind_of(path)
    if kind is not None:
        raise ConfigurationError(
            option, f"{path} is {kind}, not what torch.save writes", REMEDIES[kind]
        )
    harmless: list[Any] = [
        (stand_in, name) for stand_in, names in _STAND_INS.items() for name in names
    ]
    try:
        # What torch warns about a strange file says less than the refusal.
        with (
            warnings.catch_warnings(action="ignore"),
            torch.serialization.safe_globals(harmless),
        ):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch.load raises errors of many types on damaged files.
        code = re.search(r"GLOBAL (\w+(?:\.\w+)*)\s", str(error))
        if code is not None:
            raise ConfigurationError(
                option,
                f"{path} holds code ({code[1]}), which is not run",
                "save tensors and plain values alone: torch.save(network.state_dict(), FILE)",
            ) from error
        raise ConfigurationError(
            option,
            f"{path} is truncated, or was not written by torch.save",
            "give an undamaged file",
        ) from error
