"""Client of the SENet image classification service."""

from importlib.metadata import PackageNotFoundError, version

from senet_client import errors
from senet_client.async_client import AsyncClient
from senet_client.changes import ModelStatus
from senet_client.client import Client
from senet_client.errors import SenetClientError
from senet_client.feedback import Label
from senet_client.flow import Retries, Retry, Timeouts
from senet_client.images import ImageLike
from senet_client.requests import ClassifyOptions, ExplainOptions
from senet_client.results import (
    Batch,
    BlockGates,
    ClassGates,
    Classification,
    LoadedModel,
    Model,
    Prediction,
    Result,
    SetMember,
    Timing,
)

__all__ = [
    "AsyncClient",
    "Batch",
    "BlockGates",
    "ClassGates",
    "Classification",
    "ClassifyOptions",
    "Client",
    "ExplainOptions",
    "ImageLike",
    "Label",
    "LoadedModel",
    "Model",
    "ModelStatus",
    "Prediction",
    "Result",
    "Retries",
    "Retry",
    "SenetClientError",
    "SetMember",
    "Timeouts",
    "Timing",
    "__version__",
    "errors",
]

try:
    __version__ = version("senet-client")
except PackageNotFoundError:  # run from a folder that was never installed
    __version__ = "0"
