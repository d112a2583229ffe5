"""Images per second of each variant on this machine, side by side."""

import os
import platform
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

from app.contract.manifest import Precision
from senet.export.runtime import Images, Run

BATCH = 8
_ROUNDS = 15
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")


def ratios(runs: Mapping[Precision, Run], photos: Images) -> dict[Precision, float]:
    """Images per second of each run as a multiple of fp32's.

    Every run takes its turn in each round, so that they share any disturbance.

    Args:
        runs: the variants; fp32 among them.
        photos: uint8 [n, height, width, 3]; the first 8 are used.
    """
    if len(runs) == 1:
        return dict.fromkeys(runs, 1.0)
    batch = photos[:BATCH]
    seconds: dict[Precision, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(batch)
    for _ in range(_ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter()
            run(batch)
            seconds[name].append(time.perf_counter() - start)
    fp32 = statistics.median(seconds["fp32"])
    return {name: fp32 / statistics.median(times) for name, times in seconds.items()}


def machine() -> str:
    """The processor's architecture, cores and the instructions that decide the speed of int8."""
    info = Path("/proc/cpuinfo")
    words = set(info.read_text().split()) if info.exists() else set()
    flags = [flag for flag in _FLAGS if flag in words]
    known = " ".join(flags) or "no vector instructions known"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.machine()}, {cores} cores, {known}"
