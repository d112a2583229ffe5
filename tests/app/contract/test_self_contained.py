"""A file that points to another one is found out, wherever in it the pointer stands."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import given
from hypothesis import strategies as st
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    StringStringEntryProto,
    TensorProto,
    TrainingInfoProto,
    helper,
    numpy_helper,
)

from app.contract.errors import ConfigurationError
from app.contract.self_contained import check_self_contained
from tests.support.repository import colour_model

PATH = Path("model.onnx")


def refusal(data: bytes) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as raised:
        check_self_contained(data, PATH)
    assert raised.value.option == "model_repository"
    assert "model.onnx" in raised.value.cause
    return raised.value


def outside(name: str = "kernel") -> TensorProto:
    return TensorProto(
        name=name,
        data_type=TensorProto.FLOAT,
        dims=[1],
        data_location=TensorProto.EXTERNAL,
        external_data=[StringStringEntryProto(key="location", value="weights.bin")],
    )


def inside() -> TensorProto:
    return numpy_helper.from_array(np.zeros(1, np.float32), "zero")


def graph_with(attribute: AttributeProto) -> GraphProto:
    return GraphProto(node=[NodeProto(op_type="Constant", attribute=[attribute])])


def nested(depth: int, innermost: GraphProto) -> GraphProto:
    graph = innermost
    for _ in range(depth):
        graph = graph_with(AttributeProto(name="body", g=graph))
    return graph


def sparse(tensor: TensorProto) -> SparseTensorProto:
    return SparseTensorProto(values=inside(), indices=tensor, dims=[1])


PLACES: dict[str, Callable[[TensorProto], ModelProto]] = {
    "initialiser": lambda tensor: ModelProto(graph=GraphProto(initializer=[inside(), tensor])),
    "sparse initialiser": lambda tensor: ModelProto(
        graph=GraphProto(sparse_initializer=[sparse(tensor)])
    ),
    "attribute": lambda tensor: ModelProto(graph=graph_with(AttributeProto(t=tensor))),
    "list of tensors": lambda tensor: ModelProto(
        graph=graph_with(AttributeProto(tensors=[inside(), tensor]))
    ),
    "sparse attribute": lambda tensor: ModelProto(
        graph=graph_with(AttributeProto(sparse_tensor=sparse(tensor)))
    ),
    "list of sparse tensors": lambda tensor: ModelProto(
        graph=graph_with(AttributeProto(sparse_tensors=[sparse(tensor)]))
    ),
    "subgraph": lambda tensor: ModelProto(graph=nested(1, GraphProto(initializer=[tensor]))),
    "deep subgraph": lambda tensor: ModelProto(graph=nested(20, GraphProto(initializer=[tensor]))),
    "list of subgraphs": lambda tensor: ModelProto(
        graph=graph_with(AttributeProto(graphs=[GraphProto(initializer=[tensor])]))
    ),
    "function": lambda tensor: ModelProto(
        functions=[
            helper.make_function(
                "own", "Scale", [], ["y"],
                [NodeProto(op_type="Constant", attribute=[AttributeProto(t=tensor)])],
                [helper.make_opsetid("", 20)],
            )
        ]
    ),
    "default of a function's attribute": lambda tensor: ModelProto(
        functions=[
            helper.make_function(
                "own", "Scale", [], [], [], [helper.make_opsetid("", 20)],
                attribute_protos=[AttributeProto(name="by", t=tensor)],
            )
        ]
    ),
    "training": lambda tensor: ModelProto(
        training_info=[TrainingInfoProto(algorithm=GraphProto(initializer=[tensor]))]
    ),
}  # fmt: skip


def test_a_model_in_one_file_is_accepted() -> None:
    check_self_contained(colour_model(), PATH)


def test_whoever_waits_gets_turns_between_the_messages() -> None:
    turns: list[None] = []
    check_self_contained(colour_model(), PATH, lambda: turns.append(None))
    assert len(turns) > 10


@pytest.mark.parametrize("place", PLACES)
def test_a_tensor_outside_is_found_wherever_it_belongs(place: str) -> None:
    check_self_contained(PLACES[place](inside()).SerializeToString(), PATH)
    assert "the tensor 'kernel'" in refusal(PLACES[place](outside()).SerializeToString()).cause


@pytest.mark.parametrize(
    "tensor",
    [
        TensorProto(name="kernel", data_location=TensorProto.EXTERNAL),
        TensorProto(name="kernel", external_data=[StringStringEntryProto(key="location")]),
    ],
)
def test_either_sign_of_data_outside_is_enough(tensor: TensorProto) -> None:
    model = ModelProto(graph=GraphProto(initializer=[tensor]))
    assert "'kernel'" in refusal(model.SerializeToString()).cause


def test_every_occurrence_of_a_field_counts() -> None:
    # A decoder merges the two graphs into one, and of the two locations keeps the last.
    hidden = ModelProto(graph=GraphProto(initializer=[outside()])).SerializeToString()
    assert "'kernel'" in refusal(hidden + colour_model()).cause
    assert "'kernel'" in refusal(colour_model() + hidden).cause


def compiled(**attributes: int | str) -> bytes:
    named = [helper.make_attribute(name, value) for name, value in attributes.items()]
    node = NodeProto(op_type="EPContext", domain="com.microsoft", attribute=named)
    data: bytes = ModelProto(graph=GraphProto(node=[node])).SerializeToString()
    return data


def test_a_compiled_network_must_be_in_the_file() -> None:
    check_self_contained(compiled(embed_mode=1, ep_cache_context="engine"), PATH)
    assert "a compiled network" in refusal(compiled(embed_mode=0, ep_cache_context="a.bin")).cause
    assert "a compiled network" in refusal(compiled(ep_cache_context="a.bin")).cause


def test_a_compiled_network_that_says_both_is_refused() -> None:
    both = [helper.make_attribute("embed_mode", mode) for mode in (1, 0)]
    node = NodeProto(op_type="EPContext", attribute=both)
    refusal(ModelProto(graph=GraphProto(node=[node])).SerializeToString())


@pytest.mark.parametrize(
    "data",
    [
        b"ORTM",
        b"\x00",
        b"text, not a model",
        b"\x3a",
        b"\x3a\x05ab",
        b"\x3a\xff\xff\xff\xff\xff\xff\x01",
        b"\x0b\x0c",
        colour_model()[:-1],
    ],
)
def test_what_is_no_onnx_file_is_refused(data: bytes) -> None:
    assert "is not an ONNX file" in refusal(data).cause


def points_outside(message: Message) -> bool:
    """What ONNX's own parser finds."""
    if isinstance(message, TensorProto) and message.data_location == TensorProto.EXTERNAL:
        return True
    return any(
        points_outside(part)
        for field, value in message.ListFields()
        if field.message_type is not None
        for part in ([value] if isinstance(value, Message) else value)
    )


@given(
    place=st.sampled_from(sorted(PLACES)),
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 2), st.binary(max_size=6)), max_size=3
    ),
)
def test_no_damaged_file_hides_what_a_parser_still_finds(
    place: str, edits: list[tuple[float, int, bytes]]
) -> None:
    data = PLACES[place](outside()).SerializeToString()
    for where, removed, added in edits:
        at = round(where * len(data))
        data = data[:at] + added + data[at + removed :]
    try:
        model = ModelProto.FromString(data)
    except DecodeError:
        return
    if points_outside(model):
        refusal(data)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_an_answer(data: bytes) -> None:
    with contextlib.suppress(ConfigurationError):
        check_self_contained(data, PATH)
