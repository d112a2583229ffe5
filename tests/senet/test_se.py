"""The SE block computes the paper's equations 2 to 4."""

import numpy as np
import pytest
import torch

from senet.se import SqueezeExcitation


def test_equals_the_equations_computed_by_hand() -> None:
    torch.manual_seed(0)
    block = SqueezeExcitation(channels=12, reduction=4)
    u = torch.randn(2, 12, 5, 7)

    maps = u.numpy().astype(np.float64)
    weight1, bias1 = (parameter.detach().numpy() for parameter in block.fc1.parameters())
    weight2, bias2 = (parameter.detach().numpy() for parameter in block.fc2.parameters())
    squeezed = maps.sum((2, 3)) / (5 * 7)  # equation 2
    hidden = np.maximum(squeezed @ weight1[:, :, 0, 0].T + bias1, 0)  # equation 3
    gates = 1 / (1 + np.exp(-(hidden @ weight2[:, :, 0, 0].T + bias2)))
    scaled = maps * gates[:, :, None, None]  # equation 4

    np.testing.assert_allclose(block(u).detach().numpy(), scaled, rtol=1e-5, atol=1e-6)


def test_has_the_bottleneck_of_the_paper() -> None:
    block = SqueezeExcitation(channels=64, reduction=16)
    shapes = {name: tuple(tensor.shape) for name, tensor in block.state_dict().items()}
    assert shapes == {
        "fc1.weight": (4, 64, 1, 1),
        "fc1.bias": (4,),
        "fc2.weight": (64, 4, 1, 1),
        "fc2.bias": (64,),
    }


def test_leaves_its_input_untouched() -> None:
    torch.manual_seed(0)
    u = torch.randn(1, 8, 3, 3)
    before = u.clone()
    SqueezeExcitation(channels=8, reduction=2)(u)
    assert torch.equal(u, before)


def test_a_bottleneck_without_units_is_refused() -> None:
    with pytest.raises(ValueError, match="reduction 16 leaves no unit for 8 channels"):
        SqueezeExcitation(channels=8, reduction=16)
