"""A line that stays for each epoch of a training, on a terminal and in a log."""

from collections.abc import Callable, Mapping
from statistics import mean
from typing import Any

# Epochs by which the time left is judged: their images grow.
_RECENT = 3


class EpochLines:
    """Writes a line for each epoch; called with the epoch's log entry.

    Args:
        epochs: of the whole training.
        write: takes the line.
    """

    def __init__(self, epochs: int, write: Callable[[str], object]) -> None:
        self._epochs = epochs
        self._write = write
        self._seconds: list[float] = []

    def __call__(self, entry: Mapping[str, Any]) -> None:
        """Writes the line of `entry`."""
        self._seconds.append(entry["seconds"])
        parts = [f"epoch {entry['epoch']}/{self._epochs}", f"loss {entry['loss']:.3f}"]
        if "top1" in entry:
            parts.append(f"top-1 {entry['top1']:.2%}")
        parts.append(f"learning rate {entry['learning_rate']:.2g}")
        if spreads := list(entry.get("gate_spread", {}).values()):
            parts.append(f"gates {min(spreads):.3f} to {max(spreads):.3f}")
            if dead := entry["dead_blocks"]:
                parts.append(f"{len(dead)} dead")
        left = self._epochs - entry["epoch"]
        if left:
            parts.append(f"{_duration(left * mean(self._seconds[-_RECENT:]))} left")
        self._write("  ".join(parts))


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
