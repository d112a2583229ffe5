"""The embedding and the class activation maps are found in any average-pooling classifier."""

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, export
from torch.nn import functional

from app.contract.errors import ConfigurationError
from senet.blocks import BasicBlock
from senet.heads import Heads
from senet.resnet import ResNet, ResNetDesign

# run_decompositions() copies tree specifications in a way that PyTorch itself deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")

SIZE = 32
CLASSES = 5


class Tiny(nn.Module):
    """Convolution, functional ReLU, pooling, classifier; `pooling` and `tail` vary."""

    def __init__(self, pooling: str = "adaptive", tail: str = "none", *, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=4)
        self.fc = nn.Linear(6, CLASSES, bias=bias)
        self.pooling, self.tail = pooling, tail

    def features(self, x: Tensor) -> Tensor:
        return functional.relu(self.conv(x))

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = self.features(x)
        if self.pooling == "adaptive":
            x = functional.adaptive_avg_pool2d(x, 1).flatten(1)
        elif self.pooling == "window":
            x = functional.avg_pool2d(x, 8).view(-1, 6)
        else:
            x = x.amax((2, 3))
        logits: Tensor = self.fc(functional.dropout(x, 0.5, self.training))
        if self.tail == "softmax":
            return logits.softmax(1)
        if self.tail == "sigmoid":
            return logits.sigmoid()
        if self.tail == "two outputs":
            return logits, x
        if self.tail == "batch mean":
            return logits - logits.mean(0)
        return logits


class Deciding(Tiny):
    """Goes one of two ways by a value of the images."""

    def features(self, x: Tensor) -> Tensor:
        features = super().features(x)
        return features * 2 if features.mean() > 0 else features


class Counting(Tiny):
    """Takes as many positions as there are bright ones."""

    def features(self, x: Tensor) -> Tensor:
        features = super().features(x)
        return features[..., : int((x > 0).sum()) % 4 + 1]


class FixedBatch(nn.Module):
    """Works for two images only."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(x.mean((2, 3)).reshape(2, 3))
        return out


def images(batch: int = 3, size: int = SIZE) -> Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


def program(network: nn.Module, *, dynamic: bool = True) -> ExportedProgram:
    shapes = ({0: Dim("batch")},) if dynamic else None
    return export(network.eval(), (images(2),), dynamic_shapes=shapes)


def test_outputs_of_our_networks_are_their_own_tensors() -> None:
    torch.manual_seed(0)
    design = ResNetDesign(BasicBlock, (1, 1, 1, 1), planes=(16, 16, 16, 32), dropout=0.3)
    network = ResNet(design, CLASSES).eval()
    photos = images(size=2 * SIZE)
    heads = Heads(network, 2 * SIZE, 2 * SIZE)
    logits, embedding, cam = heads(photos)
    features = network.features(photos)
    expected = torch.einsum("kd,ndhw->nkhw", network.last_linear.weight, features)
    torch.testing.assert_close(logits, network(photos))
    torch.testing.assert_close(embedding, features.mean((2, 3)))
    torch.testing.assert_close(cam, expected)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("pooling", ["adaptive", "window"])
def test_a_functional_network_is_understood(pooling: str, bias: bool) -> None:
    torch.manual_seed(0)
    network = Tiny(pooling, bias=bias)
    logits, embedding, cam = Heads(network, SIZE, SIZE)(images())
    features = network.features(images())
    torch.testing.assert_close(logits, network(images()))
    torch.testing.assert_close(embedding, features.mean((2, 3)))
    assert cam.shape == (3, CLASSES, 8, 8)
    offset = network.fc.bias if bias else 0
    torch.testing.assert_close(cam.mean((2, 3)) + offset, logits)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("decompose", [True, False])
def test_an_exported_program_is_understood(decompose: bool, bias: bool) -> None:
    torch.manual_seed(0)
    network = Tiny(bias=bias)
    exported = program(network)
    if decompose:
        exported = exported.run_decompositions()
    from_program = Heads(exported, SIZE, SIZE)(images())
    from_network = Heads(network, SIZE, SIZE)(images())
    torch.testing.assert_close(from_program, from_network)


def test_heads_are_traced_with_a_dynamic_batch() -> None:
    heads = Heads(Tiny(), SIZE, SIZE)
    traced = program(heads).module()
    torch.testing.assert_close(traced(images(7)), heads(images(7)))


class OnePosition(nn.Module):
    """Its only feature map has one position."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, SIZE)
        self.fc = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.conv(x).mean((2, 3)))
        return out


