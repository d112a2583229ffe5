"""What the process's control group takes of memory, and how often it was held back."""

from collections.abc import Iterable
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.registry import Collector

from app import cgroups
from app.cgroups import MEMBERSHIP, MOUNT
from app.telemetry.families import Family

_MEMORY = Family(
    "senet_cgroup_memory_bytes",
    "Memory of the process's control group, with the files that the kernel keeps in memory for it.",
)
_WORKING_SET = Family(
    "senet_cgroup_memory_working_set_bytes",
    "The same without files that the kernel would drop first: what Kubernetes evicts by.",
)
_PERIODS = Family(
    "senet_cgroup_cpu_periods", "Periods in which the control group's CPU quota applied.", True
)
_THROTTLED = Family(
    "senet_cgroup_cpu_throttled_periods", "Those of them in which the quota was used up.", True
)
_THROTTLED_SECONDS = Family(
    "senet_cgroup_cpu_throttled_seconds",
    "How long the control group's threads were held back by its CPU quota, added up.",
    True,
)
FAMILIES = (_MEMORY, _WORKING_SET, _PERIODS, _THROTTLED, _THROTTLED_SECONDS)
"""All that may be found."""


class ControlGroupCollector(Collector):
    """Reads the innermost group's files at each scrape; what it does not find has no series.

    Args:
        mount: where the control group file system is mounted (version 2 or 1).
        membership: where the kernel tells what groups the process is in.
    """

    def __init__(self, mount: Path = MOUNT, membership: Path = MEMBERSHIP) -> None:
        self._mount = mount
        self._membership = membership

    def describe(self) -> Iterable[Metric]:
        """The families, without values."""
        return [family.empty() for family in FAMILIES]

    def collect(self) -> Iterable[Metric]:
        """The families that there are."""
        yield from self._memory()
        yield from self._throttling()

    def _memory(self) -> Iterable[Metric]:
        for folder in cgroups.folders("memory", self._mount, self._membership):
            for name, inactive in (
                ("memory.current", "inactive_file"),
                ("memory.usage_in_bytes", "total_inactive_file"),
            ):
                used = _numbers(folder / name, "used")
                if "used" in used:
                    dropped = _numbers(folder / "memory.stat").get(inactive, 0)
                    yield _MEMORY.of(used["used"])
                    yield _WORKING_SET.of(max(0, used["used"] - dropped))
                    return

    def _throttling(self) -> Iterable[Metric]:
        for folder in cgroups.folders("cpu", self._mount, self._membership):
            found = _numbers(folder / "cpu.stat")
            if "nr_periods" in found:
                yield _PERIODS.of(found["nr_periods"])
                yield _THROTTLED.of(found.get("nr_throttled", 0))
                # Microseconds in version 2, nanoseconds in version 1.
                yield _THROTTLED_SECONDS.of(
                    found.get("throttled_usec", 0) / 1e6 + found.get("throttled_time", 0) / 1e9
                )
                return


def _numbers(file: Path, name: str | None = None) -> dict[str, int]:
    """The lines `name number` of a file; none where it is not there or not like that.

    Args:
        file: of the control group.
        name: for the number of a file that holds nothing else.
    """
    try:
        lines = file.read_text().splitlines()
        pairs = [[name, *line.split()] if name else line.split() for line in lines]
        return {str(key): int(value) for key, value in pairs}
    except (OSError, ValueError):
        return {}
