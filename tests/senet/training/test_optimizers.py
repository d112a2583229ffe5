"""Which weights decay, and what moves the gates."""

import pytest
import torch

from senet import networks
from senet.training.optimizers import Optimizer, optimizer, set_learning_rate
from senet.training.options import TrainingOptions


def made(**options: object) -> Optimizer:
    network = networks.build("se_resnet_mini", 3)
    return optimizer(network, TrainingOptions.model_validate({"data": "photos", **options}))


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_only_matrices_outside_of_the_gates_decay(kind: str) -> None:
    target = made(optimizer=kind, weight_decay=0.01)
    decayed, *others = target.param_groups
    assert decayed["weight_decay"] == 0.01
    assert all(weight.ndim > 1 for weight in decayed["params"])
    assert all(group["weight_decay"] == 0 for group in others)
    assert any(weight.ndim > 1 for group in others for weight in group["params"])  # the gates'


def test_under_sgd_gates_keep_a_rate_of_their_own() -> None:
    target = made(optimizer="sgd", learning_rate=0.1, gate_learning_rate=0.002)
    set_learning_rate(target, 0.05)
    assert [group["lr"] for group in target.param_groups] == [0.05, 0.05, pytest.approx(0.001)]


def test_a_state_can_be_gone_on_from() -> None:
    target, other = made(optimizer="sgd"), made(optimizer="sgd")
    for group in target.param_groups:
        for weight in group["params"]:
            weight.grad = torch.ones_like(weight)
    target.step()
    other.load_state_dict(target.state_dict())
    first, second = target.state_dict(), other.state_dict()
    torch.testing.assert_close(first["body"]["state"], second["body"]["state"])
    torch.testing.assert_close(first["gates"]["state"], second["gates"]["state"])


def test_a_network_without_gates_is_moved_by_sgd_alone() -> None:
    network = networks.build("resnet_mini", 3)
    target = optimizer(network, TrainingOptions(data="photos", optimizer="sgd"))
    assert isinstance(target, torch.optim.SGD)