class TwoLayers(nn.Module):
    """Layers stand between pooling and classifier: 1x1 convolution, or fully connected."""

    def __init__(self, *, convolution: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=4)
        self.between = nn.Conv2d(6, 7, 1) if convolution else nn.Linear(6, 7)
        self.fc = nn.Linear(7, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        pooled = functional.adaptive_avg_pool2d(functional.relu(self.conv(x)), 1)
        if isinstance(self.between, nn.Linear):
            pooled = pooled.flatten(1)
        out: Tensor = self.fc(functional.hardswish(self.between(pooled)).flatten(1))
        return out


@pytest.mark.parametrize(
    ("network", "dimensions"),
    [
        (OnePosition(), 6),
        (TwoLayers(convolution=True), 7),
        (TwoLayers(convolution=False), 7),
        (Tiny("maximum"), 6),
    ],
)
def test_without_an_exact_map_there_is_none(network: nn.Module, dimensions: int) -> None:
    heads = Heads(network, SIZE, SIZE)
    logits, embedding = heads(images())
    assert heads.outputs == ("logits", "embedding")
    torch.testing.assert_close(logits, network(images()))
    assert embedding.shape == (3, dimensions)
    # The classifier is not stored a second time.
    ours = sum(tensor.numel() for tensor in heads.state_dict().values())
    assert ours == sum(tensor.numel() for tensor in network.state_dict().values())


def test_pooling_of_maps_with_channels_last_needs_no_arithmetic_of_shapes() -> None:
    network = Tiny().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    exported = program(network).run_decompositions()
    assert "as_strided" in str(exported.graph)
    heads = Heads(exported, SIZE, SIZE)
    assert "as_strided" not in str(heads.body.graph)
    torch.testing.assert_close(heads(images())[0], network(images()))


@pytest.mark.parametrize(
    ("network", "cause"),
    [
        (Tiny(tail="softmax"), "not that of one fully connected layer"),
        (Tiny(tail="batch mean"), "not that of one fully connected layer"),
        (Tiny(tail="sigmoid"), "several labels a photo"),
        (Tiny(tail="two outputs"), "not that of one fully connected layer"),
        (nn.Conv2d(3, CLASSES, 1), "not that of one fully connected layer"),
        (Deciding(), "decides by values that it computes from the images"),
        (Counting(), "decides by values that it computes from the images"),
        (FixedBatch(), "cannot be traced with a dynamic batch"),
    ],
)
def test_other_networks_are_refused(
    network: nn.Module, cause: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError, match=cause) as caught:
        Heads(network, SIZE, SIZE)
    assert "\n" not in str(caught.value)
    # What PyTorch has to say about it fills pages.
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("dynamic", "size", "cause"),
    [(False, SIZE, r"takes \[2, 3, 32, 32\]"), (True, 2 * SIZE, r"not \[batch, 3, 64, 64\]")],
)
def test_a_program_of_another_batch_or_size_is_refused(
    dynamic: bool, size: int, cause: str
) -> None:
    with pytest.raises(ConfigurationError, match=cause):
        Heads(program(Tiny(), dynamic=dynamic), size, size)


def test_weights_that_give_no_finite_logits_are_refused() -> None:
    network = Tiny()
    nn.init.constant_(network.conv.weight, float("nan"))
    with pytest.raises(ConfigurationError, match="logits are not finite"):
        Heads(network, SIZE, SIZE)


def test_a_program_of_two_inputs_is_refused() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    with pytest.raises(ConfigurationError, match=r"takes \[2, 3, 32, 32\], \[2, 3, 32, 32\]"):
        Heads(export(Two(), (images(2), images(2))), SIZE, SIZE)
