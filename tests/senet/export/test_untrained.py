"""Networks without sense are refused with the figure, or published as what they are."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from app.contract.errors import ConfigurationError
from app.contract.manifest import Manifest
from senet.export.order import Order
from senet.export.photos import Photos
from senet.export.pipeline import export


def with_network(order: Order, changed: nn.Module) -> Order:
    return replace(order, source=replace(order.source, network=changed.eval()))


def test_weights_of_zero_are_refused_at_once(order: Order) -> None:
    zero = copy.deepcopy(order.source.network)
    assert isinstance(zero, nn.Module)
    for parameter in zero.parameters():
        nn.init.zeros_(parameter)
    with pytest.raises(ConfigurationError, match="no logit varies by more than 0 over 28 photos"):
        export(with_network(order, zero))
    assert not order.target.exists()


def test_accuracy_at_chance_is_refused_and_recorded_if_allowed(order: Order, drawn: Photos) -> None:
    torch.manual_seed(0)
    shuffled = copy.deepcopy(order.source.network)
    assert isinstance(shuffled, nn.Module)
    with torch.no_grad():
        # Right for no class more often than by chance: every photo gets the first.
        shuffled.last_linear.bias.copy_(torch.tensor([1e4, 0, 0]))  # type: ignore[operator, union-attr]
    unlearned = replace(with_network(order, shuffled), evaluation=drawn)
    with pytest.raises(
        ConfigurationError, match=r"top-1 is 33\.33% on 60 photos, .* would reach 33\.33%"
    ) as refused:
        export(unlearned)
    assert refused.value.option == "--allow-untrained"
    assert not order.target.exists()
    report = export(replace(unlearned, allow_untrained=True))
    manifest = Manifest.model_validate_json((order.target / "manifest.json").read_bytes())
    assert manifest.untrained
    assert any("--allow-untrained" in note for note in report.notes)


def test_a_network_that_learned_is_published_without_a_word(order: Order) -> None:
    export(order)
    manifest = Manifest.model_validate_json((order.target / "manifest.json").read_bytes())
    assert not manifest.untrained
