from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, numpy_helper

from app.errors import ConfigurationError
from senet.export import int8
from senet.export.fp16 import to_fp16
from senet.export.onnx_file import save
from senet.export.photos import Photos, read
from senet.export.regions import regions
from senet.export.report import Report
from senet.export.runtime import onnx_runner
from tests.senet.export.conftest import PREPROCESSING


@pytest.fixture(scope="module")
def fp32(published: tuple[Path, Report]) -> ModelProto:
    return onnx.load(published[0] / "model.fp32.onnx")


def test_the_parts_of_the_graph_are_found(fp32: ModelProto) -> None:
    parts = regions(fp32)
    kinds = {node.name: node.op_type for node in fp32.graph.node}
    assert {kinds[name] for name in parts.normalisation} == {"Cast", "Transpose", "Mul", "Add"}
    assert sorted(kinds[name] for name in parts.heads) == ["Conv", "Gemm", "ReduceMean"]
    # Four SE blocks: pool, two layers, ReLU and sigmoid each.
    assert sorted(kinds[name] for name in parts.gates) == sorted(
        4 * ["ReduceMean", "Conv", "Relu", "Conv", "Sigmoid"]
    )
    assert parts.gates < parts.trunk
    assert parts.normalisation | parts.trunk | parts.heads == set(kinds)


def test_fp16_computes_the_trunk_in_fp16_and_nothing_else(fp32: ModelProto) -> None:
    half = to_fp16(fp32)
    onnx.checker.check_model(half)
    parts = regions(fp32)
    types = {tensor.name: tensor.data_type for tensor in half.graph.initializer}
    for node in half.graph.node:
        weights = {types[name] for name in node.input if name in types} - {TensorProto.INT64}
        wanted = TensorProto.FLOAT16 if node.name in parts.trunk else TensorProto.FLOAT
        assert weights <= {wanted}, node.name
    assert [value.type for value in half.graph.output] == [v.type for v in fp32.graph.output]
    assert half.graph.input == fp32.graph.input
    casts = [node for node in half.graph.node if node.op_type == "Cast"]
    assert len(casts) == 3  # pixels to fp32, into the trunk, out of it


def test_a_weight_beyond_fp16_is_refused(fp32: ModelProto) -> None:
    large = ModelProto()
    large.CopyFrom(fp32)
    weight = next(t for t in large.graph.initializer if t.name.endswith("conv1.weight"))
    values = numpy_helper.to_array(weight).copy()
    values.flat[0] = 1e5
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    with pytest.raises(ConfigurationError, match="holds 1e\\+05, beyond the range of fp16"):
        to_fp16(large)


def _zero_point_types(model: ModelProto) -> set[int]:
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    return {types[n.input[2]] for n in model.graph.node if n.op_type == "QuantizeLinear"}


@pytest.mark.parametrize(
    ("layout", "activations"), [("u8s8", TensorProto.UINT8), ("s8s8", TensorProto.INT8)]
)
def test_int8_quantises_the_trunk_in_the_layout_asked_for(
    fp32: ModelProto,
    drawn: Photos,
    tmp_path: Path,
    layout: int8.Layout,
    activations: int,
) -> None:
    batches = list(read(drawn, PREPROCESSING, batch_size=20))
    quantised = int8.quantise(fp32, batches, layout=layout)
    assert _zero_point_types(quantised) == {activations}
    outside = regions(fp32).normalisation | regions(fp32).heads
    for node in quantised.graph.node:
        if node.name in outside:
            assert not any(name.endswith("_DequantizeLinear_Output") for name in node.input[1:])
    weights = [t for t in quantised.graph.initializer if t.name.endswith("weight_quantized")]
    assert {weight.data_type for weight in weights} == {TensorProto.INT8}
    scales = {t.name: list(t.dims) for t in quantised.graph.initializer}
    assert scales["heads.body.layer0.conv1.weight_scale"] == [8]  # one for each channel
    save(quantised, tmp_path / "int8.onnx")
    save(fp32, tmp_path / "fp32.onnx")
    expected = onnx_runner(tmp_path / "fp32.onnx")(batches[0])
    actual = onnx_runner(tmp_path / "int8.onnx")(batches[0])
    spread = expected["logits"].max() - expected["logits"].min()
    assert 0 < np.abs(actual["logits"] - expected["logits"]).max() < 0.2 * spread


def test_squeeze_and_excitation_stay_fp32(fp32: ModelProto, drawn: Photos) -> None:
    batches = list(read(drawn, PREPROCESSING, batch_size=20))
    quantised = int8.quantise(fp32, batches, layout="u8s8")
    kinds = {out: node.op_type for node in quantised.graph.node for out in node.output}
    parts = regions(fp32)
    layers = [node for node in quantised.graph.node if node.op_type == "Conv"]
    for node in layers:
        kept = node.name in parts.gates | parts.heads
        assert (kinds.get(node.input[1]) == "DequantizeLinear") != kept, node.name
