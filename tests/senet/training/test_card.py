"""A card computes what the cores would; most of it is tried with the processor in its place."""

from pathlib import Path
from threading import Event

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from app.contract.errors import ConfigurationError
from senet import checkpoint
from senet.training import machine
from senet.training.card import Card
from senet.training.compute import Shards
from senet.training.optimizers import SgdWithAdamGates
from senet.training.options import TrainingOptions
from senet.training.photos import class_labels
from senet.training.run import Training

from .test_replicas import INPUTS, TARGETS, loss, small_network

PROCESSOR = torch.device("cpu")


def part(step: int, shard: int) -> tuple[Tensor, Tensor]:
    return INPUTS.chunk(2)[shard], TARGETS.chunk(2)[shard]


def mixed_loss(network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.float16):
        logits = network(inputs)
    return functional.cross_entropy(logits.float(), targets)


def test_shards_are_one_batch_with_its_gradient() -> None:
    network, reference = small_network(), small_network()
    with Card(network, 2, part, PROCESSOR, torch.bfloat16) as card:
        value = card.backward(0, loss)
    loss(reference, INPUTS, TARGETS).backward()  # type: ignore[no-untyped-call] # torch's

    assert value == pytest.approx(loss(reference, INPUTS, TARGETS).item())
    torch.testing.assert_close(
        [parameter.grad for parameter in network.parameters()],
        [parameter.grad for parameter in reference.parameters()],
    )


@pytest.mark.parametrize("parted", [False, True])
def test_a_scaled_loss_moves_the_weights_as_an_unscaled_one(parted: bool) -> None:
    network, reference = small_network(), small_network()

    def optimizer(of: nn.Module) -> torch.optim.Optimizer | SgdWithAdamGates:
        first, *others = of.parameters()
        if not parted:
            return torch.optim.SGD([first, *others], lr=0.5)
        return SgdWithAdamGates(
            torch.optim.SGD(others, lr=0.5), torch.optim.AdamW([first], lr=0.5, eps=1e-3)
        )

    with Card(network, 2, part, PROCESSOR, torch.float16) as card:
        card.backward(0, mixed_loss)
        card.move(optimizer(network))
    other = optimizer(reference)
    loss(reference, INPUTS, TARGETS).backward()  # type: ignore[no-untyped-call] # torch's
    other.step()

    before = small_network()
    for moved, expected, start in zip(
        network.parameters(), reference.parameters(), before.parameters(), strict=True
    ):
        assert not torch.equal(moved, start)
        torch.testing.assert_close(moved, expected, rtol=0, atol=2e-3)


def test_a_step_that_overflows_float16_is_left_out() -> None:
    network = small_network()

    def huge(of: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        return mixed_loss(of, inputs, targets) * float("inf")

    with Card(network, 2, part, PROCESSOR, torch.float16) as card:
        card.backward(0, huge)
        card.move(torch.optim.SGD(network.parameters(), lr=0.5))
    torch.testing.assert_close(network.state_dict(), small_network().state_dict())


def test_the_next_batch_is_prepared_while_one_is_computed() -> None:
    prepared = Event()

    def shards(step: int, shard: int) -> tuple[Tensor, Tensor]:
        if (step, shard) == (1, 1):
            prepared.set()
        return part(step, shard)

    def waits(network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        assert prepared.wait(20)
        return loss(network, inputs, targets)

    with Card(small_network(), 2, shards, PROCESSOR, torch.bfloat16) as card:
        card.backward(0, waits)


def test_a_resumed_epoch_gets_its_own_batches() -> None:
    seen: list[float] = []

    def shards(step: int, shard: int) -> tuple[Tensor, Tensor]:
        return INPUTS[:1] * 0 + step, TARGETS[:1]

    def noted(network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        seen.append(inputs[0, 0].item())
        return loss(network, inputs, targets)

    with Card(small_network(), 1, shards, PROCESSOR, torch.bfloat16) as card:
        for step in (4, 5, 9):
            card.backward(step, noted)
    assert seen == [4, 5, 9]


def test_nothing_stays_on_the_card_that_is_wanted_elsewhere() -> None:
    network = small_network().eval()
    with Card(network, 1, part, PROCESSOR, torch.bfloat16) as card:
        logits = card.predict(network, INPUTS)
    assert logits.device == PROCESSOR
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, network(INPUTS).detach())


def options(data: Path, **others: object) -> TrainingOptions:
    chosen = {
        "data": str(data), "architecture": "se_resnet_mini", "epochs": 2, "size": 32,
        "evaluation_size": 32, "batch_size": 6, "threads": 2, "class_weights": True,
    } | others  # fmt: skip
    return TrainingOptions.model_validate(chosen)


def test_a_whole_training_goes_through_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(network: nn.Module, given: TrainingOptions, shards: Shards) -> Card:
        return Card(network, given.threads, shards, PROCESSOR, torch.bfloat16)

    monkeypatch.setattr(machine, "compute", compute)
    run = Training(options(data), class_labels(data / "train"), tmp_path / "run")
    run.run()
    assert [entry["epoch"] for entry in run.history] == [1, 2]
    assert "top1" in run.history[-1]
    assert run.history[0]["gate_spread"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a card")
def test_without_a_card_cuda_is_refused_in_one_line(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^--device: cuda, but PyTorch finds no NVIDIA"):
        Training(options(data, device="cuda"), class_labels(data / "train"), tmp_path / "run")


def test_a_batch_that_the_memory_cannot_hold_is_said(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(Card):
        def predict(self, network: nn.Module, inputs: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory")

    def compute(network: nn.Module, given: TrainingOptions, shards: Shards) -> Card:
        return Full(network, given.threads, shards, PROCESSOR, torch.bfloat16)

    monkeypatch.setattr(machine, "compute", compute)
    run = Training(options(data), class_labels(data / "train"), tmp_path / "run")
    with pytest.raises(ConfigurationError, match=r"^--batch-size: .* card's memory"):
        run.run()


@pytest.mark.needs_card
@pytest.mark.parametrize("mixed", [torch.bfloat16, torch.float16])
def test_a_card_learns_what_the_cores_learn(
    data: Path, tmp_path: Path, mixed: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(network: nn.Module, given: TrainingOptions, shards: Shards) -> Card:
        return Card(network, given.threads, shards, torch.device("cuda"), mixed)

    losses = {}
    for device in ("cpu", "cuda"):
        if device == "cuda":
            monkeypatch.setattr(machine, "compute", compute)
        given = options(data, device=device, epochs=6)
        run = Training(given, class_labels(data / "train"), tmp_path / device)
        run.run()
        losses[device] = [entry["loss"] for entry in run.history]
        weights = checkpoint.load(tmp_path / device / "checkpoint.pt").weights
        assert {value.device.type for value in weights.values()} == {"cpu"}
    # The same start; after it rounding takes the two their own ways, to the same end.
    assert losses["cuda"][0] == pytest.approx(losses["cpu"][0], rel=0.05)
    for own in losses.values():
        assert own[-1] < 0.8 * own[0]
    # It goes on from there.
    longer = options(data, device="cuda", epochs=7)
    run = Training(longer, class_labels(data / "train"), tmp_path / "cuda")
    run.run()
    assert len(run.history) == 7


@pytest.mark.parametrize(
    ("cores", "batch", "expected"), [(2, 64, 2), (12, 64, 8), (48, 64, 32), (3, 2, 1), (5, 7, 1)]
)
def test_threads_by_themselves_share_a_batch_evenly(cores: int, batch: int, expected: int) -> None:
    assert machine.default_threads(cores, batch) == expected
