"""Our residual networks compute, with the weights of timm's, the logits of timm's."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from senet.sources.published_layout import load

from .drawn import drawn_images, drawn_network

TOLERANCE = 1e-4
ARCHITECTURES = {
    "se_resnet18": "legacy_seresnet18",
    "se_resnet34": "legacy_seresnet34",
    "se_resnet50": "legacy_seresnet50",
    "se_resnet101": "legacy_seresnet101",
    "se_resnet152": "legacy_seresnet152",
    "se_resnext26_32x4d": "legacy_seresnext26_32x4d",
    "se_resnext50_32x4d": "legacy_seresnext50_32x4d",
    "se_resnext101_32x4d": "legacy_seresnext101_32x4d",
    "senet154": "legacy_senet154",
}


@pytest.mark.parametrize(("ours", "theirs"), ARCHITECTURES.items())
def test_a_checkpoint_of_timm_loads_strictly_and_gives_its_logits(
    ours: str, theirs: str, tmp_path: Path, report_difference: Callable[[str, float], None]
) -> None:
    reference = drawn_network(theirs)
    checkpoint = tmp_path / "checkpoint.pth"
    torch.save(reference.state_dict(), checkpoint)
    network = load(ours, checkpoint).network
    checkpoint.unlink()
    assert isinstance(network, nn.Module)
    images = drawn_images(4)
    with torch.no_grad():
        expected, actual = reference(images), network(images)
    difference = float((actual - expected).abs().max())
    report_difference(ours, difference)
    assert expected.std() > 0.01, "the comparison says nothing if the logits hardly vary"
    assert difference <= TOLERANCE
