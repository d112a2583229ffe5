"""Reading what `torch.save` wrote without running code that a pickle may hold."""

import re
import warnings
from pathlib import Path
from typing import Any

import torch

from app.contract.errors import ConfigurationError


def safe_load(path: Path, option: str) -> Any:  # noqa: ANN401 - a file may hold anything
    """Reads tensors and plain Python values onto the CPU.

    Args:
        path: the file.
        option: the option that named it, for a refusal.

    Raises:
        ConfigurationError: if the file is missing or damaged, or holds code.
    """
    if not path.is_file():
        raise ConfigurationError(option, f"{path} is not a file", "give the path of a file")
    try:
        # What torch warns about a strange file says less than the refusal.
        with warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch.load raises errors of many types on damaged files.
        code = re.search(r"GLOBAL (\w+(?:\.\w+)+)", str(error))
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
