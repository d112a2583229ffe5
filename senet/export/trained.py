"""The served graph of a training's checkpoint, in memory."""

from pathlib import Path

from onnx import ModelProto

from app.contract.manifest import Input, Label, Preprocessing
from senet import checkpoint
from senet.export.reference import served
from senet.sources import SourceOptions, load_source


def served_graph(file: Path) -> tuple[ModelProto, Preprocessing, tuple[Label, ...]]:
    """The fp32 graph of the checkpoint's network, with its preprocessing and classes.

    Raises:
        ConfigurationError: if the file is not a checkpoint of a training, or cannot be exported.
    """
    trained = checkpoint.load(file)
    source = load_source(SourceOptions(checkpoint=file))
    preprocessing = trained.preprocessing
    size = Input(height=preprocessing.crop_height, width=preprocessing.crop_width)
    model, _ = served(source, size)
    return model, preprocessing, trained.labels
