"""The run directory: `checkpoint.pt` and `log.jsonl`, and how a run is continued from them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label
from senet import checkpoint
from senet.training.moving_average import MovingAverage
from senet.training.options import TrainingOptions, flag

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


@dataclass
class TrainingState:
    """All that changes from epoch to epoch.

    Attributes:
        network: the network in training.
        average: the moving average of its weights, which is evaluated and served.
        optimizer: the optimiser over the network's parameters.
        history: one log entry for each epoch done.
    """

    network: nn.Module
    average: MovingAverage
    optimizer: torch.optim.Optimizer
    history: list[dict[str, Any]]


class RunDirectory:
    """Saves and restores the state of one run.

    Args:
        path: the directory, created if it is missing.
        options: the run's options.
        labels: the classes.
        ancestry: provenance of the weights that the run started from; empty if random.

    Raises:
        ConfigurationError: if the directory cannot be created.
    """

    def __init__(
        self, path: Path, options: TrainingOptions, labels: tuple[Label, ...], ancestry: str = ""
    ) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                "--output", f"{path} cannot be a directory ({error.strerror})", "give another"
            ) from error
        self.checkpoint = path / CHECKPOINT
        self._log = path / LOG
        self._options = options
        self._labels = labels
        self._started = f", started from weights {ancestry}" if ancestry else ""

    def save(self, state: TrainingState) -> None:
        """Writes the checkpoint, then the log, which the checkpoint holds as well.

        Raises:
            ConfigurationError: if the disk is full or not writable.
        """
        options = self._options
        served = checkpoint.Checkpoint(
            architecture=options.architecture,
            labels=self._labels,
            preprocessing=options.preprocessing,
            weights=state.average.network.state_dict(),
            provenance=f"trained on {Path(options.data).absolute().name}, "
            f"{len(state.history)} of {options.epochs} epochs, seed {options.seed}" + self._started,
        )
        training = {
            "options": options.model_dump(),
            "labels": [label.model_dump() for label in self._labels],
            "network": state.network.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "history": state.history,
        }
        try:
            checkpoint.save(self.checkpoint, served, training)
            lines = "".join(json.dumps(entry) + "\n" for entry in state.history)
            self._log.write_text(lines, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                "--output", f"cannot write ({error})", "free space; the same command continues"
            ) from error

    def restore(self, state: TrainingState) -> None:
        """Brings a fresh state to where the directory's checkpoint left off, if it has one.

        Raises:
            ConfigurationError: if the checkpoint is damaged or belongs to a run with other
                options or classes.
        """
        if not self.checkpoint.exists():
            return
        training = checkpoint.load_training(self.checkpoint)
        if training is None:
            raise ConfigurationError(
                "--output", f"{self.checkpoint} cannot be continued", "give another directory"
            )
        self._refuse_others(training)
        state.network.load_state_dict(training["network"])
        state.average.network.load_state_dict(checkpoint.load(self.checkpoint).weights)
        state.optimizer.load_state_dict(training["optimizer"])
        state.history[:] = training["history"]

    def _refuse_others(self, training: dict[str, Any]) -> None:
        for option, value in self._options.model_dump().items():
            before = training["options"].get(option)
            if before != value:
                raise ConfigurationError(
                    flag(option),
                    f"{value}, but the run in {self.checkpoint.parent} was started with {before}",
                    "give the same value or another --output",
                )
        if training["labels"] != [label.model_dump() for label in self._labels]:
            raise ConfigurationError(
                "--classes", "the run was started with other classes", "give another --output"
            )
