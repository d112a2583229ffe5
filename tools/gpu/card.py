"""What the driver tells of the card, by nvidia-smi."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_PERIOD_MS = 200


def ask(*fields: str) -> list[str]:
    """Values of the first card, in the order of the fields; none where there is no card."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits", "--id=0"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)  # noqa: S603 - NVIDIA's own
    return [value.strip() for value in done.stdout.strip().split(",")]


def memory_mib() -> float:
    """Memory of the card that is in use; 0 where there is no card."""
    used = ask("memory.used")
    return float(used[0]) if used else 0.0


class Utilisation:
    """Shares of time in which the card computed, in percent, sample by sample."""

    def __init__(self) -> None:
        self.samples: list[float] = []

    @property
    def mean(self) -> float | None:
        """Over the samples; None without any."""
        return sum(self.samples) / len(self.samples) if self.samples else None


@contextmanager
def watched() -> Iterator[Utilisation]:
    """Samples the card for the length of a block."""
    seen = Utilisation()
    program = shutil.which("nvidia-smi")
    if program is None:
        yield seen
        return
    command: Sequence[str] = (
        program, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0",
        f"--loop-ms={_PERIOD_MS}",
    )  # fmt: skip
    with tempfile.TemporaryFile("w+") as lines:
        process = subprocess.Popen(command, stdout=lines)  # noqa: S603 - NVIDIA's own
        try:
            yield seen
        finally:
            process.terminate()
            process.wait()
            lines.seek(0)
            seen.samples += [float(line) for line in lines if line.strip().isdigit()]
