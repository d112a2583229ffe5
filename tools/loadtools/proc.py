"""What Linux says of a process and of those that it has started; see proc(5)."""

import os
from pathlib import Path

_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20
_TICKS = os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Memory of a process and all that it has started; pages that they share count for each."""
    return sum(_resident_mib(found) for found in _tree(pid))


def processor_seconds(pid: int) -> float:
    """Processor time that a process and all that it has started have used."""
    return sum(_processor_seconds(Path(f"/proc/{found}/stat")) for found in _tree(pid))


def main_thread_seconds(pid: int) -> float:
    """Processor time of a process's main thread."""
    return _processor_seconds(Path(f"/proc/{pid}/task/{pid}/stat"))


def count(pid: int, what: str) -> int:
    """How many entries there are in the process's folder `what`: "task" or "fd"."""
    return len(list(Path(f"/proc/{pid}/{what}").iterdir()))


def _tree(pid: int) -> list[int]:
    """A process and all that it has started, those that have ended left out."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [pid, *(found for child in children for found in _tree(int(child)))]


def _resident_mib(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_MIB
    except OSError:
        return 0.0


def _processor_seconds(stat: Path) -> float:
    try:
        # The command's name comes second, in brackets, and may hold spaces.
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS
