"""Networks of the timm library, with the weights it publishes or a file of them."""

import difflib
import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label
from senet.sources.loaded import Loaded
from senet.sources.timm_transform import notes_on, preprocessing_of
from senet.sources.weights import read_weights


def load(
    name: str,
    file: Path | None,
    *,
    test_size: bool = False,
    stated: Mapping[str, Any] | None = None,
) -> Loaded:
    """Builds the network that timm calls `name`.

    Args:
        name: an architecture with or without the tag of its weights, such as
            `legacy_senet154.in1k`.
        file: weights, whose classifier says the number of classes; None downloads the
            published ones.
        test_size: whether to take the input size that timm states for tests.
        stated: what comes with the file, in timm's words, and wins over what timm says.

    Raises:
        ConfigurationError: if timm is not installed or doesn't know the name, if the weights
            cannot be had or are of another network, or if their preprocessing cannot be
            reproduced.
    """
    timm = _timm()
    _check_name(timm, name)
    if file is None:
        return _published(timm, name, test_size=test_size)
    weights = read_weights(file)
    network = timm.create_model(name)
    weights = weights.named_as_in(network)
    classifier = weights.state.get(f"{network.pretrained_cfg['classifier']}.weight")
    if classifier is not None and classifier.dim():
        network = timm.create_model(name, num_classes=len(classifier))
    weights.load_into(network, name)
    stated = dict(network.pretrained_cfg) | dict(stated or {})
    return Loaded(
        network.eval(),
        name,
        f"{weights} for timm {timm.__version__}'s {name}",
        licence=stated.get("license"),
        preprocessing=preprocessing_of(stated, test_size=test_size),
        notes=notes_on(stated, test_size=test_size),
    )


def build(name: str, classes: int) -> nn.Module:
    """Builds the network that timm calls `name`, with fresh weights.

    Raises:
        ConfigurationError: if timm is not installed or doesn't know the name.
    """
    timm = _timm()
    _check_name(timm, name)
    network: nn.Module = timm.create_model(name, num_classes=classes)
    return network


def _published(timm: ModuleType, name: str, *, test_size: bool) -> Loaded:
    try:
        network = timm.create_model(name, pretrained=True)
    except Exception as error:
        # A download fails in as many ways as there are networks and hubs.
        raise ConfigurationError(
            "--pretrained",
            f"timm cannot download weights for {name} ({type(error).__name__})",
            "download the file by other means and give it as --checkpoint",
        ) from error
    stated = network.pretrained_cfg
    return Loaded(
        network.eval(),
        name,
        f"{stated.get('hf_hub_id') or stated.get('url')} through timm {timm.__version__}",
        licence=stated.get("license"),
        preprocessing=preprocessing_of(stated, test_size=test_size),
        notes=notes_on(stated, test_size=test_size),
        labels=imagenet_labels(network),
    )


def imagenet_labels(network: Any) -> tuple[Label, ...] | None:  # noqa: ANN401 - timm has no types
    """The classes of published ImageNet weights, or None for those of another data set."""
    data = importlib.import_module("timm.data")
    subset = data.infer_imagenet_subset(network)
    if subset is None:
        return None
    classes = data.ImageNetInfo(subset)
    return tuple(
        Label(
            index=index,
            id=classes.index_to_label_name(index),
            name=classes.index_to_description(index),
        )
        for index in range(classes.num_classes())
    )


def _timm() -> ModuleType:
    try:
        # Imported here because no other kind of source needs it.
        return importlib.import_module("timm")
    except (ImportError, RuntimeError, OSError) as error:
        # torchvision, which it imports, raises the latter two beside another build of torch.
        raise ConfigurationError(
            "--timm",
            f"the timm library cannot be imported ({error})",
            "install timm, and torchvision of the same build as torch, in an environment of its own"
            " (requirements/timm.txt has versions that belong together)",
        ) from error


def _check_name(timm: ModuleType, name: str) -> None:
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(architecture, timm.list_models(), n=3)
        raise ConfigurationError(
            "--timm",
            f"timm {timm.__version__} has no network {architecture!r}",
            f"it has {', '.join(near)}" if near else "see timm.list_models()",
        )
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        raise ConfigurationError(
            "--timm",
            f"timm {timm.__version__} has no weights {tag!r} of {architecture}",
            f"it has {', '.join(tags)}",
        )
