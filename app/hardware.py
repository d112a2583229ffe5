"""What the process may use of the machine."""

import os
import platform
import re
from pathlib import Path

from app import cgroups
from app.cgroups import MEMBERSHIP, MOUNT

_NO_LIMIT_BYTES = 2**60
_INFERENCE_FLAGS = re.compile(r"(fma|f16c|avx|amx|asimd|sve|sme2?$|i8mm|bf16)")


def available_cores(cgroup: Path = MOUNT, membership: Path = MEMBERSHIP) -> int:
    """Cores this process may use: the lesser of CPU affinity and cgroup quota, at least 1.

    A container with a quota of 2 cores on a host of 64 must size its thread pools for 2.

    Args:
        cgroup: where the control group file system is mounted (version 2 or 1).
        membership: where the kernel tells what groups the process is in.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = affinity or 1
    quota = core_quota(cgroup, membership)
    return max(1, min(cores, int(quota)) if quota else cores)


def core_quota(cgroup: Path = MOUNT, membership: Path = MEMBERSHIP) -> float | None:
    """The lowest quota of the process's control groups, in cores such as 0.5; None without one.

    Args:
        cgroup: where the control group file system is mounted (version 2 or 1).
        membership: where the kernel tells what groups the process is in.
    """
    folders = cgroups.folders("cpu", cgroup, membership)
    quotas = [quota for folder in folders if (quota := _quota_v2(folder) or _quota_v1(folder))]
    return min(quotas, default=None)


def _quota_v2(group: Path) -> float | None:
    try:
        quota, period = (group / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def _quota_v1(group: Path) -> float | None:
    try:
        quota = int((group / "cpu.cfs_quota_us").read_text())
        period = int((group / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 else None


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's model, how many there are, and the instructions that inference may use.

    Args:
        cpuinfo: where the kernel describes the processors.
    """
    try:
        text = cpuinfo.read_text()
    except OSError:
        text = ""
    # Each processor has a paragraph; the first one stands for all.
    lines = [line.partition(":") for line in text.partition("\n\n")[0].splitlines()]
    facts = {name.strip(): value.strip() for name, _, value in lines}
    # "Features" on Arm, where the model is often not named.
    flags = facts.get("flags", facts.get("Features", "")).split()
    relevant = sorted(flag for flag in flags if _INFERENCE_FLAGS.match(flag))
    name = facts.get("model name") or facts.get("CPU part") or platform.processor()
    return " ".join([f"{available_cores()} x {name or platform.machine()}", *relevant])


def memory_limit_bytes(cgroup: Path = MOUNT, membership: Path = MEMBERSHIP) -> int | None:
    """The lowest memory limit of the process's control groups; None if there is none.

    Args:
        cgroup: where the control group file system is mounted (version 2 or 1).
        membership: where the kernel tells what groups the process is in.
    """
    limits = [
        limit
        for folder in cgroups.folders("memory", cgroup, membership)
        for name in ("memory.max", "memory.limit_in_bytes")
        if (limit := _memory_limit(folder / name)) is not None
    ]
    return min(limits, default=None)


def _memory_limit(file: Path) -> int | None:
    try:
        limit = int(file.read_text())
    except (OSError, ValueError):  # version 2 writes "max" where there is none
        return None
    # Version 1 writes the largest number of pages that it can count.
    return limit if limit < _NO_LIMIT_BYTES else None


def available_memory_bytes(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """The memory that the machine could give without swapping; None where it does not tell.

    Args:
        meminfo: where the kernel counts the machine's memory.
    """
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def resident_bytes(statm: Path = Path("/proc/self/statm")) -> int:
    """The memory that this process takes now; 0 where the system does not tell.

    Args:
        statm: where the kernel counts the process's pages.
    """
    try:
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
