"""PyTorch module -> one self-contained ONNX model with the served graph's names."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import onnx
import torch
from onnx import ModelProto, TensorProto, ValueInfoProto

from app.contract.errors import ConfigurationError
from app.contract.manifest import Input
from app.contract.signature import (
    BATCH,
    EXCITATION,
    NAMES,
    Kind,
    Meaning,
    Signature,
    TensorSpec,
)
from senet.export.graph import ServedGraph
from senet.export.quiet import quiet
from senet.export.runtime import INPUT


def to_onnx(graph: ServedGraph, size: Input) -> ModelProto:
    """Translates `graph`, in eval mode, with a dynamic batch; BatchNorm is folded.

    Raises:
        ConfigurationError: if the network cannot be traced with a dynamic batch, or its
            outputs are not float32.
    """
    example = torch.zeros(2, size.height, size.width, 3, dtype=torch.uint8)
    with quiet("torch.onnx"):
        try:
            program = torch.onnx.export(
                graph,
                (example,),
                dynamo=True,
                external_data=False,
                input_names=[INPUT],
                output_names=list(graph.outputs),
                dynamic_shapes={INPUT: {0: torch.export.Dim(BATCH)}},
                verbose=False,
            )
        # Whatever torch.export or the translation raises means the same to the user.
        except Exception as error:
            raise _not_exportable(_root_cause(error)) from error
    if program is None:
        raise RuntimeError("torch.onnx.export(dynamo=True) returned nothing")
    model = program.model_proto
    strip(model)
    _check_contract(model, graph.outputs)
    return model


def save(model: ModelProto, path: Path) -> None:
    """Writes `model` as one file, without external data (protobuf allows up to 2 GiB)."""
    path.write_bytes(model.SerializeToString(deterministic=True))


def opset(model: ModelProto) -> int:
    """The version of ONNX's own operators that `model` uses."""
    versions = {entry.domain: entry.version for entry in model.opset_import}
    return int(versions[""])


def signature(model: ModelProto) -> Signature:
    """The manifest's entry for a graph as `to_onnx` writes it.

    Raises:
        ConfigurationError: if a size other than the batch is left open.
    """
    meanings: dict[str, Meaning] = {name: meaning for meaning, name in NAMES.items()}

    def spec(value: ValueInfoProto, dtype: Kind) -> TensorSpec:
        _, *sizes = value.type.tensor_type.shape.dim
        if not all(size.dim_value for size in sizes):
            raise _not_exportable(f"the size of its {value.name} is open")
        shape = (BATCH, *(size.dim_value for size in sizes))
        is_excitation = value.name.startswith(EXCITATION)
        meaning = "excitation" if is_excitation else meanings[value.name]
        return TensorSpec(name=value.name, shape=shape, dtype=dtype, meaning=meaning)

    return Signature(
        inputs=tuple(spec(value, "uint8") for value in model.graph.input),
        outputs=tuple(spec(value, "float32") for value in model.graph.output),
    )


def operators(model: ModelProto) -> dict[str, int]:
    """How many nodes of each operator there are, the most frequent first."""
    return dict(Counter(node.op_type for node in model.graph.node).most_common())


def described(values: Iterable[ValueInfoProto]) -> dict[str, str]:
    """Type and shape of a graph's inputs or outputs, such as `float [batch, 10]`."""
    described: dict[str, str] = {}
    for value in values:
        tensor = value.type.tensor_type
        kind = TensorProto.DataType.Name(tensor.elem_type).lower()
        shape = [dim.dim_param or str(dim.dim_value) for dim in tensor.shape.dim]
        described[value.name] = f"{kind} [{', '.join(shape)}]"
    return described


def strip(model: ModelProto) -> None:
    """Removes what tools note about themselves and this machine (stack traces with paths)."""
    graph = model.graph
    for entry in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del entry.metadata_props[:]
        entry.doc_string = ""
    del graph.metadata_props[:]
    del model.metadata_props[:]
    model.producer_name = "senet"
    graph.name = "senet"


def _check_contract(model: ModelProto, outputs: tuple[str, ...]) -> None:
    onnx.checker.check_model(model, full_check=False)
    names = tuple(output.name for output in model.graph.output)
    types = {output.type.tensor_type.elem_type for output in model.graph.output}
    if names != outputs or types != {TensorProto.FLOAT}:
        raise ConfigurationError(
            "--checkpoint",
            f"the graph's outputs are not float32 {', '.join(outputs)} but"
            f" {described(model.graph.output)}",
            "the network must compute in float32",
        )
    # Where a network fixes its batch, the exporter may do so too, without an error.
    values = (*model.graph.input, *model.graph.output)
    if not all(value.type.tensor_type.shape.dim[0].dim_param for value in values):
        raise _not_exportable("its graph has a fixed batch")


def _not_exportable(reason: str) -> ConfigurationError:
    return ConfigurationError(
        "--checkpoint",
        f"the network cannot be exported with a dynamic batch ({reason})",
        "make its forward independent of the batch size and traceable by torch.export",
    )


def _root_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip()[:200] if lines else type(error).__name__
