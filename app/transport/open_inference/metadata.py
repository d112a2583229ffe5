"""What the service and its models are, in the words of the Open Inference Protocol."""

from collections.abc import Sequence
from typing import Any

from app.contract.signature import TensorSpec
from app.selection.served_model import ServedModel
from app.transport.open_inference.inputs import ENCODED
from app.transport.open_inference.outputs import output_specs
from app.version import VERSION

SERVER = "senet-serving"
EXTENSIONS = ("binary_tensor_data", "classification", "model_configuration", "model_repository")
PLATFORM = "onnxruntime_onnx"

_DATATYPES = {"uint8": "UINT8", "float32": "FP32"}


def server_metadata() -> dict[str, Any]:
    """What the service is."""
    return {"name": SERVER, "version": VERSION, "extensions": list(EXTENSIONS)}


def model_metadata(model: ServedModel, versions: Sequence[str]) -> dict[str, Any]:
    """What goes into a model and comes out of it.

    Args:
        model: the version that is told of.
        versions: all that are loaded.
    """
    return {
        "name": model.name,
        "versions": list(versions),
        "platform": PLATFORM,
        "inputs": [
            _tensor(model.signature.image.name, model.signature.image),
            {"name": ENCODED, "datatype": "BYTES", "shape": [-1, 1]},
        ],
        "outputs": [_tensor(name, spec) for name, spec in output_specs(model)],
    }


def model_config(model: ServedModel) -> dict[str, Any]:
    """The same in the form of Triton's model configuration, which its tools read.

    Each input is optional there, for a request has one of the two.
    """
    image = model.signature.image
    return {
        "name": model.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "version_policy": {"specific": {"versions": [int(model.version)]}},
        "max_batch_size": model.max_batch_size,
        "input": [
            {
                "name": image.name,
                "data_type": "TYPE_UINT8",
                "dims": list(image.sizes),
                "optional": True,
            },
            {"name": ENCODED, "data_type": "TYPE_STRING", "dims": [1], "optional": True},
        ],
        "output": [
            {"name": name, "data_type": "TYPE_FP32", "dims": list(spec.sizes)}
            for name, spec in output_specs(model)
        ],
    }


def answer_parameters(model: ServedModel) -> dict[str, str]:
    """Which model answers, exactly; `/classify` says the same under `model`."""
    return {
        "precision": model.variant.precision,
        "digest": model.digest,
        "preprocessing": model.manifest.preprocessing.digest,
    }


def _tensor(name: str, spec: TensorSpec) -> dict[str, Any]:
    return {"name": name, "datatype": _DATATYPES[spec.dtype], "shape": [-1, *spec.sizes]}
