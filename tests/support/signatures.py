"""The colour classifier with other inputs and outputs, as ONNX file and as signature."""

from collections.abc import Mapping

import onnx

from app.contract.signature import Meaning
from tests.support.colours import COLOURS
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


def with_excitations() -> bytes:
    """The colour classifier with two "gates": its mean colour, and its logits made smooth."""
    model = onnx.load_from_string(colour_model())
    sources = (
        ("excitation.first", "Identity", "embedding"),
        ("excitation.2.b", "Sigmoid", "logits"),
    )
    for name, operator, source in sources:
        model.graph.node.append(onnx.helper.make_node(operator, [source], [name]))
        shape: list[str | int | None] = ["batch", 3 if source == "embedding" else len(COLOURS)]
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        )
    return _checked(model)


def signature_with_excitations(manifest: ManifestDict) -> None:
    """Puts the excitations into a manifest's signature."""
    signature = COLOUR_SIGNATURE.model_dump(mode="json")
    for name, channels in (("excitation.first", 3), ("excitation.2.b", len(COLOURS))):
        shape = ["batch", channels]
        entry = {"name": name, "shape": shape, "dtype": "float32", "meaning": "excitation"}
        signature["outputs"].append(entry)
    manifest["signature"] = signature


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
