"""One entrance for every kind of source."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label, Preprocessing, Source
from senet.sources import exported_program, published_layout, timm_models, trained, user_module
from senet.sources.labels import read_labels
from senet.sources.loaded import Loaded
from senet.sources.model import SourceModel
from senet.sources.options import SourceOptions
from senet.sources.preprocessing import resolve


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
    if options.test_size and options.timm is None:
        raise ConfigurationError(
            "--test-size", "only timm states another size for tests", "give it with --timm"
        )
    given = (options.checkpoint, options.architecture, options.timm, options.module)
    match given, options.program, options.pretrained:
        case (Path() as file, None, None, None), None, False:
            return trained.load(file)
        case (Path() as file, str() as name, None, None), None, False:
            return published_layout.load(name, file)
        case (Path() as file, None, str() as name, None), None, False:
            return timm_models.load(name, file, test_size=options.test_size)
        case (None, None, str() as name, None), None, True:
            return timm_models.load(name, None, test_size=options.test_size)
        case (Path() as file, None, None, str() as factory), None, False:
            return user_module.load(factory, file)
        case (None, None, None, None), Path() as file, False:
            return exported_program.load(file)
    raise ConfigurationError(
        "--checkpoint",
        "the options name no source, or more than one",
        "give --checkpoint, alone or with one of --architecture, --timm and --module;"
        " --timm with --pretrained; or --exported-program",
    )


def _classes(network: nn.Module | ExportedProgram, preprocessing: Preprocessing) -> int:
    """The number of logits, from what the network gives for an image of the crop's size."""
    if isinstance(network, ExportedProgram):
        logits = network.graph.output_node().all_input_nodes[-1].meta["val"]
    else:
        image = torch.zeros(1, 3, preprocessing.crop_height, preprocessing.crop_width)
        try:
            with torch.no_grad():
                logits = network(image)
        except Exception as error:
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
