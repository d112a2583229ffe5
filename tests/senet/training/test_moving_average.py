"""The moving average of the weights."""

import pytest
import torch
from torch import nn

from senet.training.moving_average import MovingAverage


def network(value: float) -> nn.Module:
    module = nn.BatchNorm1d(2)
    nn.init.constant_(module.weight, value)
    return module


def test_the_past_weighs_less_at_first_and_then_its_decay() -> None:
    average = MovingAverage(network(0.0), decay=0.75)

    average.update(network(1.0), step=0)  # (1 + 0) / (10 + 0) of the past
    assert average.network.state_dict()["weight"].tolist() == [pytest.approx(0.9)] * 2

    average.update(network(1.0), step=1000)
    assert average.network.state_dict()["weight"].tolist() == [pytest.approx(0.925)] * 2


def test_batch_statistics_follow_and_the_network_stays_untouched() -> None:
    trained = nn.BatchNorm1d(2)
    average = MovingAverage(trained, decay=0.5)
    trained(torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    before = {name: value.clone() for name, value in trained.state_dict().items()}

    average.update(trained, step=1000)

    followed = average.network.state_dict()
    torch.testing.assert_close(followed["running_mean"], before["running_mean"] / 2)
    assert followed["num_batches_tracked"].item() == 1
    assert not average.network.training
    torch.testing.assert_close(trained.state_dict(), before)
