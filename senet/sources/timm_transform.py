"""Our words for timm's evaluation transform (`timm.data.create_transform`)."""

import math
from collections.abc import Mapping
from typing import Any, get_args

from app.contract.errors import ConfigurationError
from app.contract.manifest import Interpolation

_GEOMETRIES = {"center": "torchvision", "squash": "squash"}


def preprocessing_of(stated: Mapping[str, Any], *, test_size: bool) -> dict[str, Any]:
    """The preprocessing that `stated`, a network's `pretrained_cfg`, asks for.

    Args:
        stated: as timm resolves it.
        test_size: whether to take the size that timm states for tests.

    Raises:
        ConfigurationError: if it cannot be reproduced, or there is no size for tests.
    """
    if test_size and not _has_test_size(stated):
        raise ConfigurationError(
            "--test-size",
            f"timm states no other size for tests of {stated.get('architecture', 'this network')}",
            "leave it out",
        )
    (channels, height, width), crop_pct = _size(stated, test_size=test_size)
    if channels != 3:
        raise _refusal(f"images of {channels} channels", "colour images")
    if height != width:
        # timm then rounds otherwise than torchvision.
        raise _refusal(f"an input of {width} x {height} pixels", "a square input")
    if crop_pct > 1:
        raise _refusal(f"a crop fraction of {crop_pct:g}, which pads", "one of at most 1")
    if stated["crop_mode"] not in _GEOMETRIES:
        raise _refusal(
            f"crop mode {stated['crop_mode']!r}", f"one of {', '.join(map(repr, _GEOMETRIES))}"
        )
    if stated["interpolation"] not in get_args(Interpolation):
        raise _refusal(
            f"interpolation {stated['interpolation']!r}",
            f"one of {', '.join(get_args(Interpolation))}",
        )
    return {
        "geometry": _GEOMETRIES[stated["crop_mode"]],
        "resize_shorter_side": math.floor(height / crop_pct),
        "crop_height": height,
        "crop_width": width,
        "interpolation": stated["interpolation"],
        "mean": stated["mean"],
        "std": stated["std"],
    }


def notes_on(stated: Mapping[str, Any], *, test_size: bool) -> tuple[str, ...]:
    """What whoever exports should know: that the weights are published with two sizes."""
    if not _has_test_size(stated):
        return ()
    taken, other = (
        _described(_size(stated, test_size=test)) for test in (test_size, not test_size)
    )
    if test_size:
        note = f"Input size: timm's for tests, {taken}; the network was trained at {other}."
    else:
        note = (
            f"Input size: {taken}, as the network was trained; timm tests it at {other}, which"
            " `--test-size` takes."
        )
    return (note,)


def _has_test_size(stated: Mapping[str, Any]) -> bool:
    return _size(stated, test_size=True) != _size(stated, test_size=False)


def _size(stated: Mapping[str, Any], *, test_size: bool) -> tuple[tuple[int, int, int], float]:
    """Channels, height and width of the input, and the crop's fraction of the resized photo."""
    size, crop_pct = stated["input_size"], stated["crop_pct"]
    if test_size:
        size = stated.get("test_input_size") or size
        crop_pct = stated.get("test_crop_pct") or crop_pct
    return tuple(size), crop_pct


def _described(size: tuple[tuple[int, int, int], float]) -> str:
    (_, height, width), crop_pct = size
    return f"{width} x {height} px with a crop fraction of {crop_pct:g}"


def _refusal(found: str, wanted: str) -> ConfigurationError:
    return ConfigurationError(
        "--timm",
        f"the weights were evaluated with {found}, which cannot be reproduced",
        f"choose weights that were evaluated with {wanted}",
    )
