"""A real ONNX model that goes round in circles on some pictures."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx
from onnx import TensorProto, helper

from tests.support.repository import ManifestDict, colour_model, write_model


@dataclass(frozen=True, slots=True)
class Loops:
    """When a batch goes round, and for how long.

    Attributes:
        comparison: of its mean brightness (0 to 255) with `limit`.
        rounds: how often; each takes about a microsecond.
    """

    comparison: Literal["Greater", "Less"]
    limit: float
    rounds: int


FOR_EVER_ON_WHITE = Loops("Greater", 250.0, 2**62)
"""Hangs on pictures that a test sends."""
SLOW_ON_BLACK = Loops("Less", 1.0, 4_000_000)
"""Needs seconds for each batch of the warm-up, which is done with black pictures."""


def looping_model(loops: Loops) -> bytes:
    """The colour classifier, but a batch of that brightness goes round in circles."""
    model = onnx.load_from_string(colour_model())
    graph = model.graph
    for node in graph.node:
        node.output[:] = ["quick" if name == "logits" else name for name in node.output]

    def tensor(name: str, kind: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, None)

    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on_in"], ["go_on_out"]),
            helper.make_node("Add", ["sum_in", "one_float"], ["sum_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on_in", TensorProto.BOOL, []),
            tensor("sum_in", TensorProto.FLOAT),
        ],
        [
            helper.make_tensor_value_info("go_on_out", TensorProto.BOOL, []),
            tensor("sum_out", TensorProto.FLOAT),
        ],
    )
    in_circles = helper.make_graph(
        [helper.make_node("Loop", ["rounds", "true", "quick"], ["looped"], body=body)],
        "in_circles",
        [],
        [tensor("looped", TensorProto.FLOAT)],
    )
    at_once = helper.make_graph(
        [helper.make_node("Identity", ["quick"], ["passed"])],
        "at_once",
        [],
        [tensor("passed", TensorProto.FLOAT)],
    )
    graph.node.extend(
        [
            helper.make_node("ReduceMean", ["floats"], ["brightness"], keepdims=0),
            helper.make_node(loops.comparison, ["brightness", "limit"], ["is_it"]),
            helper.make_node(
                "If", ["is_it"], ["logits"], then_branch=in_circles, else_branch=at_once
            ),
        ]
    )
    graph.initializer.extend(
        [
            helper.make_tensor("limit", TensorProto.FLOAT, [], [loops.limit]),
            helper.make_tensor("one_float", TensorProto.FLOAT, [], [1.0]),
            helper.make_tensor("rounds", TensorProto.INT64, [], [loops.rounds]),
            helper.make_tensor("true", TensorProto.BOOL, [], [True]),
        ]
    )
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def write_looping_model(root: Path, loops: Loops) -> None:
    """A model repository with it."""
    content = looping_model(loops)

    def change(manifest: ManifestDict) -> None:
        manifest["variants"][0]["sha256"] = hashlib.sha256(content).hexdigest()

    folder = write_model(root, change=change)
    (folder / "model.fp32.onnx").write_bytes(content)
