"""PyTorch module -> one self-contained ONNX model with the served graph's names."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from onnx import ModelProto

from app.errors import ConfigurationError
from app.repository.manifest import Input
from senet.export.graph import INPUT, OUTPUTS, ServedGraph


def to_onnx(graph: ServedGraph, size: Input) -> ModelProto:
    """Translates `graph`, in eval mode, with a dynamic batch; BatchNorm is folded.

    Raises:
        ConfigurationError: if the network cannot be traced with a dynamic batch, or its
            outputs are not the three that are served.
    """
    example = torch.zeros(2, size.height, size.width, 3, dtype=torch.uint8)
    with _quiet():
        try:
            program = torch.onnx.export(
                graph,
                (example,),
                dynamo=True,
                external_data=False,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
                verbose=False,
            )
        # Whatever torch.export or the translation raises means the same to the user.
        except Exception as error:
            raise ConfigurationError(
                "--checkpoint",
                f"the network cannot be exported with a dynamic batch ({_root_cause(error)})",
                "make its forward independent of the batch size and traceable by torch.export",
            ) from error
    if program is None:
        raise RuntimeError("torch.onnx.export(dynamo=True) returned nothing")
    model = program.model_proto
    _strip(model)
    _check_contract(model)
    return model


def save(model: ModelProto, path: Path) -> None:
    """Writes `model` as one file, without external data (protobuf allows up to 2 GiB)."""
    path.write_bytes(model.SerializeToString(deterministic=True))


def opset(model: ModelProto) -> int:
    """The version of ONNX's own operators that `model` uses."""
    return next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def _strip(model: ModelProto) -> None:
    """Removes what the exporter notes about this machine (stack traces with paths)."""
    graph = model.graph
    for entry in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del entry.metadata_props[:]
        entry.doc_string = ""
    del graph.metadata_props[:]
    del model.metadata_props[:]
    model.producer_name = "senet"
    graph.name = "senet"


def _check_contract(model: ModelProto) -> None:
    onnx.checker.check_model(model, full_check=False)
    names = tuple(output.name for output in model.graph.output)
    types = {output.type.tensor_type.elem_type for output in model.graph.output}
    if names != OUTPUTS or types != {onnx.TensorProto.FLOAT}:
        raise ConfigurationError(
            "--checkpoint",
            f"the graph gives {', '.join(names)} and not float32 {', '.join(OUTPUTS)}",
            "the network's heads must return logits, embedding and cam as different tensors",
        )


def _root_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip()[:200] if lines else type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporter's notes (absent torchvision, deprecations inside torch) off stderr."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
