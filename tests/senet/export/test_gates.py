"""Gates of a served graph: what they do, what is lost without them, and folding constants."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto
from torch import Tensor, nn

from app.contract.manifest import Input
from senet.export import gates, onnx_file, photos
from senet.export.excitation import excitation, observe, render
from senet.export.fold import fold_constant_gates
from senet.export.graph import ServedGraph
from senet.export.order import Order
from senet.export.photos import Photos
from senet.export.pipeline import export
from senet.export.report import Report
from senet.export.runtime import onnx_runner
from senet.gates.recorder import GateRecorder
from senet.heads import Heads
from senet.se import SqueezeExcitation
from senet.sources import SourceModel
from senet.training.batches import normalise
from tests.senet.export.conftest import LABELS, PREPROCESSING, SIDE
from tests.senet.export.tiny import network

BLOCKS = ["layer1.0", "layer2.0", "layer3.0", "layer4.0"]


def graph_of(net: nn.Module) -> ModelProto:
    served = ServedGraph(Heads(net.eval(), SIDE, SIDE), PREPROCESSING).eval()
    return onnx_file.to_onnx(served, Input(height=SIDE, width=SIDE))


@pytest.fixture(scope="module")
def fp32(published: tuple[Path, Report]) -> ModelProto:
    return onnx.load(published[0] / "model.fp32.onnx")


@pytest.fixture(scope="module")
def images(drawn: Photos) -> np.ndarray:
    return photos.sample(drawn, PREPROCESSING)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_gates_are_found_in_every_precision(published: tuple[Path, Report], precision: str) -> None:
    model = onnx.load(published[0] / f"model.{precision}.onnx")
    assert [gate.block for gate in gates.find(model)] == BLOCKS


def test_the_graph_has_the_gates_of_the_network(
    fp32: ModelProto, source: SourceModel, drawn: Photos
) -> None:
    assert isinstance(source.network, nn.Module)
    (pixels,) = photos.read(drawn, PREPROCESSING, batch_size=len(drawn))
    recorder = GateRecorder()
    with recorder.watch(source.network), torch.inference_mode():
        source.network(normalise(pixels, PREPROCESSING))
    blocks, logits = observe(fp32, drawn, PREPROCESSING)
    assert logits.shape == (len(drawn), len(LABELS))
    for block, recorded in zip(blocks, recorder.blocks(), strict=True):
        assert block.block == recorded.block
        np.testing.assert_allclose(block.values, recorded.values, atol=1e-5)


def test_freezing_says_what_the_gates_are_worth(fp32: ModelProto, drawn: Photos) -> None:
    """The last gate decides the class here, so frozen it leaves chance."""
    figures, blocks = excitation(fp32, drawn, PREPROCESSING, LABELS)
    assert [block.block for block in figures.blocks] == BLOCKS
    assert figures.photos == len(drawn)
    for figure, block in zip(figures.blocks, blocks, strict=True):
        assert figure.spread == pytest.approx(block.spread)
        assert set(figure.classes) == {label.id for label in LABELS}
    assert figures.top1 is not None
    assert figures.top1_frozen is not None
    means = {
        gate: block.values.mean(axis=0)
        for gate, block in zip(gates.find(fp32), blocks, strict=True)
    }
    by_hand = onnx_runner(gates.frozen(fp32, means).SerializeToString(), ["logits"])
    (pixels,) = photos.read(drawn, PREPROCESSING, batch_size=len(drawn))
    predicted = by_hand(pixels)["logits"].argmax(1)
    assert figures.top1_frozen == pytest.approx((predicted == drawn.targets).mean())
    assert f"top-1 {figures.top1:.2%} as it is" in "\n".join(render(figures))


def test_photos_without_classes_tell_how_many_answers_change(
    fp32: ModelProto, drawn: Photos
) -> None:
    unlabelled = Photos("--photos", drawn.directory, drawn.files, np.empty(0, np.int64))
    figures, _ = excitation(fp32, unlabelled, PREPROCESSING, LABELS)
    assert figures.top1 is None
    assert figures.top1_frozen is None
    assert 0 < figures.agreement_frozen <= 1
    assert all(not block.classes for block in figures.blocks)


def _constant(module: nn.Module, bias: float = 1.0) -> None:
    assert isinstance(module, SqueezeExcitation)
    with torch.no_grad():
        module.fc2.weight.zero_()
        assert module.fc2.bias is not None
        module.fc2.bias.copy_(torch.linspace(-bias, bias, len(module.fc2.bias)))


def test_constant_gates_are_folded_into_the_convolution_before(images: np.ndarray) -> None:
    torch.manual_seed(0)
    net = network()
    for name in ("layer2.0", "layer4.0"):
        _constant(net.get_submodule(name).se_module)  # type: ignore[arg-type]
    model = graph_of(net)
    folded, blocks = fold_constant_gates(model, images)

    assert blocks == ("layer2.0", "layer4.0")
    onnx.checker.check_model(folded)
    assert [gate.block for gate in gates.find(folded)] == ["layer1.0", "layer3.0"]
    # Pool, two layers, ReLU, sigmoid and scale go.
    assert len(folded.graph.node) == len(model.graph.node) - 12
    assert not any("layer2.0.se_module" in tensor.name for tensor in folded.graph.initializer)
    _same_outputs(model, folded, images)


def test_gates_that_live_are_left(fp32: ModelProto, images: np.ndarray) -> None:
    folded, blocks = fold_constant_gates(fp32, images)
    assert blocks == ()
    assert folded is fp32


def test_gates_that_hardly_move_stay_if_the_logits_would(images: np.ndarray) -> None:
    """Below the spread of a dead block, and yet worth more than 1e-4 of a logit."""
    torch.manual_seed(0)
    net = network()
    module = net.get_submodule("layer4.0.se_module")
    assert isinstance(module, SqueezeExcitation)
    net.eval()
    with torch.no_grad():
        module.fc2.weight.mul_(1e-3)
        net.last_linear.weight.mul_(1e3)  # type: ignore[union-attr, operator]
    model = graph_of(net)
    (block,) = [gate for gate in gates.find(model) if gate.block == "layer4.0"]
    run = onnx_runner(gates.exposed(model, [block]).SerializeToString(), [block.gates])
    assert 0 < run(images)[block.gates].std(axis=0).mean() < 0.001
    _, blocks = fold_constant_gates(model, images)
    assert "layer4.0" not in blocks


class _InvertedResidual(nn.Module):
    """Depthwise convolution, hard-swish, SE and a 1x1 convolution, as MobileNetV3 has it."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = nn.Conv2d(3, 8, 3, stride=4, padding=1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.act = nn.Hardswish()
        self.se = SqueezeExcitation(8, 2)
        self.project = nn.Conv2d(8, 4, 1)
        self.last_linear = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.se(self.act(self.depthwise(torch.relu(self.expand(x)))))
        logits: Tensor = self.last_linear(torch.relu(self.project(x)).mean((2, 3)))
        return logits


