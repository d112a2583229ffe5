"""One entrance for every kind of source."""

from pathlib import Path

import torch
from torch import Tensor
from torch.export import ExportedProgram

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label, Preprocessing, Source
from senet.sources import (
    exported_program,
    hugging_face,
    onnx_network,
    published_layout,
    timm_models,
    trained,
    user_module,
)
from senet.sources.labels import read_labels
from senet.sources.loaded import Loaded
from senet.sources.model import SourceModel
from senet.sources.network import Network, OnnxNetwork
from senet.sources.options import SourceOptions
from senet.sources.preprocessing import resolve

# In what PyTorch says of a first layer with another number of channels.
_ONE_CHANNEL = "to have 1 channels, but got 3 channels"


def load_source(options: SourceOptions) -> SourceModel:
    """Loads the network that `options` names, with its preprocessing and labels.

    Raises:
        ConfigurationError: if the options contradict each other, or a file is not what they
            say.
    """
    loaded = _load(options)
    preprocessing = resolve(loaded.preprocessing, options.preprocessing)
    return SourceModel(
        network=loaded.network,
        architecture=loaded.architecture,
        source=Source(
            weights=loaded.weights, licence=options.licence or loaded.licence or "not stated"
        ),
        preprocessing=preprocessing,
        labels=_labels(loaded, options.labels, _classes(loaded.network, preprocessing)),
        notes=loaded.notes,
    )


def _load(options: SourceOptions) -> Loaded:
    folder = options.checkpoint is not None and options.checkpoint.is_dir()
    if options.test_size and not (options.timm or options.hub or folder):
        raise ConfigurationError(
            "--test-size", "only timm states another size for tests", "leave it out"
        )
    whole = (options.program, options.onnx, options.hub)
    if sum(given is not None for given in whole) == 1 and not options.names_weights:
        match whole:
            case Path() as file, None, None:
                return exported_program.load(file)
            case None, Path() as file, None:
                return onnx_network.load(file)
            case None, None, str() as name:
                return hugging_face.load(name, test_size=options.test_size)
    given = (options.checkpoint, options.architecture, options.timm, options.module)
    match given, any(whole), options.pretrained:
        case (Path() as file, None, None, None), False, False if file.is_dir():
            return hugging_face.load_folder(file, test_size=options.test_size)
        case (Path() as file, None, None, None), False, False:
            return trained.load(file)
        case (Path() as file, str() as name, None, None), False, False:
            return published_layout.load(name, file)
        case (Path() as file, None, str() as name, None), False, False:
            return timm_models.load(name, file, test_size=options.test_size)
        case (None, None, str() as name, None), False, True:
            return timm_models.load(name, None, test_size=options.test_size)
        case (Path() as file, None, None, str() as factory), False, False:
            return user_module.load(factory, file)
    raise ConfigurationError(
        "--checkpoint",
        "the options name no source, or more than one",
        "give --checkpoint, alone or with one of --architecture, --timm and --module;"
        " --timm with --pretrained; or one of --exported-program, --onnx and --hf-hub",
    )


def _classes(network: Network, preprocessing: Preprocessing) -> int:
    """The number of logits, from what the network gives for an image of the crop's size."""
    if isinstance(network, OnnxNetwork):
        return network.classes
    if isinstance(network, ExportedProgram):
        logits = network.graph.output_node().all_input_nodes[-1].meta["val"]
    else:
        image = torch.zeros(1, 3, preprocessing.crop_height, preprocessing.crop_width)
        try:
            with torch.no_grad():
                logits = network(image)
        except Exception as error:
            if _ONE_CHANNEL in str(error):
                raise ConfigurationError(
                    "network",
                    "it takes images of one channel, and only colour images are served",
                    "let its forward() take three channels, and average them",
                ) from error
            # A user's network may raise anything.
            raise ConfigurationError(
                "--crop-height",
                f"the network fails on an image of {preprocessing.crop_width} x"
                f" {preprocessing.crop_height} pixels ({' '.join(str(error).split())[:200]})",
                "give the size that it was trained for",
            ) from error
    if not isinstance(logits, Tensor) or logits.dim() != 2:
        raise ConfigurationError(
            "network",
            "it does not return one tensor of logits",
            "let forward() return [batch, classes]",
        )
    return int(logits.shape[1])


def _labels(loaded: Loaded, file: Path | None, classes: int) -> tuple[Label, ...]:
    if file is not None:
        return read_labels(file, classes)
    if loaded.labels is None:
        raise ConfigurationError(
            "--labels",
            f"{loaded.architecture} comes without names for its {classes} classes",
            "give --labels FILE with a class a line, `index id name` or its name, or JSON",
        )
    return loaded.labels
