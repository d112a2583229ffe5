"""Trains a network on class folders; killed at any moment, it continues bit by bit the same."""

import math
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label
from senet.blocks import ResidualBlock
from senet.evaluation import Evaluation, evaluate, load_photos
from senet.gates.block import BlockGates
from senet.gates.recorder import GateRecorder
from senet.sources.architecture import build
from senet.training import machine, phases, schedule
from senet.training.batches import Batches, normalise
from senet.training.compute import Compute
from senet.training.moving_average import MovingAverage
from senet.training.optimizers import optimizer, set_learning_rate
from senet.training.options import TrainingOptions, refuse_contradictions
from senet.training.photos import TrainingPhotos, load_training_photos
from senet.training.start import start
from senet.training.state import RunDirectory, TrainingState

# Evaluation batch of one thread.
_EVALUATION_BATCH = 32

# Photos over which the gates' spread is logged: enough for two digits.
_GATE_PHOTOS = 256

Progress = Callable[[Iterable[int], str], Iterable[int]]
"""Wraps the steps of an epoch, given its title, to show how far they are."""


class Training:
    """One run in one directory, from its first epoch or from where it was left.

    Args:
        options: how to train.
        labels: the classes.
        output: the run directory.

    Attributes:
        notes: what the folders of photos lack or hold besides, in whole sentences.

    Raises:
        ConfigurationError: if an option is wrong, the photos are unusable, or the directory
            holds a run with other options.
    """

    def __init__(self, options: TrainingOptions, labels: tuple[Label, ...], output: Path) -> None:
        refuse_contradictions(options)
        self._options = options
        device = machine.device(options)
        # Each shard has its own thread: see `Replicas`.
        torch.set_num_threads(1)
        torch.manual_seed(options.seed)
        network = build(options.architecture, len(labels))
        _refuse_racing_dropout(network, options)
        _start_as_identity(network)
        ancestry = start(network, options, labels)
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stub
        self._state = TrainingState(
            network,
            MovingAverage(network, options.average_decay),
            optimizer(network, options),
            [],
        )
        data = Path(options.data)
        photos = load_training_photos(data / "train", labels, options.size * 5 // 4)
        self._directory = RunDirectory(output, options, labels, photos.digest, ancestry)
        self._directory.restore(self._state)
        self._batches = Batches(photos, len(labels), options)
        if not self._batches.steps:
            raise ConfigurationError(
                "--batch-size",
                f"{options.batch_size} is more than the {len(photos.targets)} training photos",
                "lower it or add photos",
            )
        self._validation = load_photos("--data", data / "val", labels, options.preprocessing)
        self._class_weights = _class_weights(photos, len(labels)) if options.class_weights else None
        self.notes = (*photos.notes, *self._validation.notes)

    @property
    def history(self) -> list[dict[str, Any]]:
        """One log entry for each epoch done."""
        return self._state.history

    @property
    def done(self) -> bool:
        """Whether every epoch is done, or top-1 has stopped rising."""
        patience = self._options.patience
        seen = [entry["top1"] for entry in self.history if "top1" in entry]
        waited = len(seen) - 1 - seen.index(max(seen)) if seen else 0
        enough = patience is not None and waited >= patience
        return enough or len(self.history) >= self._options.epochs

    def run(
        self,
        progress: Progress = lambda steps, _: steps,
        tell: Callable[[dict[str, Any]], object] = lambda _: None,
    ) -> None:
        """Trains the epochs that are left, saving after each.

        Args:
            progress: see `Progress`.
            tell: called with the log entry of each epoch that is saved.

        Raises:
            ConfigurationError: if the training diverges, the card's memory does not suffice, or the
                run directory cannot be written.
        """
        network, shards = self._state.network, self._batches.at
        with machine.compute(network, self._options, shards) as compute:
            while not self.done:
                try:
                    entry, evaluation = self._run_epoch(compute, progress)
                except torch.OutOfMemoryError as error:
                    raise ConfigurationError(
                        "--batch-size",
                        f"{self._options.batch_size} photos of {self._options.size} pixels do not"
                        " fit into the card's memory",
                        "lower it, and --learning-rate with it",
                    ) from error
                self.history.append(entry)
                self._directory.save(self._state, evaluation)
                tell(entry)

    def _run_epoch(
        self, compute: Compute, progress: Progress
    ) -> tuple[dict[str, Any], Evaluation | None]:
        options, epoch, steps = self._options, len(self.history), self._batches.steps
        # For networks with dropout; all else draws from generators of its own.
        torch.manual_seed(options.seed + epoch)
        started = time.monotonic()
        losses = [
            self._step(compute, epoch, step)
            for step in progress(range(steps), f"epoch {epoch + 1}/{options.epochs}")
        ]
        if not math.isfinite(sum(losses)):
            raise ConfigurationError(
                "--learning-rate",
                f"the training diverged in epoch {epoch + 1}: its loss is no longer finite",
                "start anew with a lower one",
            )
        trained = time.monotonic()
        entry: dict[str, Any] = {
            "epoch": epoch + 1,
            "size": schedule.image_size(epoch, options.epochs, options.size),
            "loss": round(sum(losses) / steps, 5),
            "learning_rate": self._state.optimizer.param_groups[0]["lr"],
            "images_per_second": round(steps * options.batch_size / (trained - started), 1),
        }
        if gates := self._gates(compute):
            entry["gate_spread"] = {block.block: round(block.spread, 5) for block in gates}
            entry["dead_blocks"] = [block.block for block in gates if block.dead]
        result: Evaluation | None = None
        if (epoch + 1) % options.evaluate_every == 0 or epoch + 1 == options.epochs:

            def infer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
                inputs = normalise(images, options.preprocessing)
                return compute.predict(self._state.average.network, inputs).numpy()

            result = evaluate(infer, self._validation, _EVALUATION_BATCH * options.threads)
            entry |= {"top1": round(result.top1, 5), "top5": round(result.top5, 5)}
        entry["seconds"] = round(time.monotonic() - started, 1)
        return entry, result

    def _gates(self, compute: Compute) -> list[BlockGates]:
        images = self._validation.images
        chosen = images[:: math.ceil(len(images) / _GATE_PHOTOS)]
        recorder = GateRecorder()
        average = self._state.average.network
        with recorder.watch(average):
            compute.predict(average, normalise(chosen, self._options.preprocessing))
        return recorder.blocks()

    def _step(self, compute: Compute, epoch: int, step: int) -> float:
        options, state = self._options, self._state

        def loss(network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
            mixed = compute.mixed
            with torch.autocast(images.device.type, mixed, enabled=mixed is not None):
                logits: Tensor = network(images)
            weights = self._class_weights
            return functional.cross_entropy(
                logits.float(),
                targets,
                weight=None if weights is None else weights.to(targets.device),
                label_smoothing=options.label_smoothing,
            )

        done = epoch * self._batches.steps + step
        rate = phases.learning_rate(options, self._batches.steps, done)
        set_learning_rate(state.optimizer, rate)
        prepare = partial(
            phases.prepare,
            head_only=epoch < options.head_epochs,
            frozen_statistics=options.frozen_statistics,
        )
        value = compute.backward(done, loss, prepare)
        compute.move(state.optimizer)
        state.average.update(state.network, done)
        return value


def _refuse_racing_dropout(network: nn.Module, options: TrainingOptions) -> None:
    drops = any(isinstance(m, nn.Dropout) and m.p > 0 for m in network.modules())
    if drops and options.threads > 1 and options.device == "cpu":
        raise ConfigurationError(
            "--threads",
            f"{options.threads} threads would draw this network's dropout in an order left to"
            " chance",
            "give 1",
        )


def _class_weights(photos: TrainingPhotos, classes: int) -> Tensor:
    """float32 [classes], inverse to the classes' shares; their mean over the photos is 1."""
    counts = torch.bincount(torch.tensor(photos.targets), minlength=classes)
    return len(photos.targets) / (classes * counts.float())


def _start_as_identity(network: nn.Module) -> None:
    """Zeroes the last scale of each residual branch (Goyal et al. 2017, section 5.1)."""
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            norms = [child for child in module.children() if isinstance(child, nn.BatchNorm2d)]
            nn.init.zeros_(norms[-1].weight)
