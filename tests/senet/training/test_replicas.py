"""Threads with a shard each compute what one thread with the whole batch would."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from senet.training.replicas import Replicas

INPUTS = torch.linspace(-1, 1, 24).reshape(8, 3).sin()
TARGETS = torch.arange(8) % 2


def small_network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def whole(step: int, shard: int) -> tuple[Tensor, Tensor]:
    return INPUTS, TARGETS


def loss(network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(network(inputs), targets)


def gradients(network: nn.Module, count: int) -> tuple[float, list[Tensor]]:
    def part(step: int, shard: int) -> tuple[Tensor, Tensor]:
        return INPUTS.chunk(count)[shard], TARGETS.chunk(count)[shard]

    with Replicas(network, count, part) as replicas:
        value = replicas.backward(0, loss)
    return value, [
        parameter.grad for parameter in network.parameters() if parameter.grad is not None
    ]


@pytest.mark.parametrize("count", [2, 4])
def test_shards_give_the_gradient_of_the_whole_batch(count: int) -> None:
    expected_loss, expected = gradients(small_network(), 1)
    value, shared = gradients(small_network(), count)

    assert value == pytest.approx(expected_loss)
    assert len(shared) == 4
    torch.testing.assert_close(shared, expected)


def test_replicas_see_each_optimiser_step() -> None:
    network = small_network()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)

    with Replicas(network, 2, whole) as replicas:
        losses = []
        for step in range(3):
            losses.append(replicas.backward(step, loss))
            # Both shards are the whole batch, so any replica left behind would show in the mean.
            assert losses[-1] == pytest.approx(loss(network, INPUTS, TARGETS).item())
            replicas.move(optimizer)

    assert losses[2] < losses[1] < losses[0]


def test_running_statistics_are_those_of_the_first_shard() -> None:
    network = nn.BatchNorm1d(3, momentum=0.1)

    def part(step: int, shard: int) -> tuple[Tensor, Tensor]:
        return INPUTS.chunk(2)[shard], TARGETS.chunk(2)[shard]

    def total(replica: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        output: Tensor = replica(inputs)
        return output.sum()

    with Replicas(network, 2, part) as replicas:
        replicas.backward(0, total)

    torch.testing.assert_close(network.running_mean, INPUTS[:4].mean(0) * 0.1)


def test_predictions_keep_the_order_of_the_batch() -> None:
    network = small_network().eval()
    with Replicas(network, 3, whole) as replicas:
        torch.testing.assert_close(replicas.predict(network, INPUTS), network(INPUTS).detach())


def test_an_error_in_a_thread_is_raised() -> None:
    def broken(step: int, shard: int) -> tuple[Tensor, Tensor]:
        raise ArithmeticError(f"shard {shard}")

    with (
        Replicas(small_network(), 2, broken) as replicas,
        pytest.raises(ArithmeticError, match="shard 0"),
    ):
        replicas.backward(0, loss)
