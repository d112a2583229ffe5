"""Networks of timm as the Hugging Face hub keeps them: `config.json` and `model.safetensors`."""

import importlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label
from senet.sources import timm_models
from senet.sources.labels import numbered
from senet.sources.loaded import Loaded

_CONFIG = "config.json"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_OF_TIMM = "timm/"
# Of configurations that people wrote; larger ones are something else.
_MAX_CONFIG_BYTES = 10_000_000


def load(name: str, *, test_size: bool = False) -> Loaded:
    """Downloads a network's two files, or takes them from the hub's cache, and loads them.

    Args:
        name: `organisation/name`, or a folder of this machine that holds both files.
        test_size: see `load_folder`.

    Raises:
        ConfigurationError: if the network cannot be had, or as `load_folder`.
    """
    if (Path(name) / _CONFIG).is_file():
        return load_folder(Path(name), option="--hf-hub", test_size=test_size)
    if not _NAME.fullmatch(name):
        raise _refusal(
            "--hf-hub",
            f"{name!r} is neither ORG/NAME nor a folder with a {_CONFIG}",
            "give it as the hub writes it",
        )
    try:
        hub = importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise _refusal(
            "--hf-hub",
            f"the huggingface_hub library cannot be imported ({error})",
            "install requirements/timm.txt in an environment of its own",
        ) from error
    try:
        folder = Path(hub.hf_hub_download(name, _CONFIG)).parent
        try:
            hub.hf_hub_download(name, _WEIGHTS[0])
        except hub.errors.EntryNotFoundError:
            hub.hf_hub_download(name, _WEIGHTS[1])
    # The hub's client raises errors of its own and of the transport below.
    except Exception as error:
        raise _refusal(
            "--hf-hub",
            f"{name} cannot be downloaded ({type(error).__name__})",
            "see whether the name is right and needs a token (HF_TOKEN), or give a folder with its"
            f" {_CONFIG} and {_WEIGHTS[0]} as --checkpoint",
        ) from error
    loaded = load_folder(folder, option="--hf-hub", name=name, test_size=test_size)
    if loaded.labels is None and name.startswith(_OF_TIMM):
        # Its networks for ImageNet come without names.
        return replace(loaded, labels=timm_models.imagenet_labels(loaded.network))
    return loaded


def load_folder(
    folder: Path,
    *,
    option: str = "--checkpoint",
    name: str | None = None,
    test_size: bool = False,
) -> Loaded:
    """Loads a network from a folder that holds both files.

    Args:
        folder: where they lie.
        option: the option that named it.
        name: of the network on the hub, if it came from there.
        test_size: whether to take the input size that the configuration states for tests.

    Raises:
        ConfigurationError: if a file is missing or damaged, or the network is none of timm's, or
            has several labels a photo.
    """
    config = _config(folder, option)
    architecture = config.get("architecture")
    if not isinstance(architecture, str):
        kind = config.get("architectures") or config.get("model_type") or "no architecture"
        raise _refusal(
            option,
            f"{folder / _CONFIG} names {kind}, not an architecture of timm",
            "give a network that timm wrote, or your own with --module",
        )
    if config.get("problem_type") == "multi_label_classification":
        raise _refusal(
            option,
            f"{folder} is a network of several labels a photo, while scores here sum to 1",
            "give a network of which each photo has one class",
        )
    weights = next((folder / file for file in _WEIGHTS if (folder / file).is_file()), None)
    if weights is None:
        raise _refusal(option, f"{folder} holds no {_WEIGHTS[0]}", "add it")
    loaded = timm_models.load(
        architecture, weights, test_size=test_size, stated=_stated(config, folder, option)
    )
    described = loaded.weights if name is None else f"{name} of the hub, {loaded.weights}"
    return replace(loaded, weights=described, labels=_labels(config, folder, option))


def _config(folder: Path, option: str) -> dict[str, Any]:
    path = folder / _CONFIG
    try:
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            raise ValueError("too large")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _refusal(
            option, f"{path} is missing or no JSON", "give a folder with one of timm's"
        ) from error
    if not isinstance(content, dict):
        raise _refusal(option, f"{path} holds no object", "give a folder with one of timm's")
    return content


def _stated(config: dict[str, Any], folder: Path, option: str) -> dict[str, Any]:
    """What the configuration says of preprocessing, in timm's words."""
    # Before timm 0.9 these stood beside the architecture.
    stated = config.get("pretrained_cfg", config)
    if not isinstance(stated, dict):
        raise _refusal(
            option, f"pretrained_cfg of {folder / _CONFIG} is not a JSON object", "correct it"
        )
    return stated


def _labels(config: dict[str, Any], folder: Path, option: str) -> tuple[Label, ...] | None:
    names = config.get("label_names")
    if names is None:
        return None
    descriptions = config.get("label_descriptions") or {}
    if (
        not isinstance(names, list)
        or not all(isinstance(name, str) and name.strip() for name in names)
        or len(set(names)) != len(names)
        or not isinstance(descriptions, dict)
    ):
        raise _refusal(
            option,
            f"label_names of {folder / _CONFIG} are not a list of distinct names",
            "give --labels FILE",
        )
    return numbered(
        [
            (
                name if name.split() == [name] else "",
                " ".join(str(descriptions.get(name, name)).split()),
            )
            for name in names
        ]
    )


def _refusal(option: str, cause: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(option, cause, remedy)
