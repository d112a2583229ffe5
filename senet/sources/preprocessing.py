"""Preprocessing from what a source states and what the flags say."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import ValidationError

from app.contract.errors import ConfigurationError
from app.contract.manifest import Preprocessing
from senet.sources.options import PreprocessingOptions

# How the field prepares photos: at full size, by torchvision or a library that rounds as it does.
_OF_THE_FIELD = {"geometry": "torchvision", "scaled_decoding": False}
# Guessed, these would cost accuracy silently.
_NEEDED = ("resize_shorter_side", "crop_height", "crop_width", "mean", "std")


def resolve(stated: Mapping[str, Any], options: PreprocessingOptions) -> Preprocessing:
    """Merges the two; the flags win.

    Args:
        stated: values for keys of `Preprocessing` that the source states.
        options: the flags.

    Raises:
        ConfigurationError: if a value that must not be guessed is missing, or one is wrong.
    """
    flags = {key: value for key, value in asdict(options).items() if value is not None}
    values = {**_OF_THE_FIELD, **stated, **flags}
    missing = [key for key in _NEEDED if key not in values]
    if missing:
        raise ConfigurationError(
            _flag(missing[0]),
            "the source does not say how its network's images were prepared",
            f"give {', '.join(map(_flag, missing))}",
        )
    _refuse_other_units(values)
    try:
        return Preprocessing.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]) if first["loc"] else "crop_height"
        raise ConfigurationError(
            _flag(option), first["msg"].removeprefix("Value error, "), f"got {values[option]}"
        ) from error


def _refuse_other_units(values: Mapping[str, Any]) -> None:
    """Raises ConfigurationError if `mean` or `std` cannot be in units of 0..1."""
    for key in ("mean", "std"):
        beyond = [value for value in values[key] if not 0 <= value <= 1]
        if beyond:
            raise ConfigurationError(
                _flag(key),
                f"{beyond[0]:g} is not within 0..1, the units of pixels here",
                "divide values for pixels of 0..255 by 255",
            )


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")
