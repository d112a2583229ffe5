"""The colour classifier with other inputs and outputs, as ONNX file and as signature."""

from collections.abc import Mapping

import onnx

from app.contract.signature import Meaning
from tests.support.repository import COLOUR_SIGNATURE, ManifestDict, colour_model


def without_output(name: str) -> bytes:
    """The colour classifier without one of its outputs."""
    model = onnx.load_from_string(colour_model())
    kept = [output for output in model.graph.output if output.name != name]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    return _checked(model)


def with_names(names: Mapping[str, str]) -> bytes:
    """The colour classifier with other names of its inputs and outputs."""
    model = onnx.load_from_string(colour_model())
    graph = model.graph
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    return _checked(model)


def signature_without(manifest: ManifestDict, meaning: Meaning) -> None:
    """Takes an output out of a manifest's signature."""
    signature = COLOUR_SIGNATURE.model_dump(mode="json")
    signature["outputs"] = [
        output for output in signature["outputs"] if output["meaning"] != meaning
    ]
    manifest["signature"] = signature


def signature_with_names(manifest: ManifestDict, names: Mapping[str, str]) -> None:
    """Gives inputs and outputs other names in a manifest's signature."""
    signature = COLOUR_SIGNATURE.model_dump(mode="json")
    for spec in (*signature["inputs"], *signature["outputs"]):
        spec["name"] = names.get(spec["name"], spec["name"])
    manifest["signature"] = signature


def _checked(model: onnx.ModelProto) -> bytes:
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content
