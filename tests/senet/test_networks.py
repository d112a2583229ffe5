"""Every architecture can be built, keeps its structure and gives logits."""

import pytest
import torch
from torch import nn

from senet.blocks import BasicBlock, RectifiedBasicBlock
from senet.inception import InceptionModule
from senet.networks import build, names
from senet.se import SqueezeExcitation

WITH_SE = [name for name in names() if name.startswith("se")]
PLAIN = [name for name in names() if not name.startswith("se")]


def on_meta(name: str) -> nn.Module:
    """The network without weights, which takes no time to build or run."""
    with torch.device("meta"):
        return build(name, classes=7)


@pytest.mark.parametrize("size", [64, 75])
@pytest.mark.parametrize("name", names())
def test_gives_logits_at_even_and_odd_sizes(name: str, size: int) -> None:
    network = on_meta(name).eval()
    assert network(torch.empty(2, 3, size, size, device="meta")).shape == (2, 7)


@pytest.mark.parametrize("name", ["se_resnet18", "se_resnext26_32x4d", "se_bn_inception"])
def test_computes_finite_logits_that_depend_on_the_image(name: str) -> None:
    torch.manual_seed(0)
    network = build(name, classes=7).eval()
    with torch.no_grad():
        logits = network(torch.randn(2, 3, 64, 64))
    assert torch.isfinite(logits).all()
    assert not torch.allclose(logits[0], logits[1])


@pytest.mark.parametrize("name", WITH_SE)
def test_has_one_se_block_per_residual_block_or_inception_module(name: str) -> None:
    modules = dict(on_meta(name).named_modules())
    places = [module for path, module in modules.items() if path.endswith("se_module")]
    assert places
    assert all(isinstance(module, SqueezeExcitation) for module in places)


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_twin_is_the_same_network_without_se_blocks(name: str) -> None:
    plain, twin = on_meta(name).state_dict(), on_meta(f"se_{name}").state_dict()
    se_parameters = {key for key in twin if ".se_module." in key}
    assert se_parameters
    assert plain.keys() == twin.keys() - se_parameters


def test_every_residual_network_and_inception_has_a_plain_twin() -> None:
    assert {name.removeprefix("se_") for name in WITH_SE} - {"senet154"} == set(PLAIN)


def test_parameter_names_are_those_of_the_published_checkpoints() -> None:
    keys = on_meta("se_resnet50").state_dict().keys()
    assert {
        "layer0.conv1.weight",
        "layer1.0.bn3.running_var",
        "layer1.0.downsample.0.weight",
        "layer4.2.se_module.fc2.bias",
        "last_linear.weight",
    } <= keys


@pytest.mark.parametrize("reduction", [None, 4])
def test_the_published_basic_block_rectifies_only_before_an_se_block(reduction: int | None) -> None:
    torch.manual_seed(0)
    paper, published = (
        block(8, 8, stride=1, groups=1, reduction=reduction, downsample=None).eval()
        for block in (BasicBlock, RectifiedBasicBlock)
    )
    published.load_state_dict(paper.state_dict())
    x = torch.randn(1, 8, 4, 4)
    assert torch.equal(paper(x), published(x)) is (reduction is None)


def test_the_se_block_recalibrates_the_whole_inception_module() -> None:
    modules = [m for m in on_meta("se_bn_inception").modules() if isinstance(m, InceptionModule)]
    widths = [module.get_parameter("se_module.fc2.bias").numel() for module in modules]
    assert [module.outputs for module in modules] == widths
    assert widths == [256, 320, 576, 576, 576, 608, 608, 1056, 1024, 1024]


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown architecture 'resnet7'; known: se_resnet_mini"):
        build("resnet7")