def test_behind_an_activation_they_go_into_the_next_convolution(images: np.ndarray) -> None:
    torch.manual_seed(0)
    net = _InvertedResidual()
    _constant(net.se, bias=3.0)
    model = graph_of(net)
    folded, blocks = fold_constant_gates(model, images)
    assert len(blocks) == 1
    assert gates.find(folded) == []
    _same_outputs(model, folded, images)


class _SelfGatedActivations(nn.Module):
    """SiLU within excitation and hard-swish behind the last pool, as EfficientNets have them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=4, padding=1)
        self.se = SqueezeExcitation(8, 2)
        self.se.relu = nn.SiLU()  # type: ignore[assignment]
        self.head = nn.Conv2d(8, 4, 1)
        self.last_linear = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.head(self.se(self.conv(x)).mean((2, 3), keepdim=True))
        logits: Tensor = self.last_linear((pooled * torch.sigmoid(pooled)).flatten(1))
        return logits


def test_an_activation_that_scales_by_its_own_sigmoid_is_no_gate() -> None:
    model = graph_of(_SelfGatedActivations())
    assert [node.op_type for node in model.graph.node].count("Sigmoid") == 3
    (gate,) = gates.find(model)
    operators = {node.name: node.op_type for node in model.graph.node}
    assert sorted(operators[name] for name in gate.nodes) == [
        "Conv", "Conv", "Mul", "ReduceMean", "Sigmoid", "Sigmoid",
    ]  # fmt: skip


def test_the_report_tells_of_gates_and_folding(order: Order, drawn: Photos) -> None:
    net = order.source.network
    assert isinstance(net, nn.Module)
    torch.manual_seed(0)
    changed = network()
    changed.load_state_dict(net.state_dict())
    _constant(changed.get_submodule("layer1.0.se_module"))
    report = export(
        replace(order, source=replace(order.source, network=changed.eval()), evaluation=drawn)
    )
    assert report.folded_gates == ("layer1.0",)
    assert [block.block for block in report.gates.blocks] == BLOCKS[1:]
    text = (order.target / "report.md").read_text()
    assert "## Gates" in text
    assert "folded into the convolution beside them: layer1.0." in text


def _same_outputs(model: ModelProto, folded: ModelProto, images: np.ndarray) -> None:
    before, after = (
        onnx_runner(version.SerializeToString())(images) for version in (model, folded)
    )
    for name, values in before.items():
        np.testing.assert_allclose(after[name], values, atol=1e-4)
