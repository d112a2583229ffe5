"""The run directory: `checkpoint.pt` and `log.jsonl`, and how a run is continued from them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label
from senet import checkpoint
from senet.evaluation import Evaluation
from senet.training.confusion import Confusion, summary
from senet.training.moving_average import MovingAverage
from senet.training.optimizers import Optimizer
from senet.training.options import TrainingOptions, flag

CHECKPOINT = "checkpoint.pt"
BEST = "best.pt"
LOG = "log.jsonl"
REPORT = "report.md"
PICTURE = "confusion.svg"
# A folder may move, and a run be made longer; all else would make it another run.
_MAY_CHANGE = frozenset({"data", "epochs", "patience"})


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
    optimizer: Optimizer
    history: list[dict[str, Any]]


class RunDirectory:
    """Saves and restores the state of one run.

    Args:
        path: the directory, created if it is missing.
        options: the run's options.
        labels: the classes.
        photos: digest of the training photos' names and classes.
        ancestry: provenance of the weights that the run started from; empty if random.

    Raises:
        ConfigurationError: if the directory cannot be created.
    """

    def __init__(
        self,
        path: Path,
        options: TrainingOptions,
        labels: tuple[Label, ...],
        photos: str,
        ancestry: str = "",
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
        self._photos = photos
        self._started = f", started from weights {ancestry}" if ancestry else ""

    def save(self, state: TrainingState, evaluation: Evaluation | None = None) -> None:
        """Writes the checkpoint, then the log, which the checkpoint holds as well.

        Args:
            state: what to save.
            evaluation: of this epoch, if it had one: for the report, and for `best.pt` if it is
                the best so far.

        Raises:
            ConfigurationError: if the disk is full or not writable.
        """
        options = self._options
        served = checkpoint.Checkpoint(
            architecture=options.architecture,
            labels=self._labels,
            preprocessing=options.preprocessing,
            # A file with tensors of a card is read on machines that have none.
            weights={k: value.cpu() for k, value in state.average.network.state_dict().items()},
            provenance=f"trained on {Path(options.data).absolute().name}, "
            f"{len(state.history)} of {options.epochs} epochs, seed {options.seed}" + self._started,
        )
        training = {
            "options": options.model_dump(),
            "labels": [label.model_dump() for label in self._labels],
            "network": state.network.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "history": state.history,
            "photos": self._photos,
        }
        try:
            checkpoint.save(self.checkpoint, served, training)
            lines = "".join(json.dumps(entry) + "\n" for entry in state.history)
            self._log.write_text(lines, encoding="utf-8")
            if evaluation is not None:
                self._report(state.history, evaluation, served)
        except OSError as error:
            raise ConfigurationError(
                "--output", f"cannot write ({error})", "free space; the same command continues"
            ) from error

    def _report(
        self,
        history: list[dict[str, Any]],
        evaluation: Evaluation,
        served: checkpoint.Checkpoint,
    ) -> None:
        seen = [entry for entry in history if "top1" in entry]
        best = max(seen, key=lambda entry: (entry["top1"], entry["epoch"]))
        if best is history[-1]:
            checkpoint.save(self.checkpoint.with_name(BEST), served)
        table = Confusion.of(evaluation, self._labels)
        text = "\n".join(summary(best, history[-1], table))
        self.checkpoint.with_name(REPORT).write_text(text + "\n", encoding="utf-8")
        self.checkpoint.with_name(PICTURE).write_text(table.picture(), encoding="utf-8")

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
        # Options that are younger than the run had their defaults.
        defaults = {name: field.default for name, field in TrainingOptions.model_fields.items()}
        for option, value in self._options.model_dump().items():
            before = training["options"].get(option, defaults[option])
            if isinstance(before, list):
                before = tuple(before)
            if before != value and option not in _MAY_CHANGE:
                raise ConfigurationError(
                    flag(option),
                    f"{value}, but the run in {self.checkpoint.parent} was started with {before}",
                    "give the same value or another --output",
                )
        before, now = training["options"]["epochs"], self._options.epochs
        if now < before:
            raise ConfigurationError(
                "--epochs",
                f"{now}, but the run in {self.checkpoint.parent} was started with {before}",
                "give as many or more",
            )
        if training.get("photos", self._photos) != self._photos:
            raise ConfigurationError(
                "--data",
                f"{self._options.data} has other photos than the run was started with",
                "give the same photos, wherever they lie, or another --output",
            )
        if training["labels"] != [label.model_dump() for label in self._labels]:
            raise ConfigurationError(
                "--classes", "the run was started with other classes", "give another --output"
            )
