"""Checkpoints of this project's own training."""

from pathlib import Path

from app.contract.errors import ConfigurationError
from senet import checkpoint
from senet.file_kind import FileKind, kind_of
from senet.sources.architecture import build
from senet.sources.loaded import Loaded, described
from senet.sources.weights import Weights

_NAME_THE_NETWORK = ", or say what network the weights are of: --architecture, --timm or --module"


def load(file: Path) -> Loaded:
    """Loads a checkpoint, which brings its own preprocessing and labels.

    Raises:
        ConfigurationError: if it is not such a checkpoint.
    """
    try:
        trained = checkpoint.load(file)
    except ConfigurationError as error:
        # A file of another kind has a remedy of its own.
        names = kind_of(file) in (None, FileKind.SAFETENSORS)
        raise ConfigurationError(
            "--checkpoint", error.cause, error.remedy + (_NAME_THE_NETWORK if names else "")
        ) from error
    try:
        network = build(trained.architecture, classes=len(trained.labels))
    except ValueError as error:
        raise ConfigurationError(
            "--checkpoint", str(error), "give a file of this version"
        ) from error
    Weights(file, None, trained.weights).load_into(network, trained.architecture)
    return Loaded(
        network.eval(),
        trained.architecture,
        f"{trained.provenance}; {described(file)}",
        preprocessing=trained.preprocessing.model_dump(),
        labels=trained.labels,
    )
