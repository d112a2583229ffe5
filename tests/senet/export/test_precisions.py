from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import ModelProto, TensorProto, numpy_helper
from torch import Tensor, nn

from app.contract.errors import ConfigurationError
from app.contract.manifest import Input
from senet.export import int8
from senet.export.fp16 import to_fp16
from senet.export.graph import ServedGraph
from senet.export.onnx_file import save, to_onnx
from senet.export.photos import Photos, read
from senet.export.regions import regions
from senet.export.report import Report
from senet.export.runtime import onnx_runner
from senet.heads import OUTPUTS, Heads
from tests.senet.export.conftest import PREPROCESSING, SIDE
from tests.support.exact_sums import run_exactly


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


def test_excitation_and_classifier_stay_fp32(fp32: ModelProto, drawn: Photos) -> None:
    batches = list(read(drawn, PREPROCESSING, batch_size=20))
    quantised = int8.quantise(fp32, batches, layout="u8s8")
    kinds = {out: node.op_type for node in quantised.graph.node for out in node.output}
    gates = regions(fp32).gates
    for node in quantised.graph.node:
        if node.op_type in {"Conv", "Gemm"}:
            kept = node.name in gates or node.op_type == "Gemm"
            assert (kinds.get(node.input[1]) == "DequantizeLinear") != kept, node.name


def test_onnx_runtime_computes_in_int8_all_that_takes_time(
    fp32: ModelProto, drawn: Photos, tmp_path: Path
) -> None:
    batches = list(read(drawn, PREPROCESSING, batch_size=20))
    save(int8.quantise(fp32, batches, layout="u8s8"), tmp_path / "int8.onnx")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(tmp_path / "int8.onnx", options)
    graph = onnx.load(tmp_path / "optimised.onnx").graph
    kinds = Counter(node.op_type for node in graph.node)
    assert kinds["QLinearGlobalAveragePool"] == kinds["QLinearMul"] == 4
    before = Counter(node.op_type for node in fp32.graph.node)
    # All but two in each of the four gates; ReduceMean is the embedding.
    assert kinds["QLinearConv"] == before["Conv"] - 8
    assert kinds["ReduceMean"] == 1
    # Normalisation comes before the transposition, and takes a row of pixels at once.
    constants = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    normalising = [node for node in graph.node if node.op_type in {"Mul", "Add"}]
    shapes = [constants[name] for node in normalising for name in node.input if name in constants]
    assert shapes == [[1, 1, SIDE, 3]] * 2


class _Linear(nn.Module):
    """A network whose gates have fully connected layers, and pools without spatial dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=4)
        self.excite = nn.Linear(8, 8)
        self.classify = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv(x).relu()
        gates = self.excite(features.mean((2, 3))).sigmoid()
        classes: Tensor = self.classify((features * gates[:, :, None, None]).mean((2, 3)))
        return classes


def test_gates_of_fully_connected_layers_are_quantised_around(
    drawn: Photos, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    graph = ServedGraph(Heads(_Linear(), SIDE, SIDE), PREPROCESSING).eval()
    model = to_onnx(graph, Input(height=SIDE, width=SIDE))
    (images,) = read(drawn, PREPROCESSING, batch_size=60)
    save(int8.quantise(model, [images], layout="u8s8"), tmp_path / "int8.onnx")
    expected = graph(torch.from_numpy(images))
    actual = run_exactly(tmp_path / "int8.onnx", images, OUTPUTS)
    for name, tensor in zip(OUTPUTS, expected, strict=True):
        values = tensor.detach().numpy()
        assert np.abs(actual[name] - values).max() < 0.05 * np.ptp(values), name


class _Indexing(nn.Module):
    """Gathers its feature maps by indices that it computes from the batch's size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=4)
        self.between = nn.Conv2d(8, 8, 3)
        self.classify = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv(x).relu()
        gathered = features[torch.arange(features.shape[0])].reshape(-1, 8, *features.shape[2:])
        classes: Tensor = self.classify(self.between(gathered).relu().mean((2, 3)))
        return classes


def test_indices_and_shapes_stay_integers_in_fp16(drawn: Photos) -> None:
    torch.manual_seed(0)
    graph = ServedGraph(Heads(_Indexing(), SIDE, SIDE), PREPROCESSING).eval()
    model = to_onnx(graph, Input(height=SIDE, width=SIDE))
    assert any(node.op_type in {"Range", "Gather", "GatherND"} for node in model.graph.node)
    half = to_fp16(model)
    onnx.checker.check_model(half, full_check=True)
    (images,) = read(drawn, PREPROCESSING, batch_size=60)
    for size in (1, 7):
        expected = onnx_runner(model.SerializeToString())(images[:size])["logits"]
        actual = onnx_runner(half.SerializeToString())(images[:size])["logits"]
        assert np.abs(actual - expected).max() < 0.02 * max(1.0, np.abs(expected).max())
