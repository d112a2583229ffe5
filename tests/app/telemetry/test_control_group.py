"""Memory and throttling come from the innermost control group, of either version."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from app.telemetry.control_group import ControlGroupCollector

GROUP = Path("system.slice/senet.service")


def series(mount: Path, membership: str) -> dict[str, float]:
    (mount / "membership").write_text(membership)
    registry = CollectorRegistry()
    registry.register(ControlGroupCollector(mount, mount / "membership"))
    return {sample.name: sample.value for family in registry.collect() for sample in family.samples}


def test_version_2(tmp_path: Path) -> None:
    group = tmp_path / GROUP
    group.mkdir(parents=True)
    (tmp_path / "memory.current").write_text("999999\n")
    (group / "memory.current").write_text("300000\n")
    (group / "memory.stat").write_text("anon 180000\nfile 120000\ninactive_file 100000\n")
    (group / "cpu.stat").write_text(
        "usage_usec 5000000\nnr_periods 40\nnr_throttled 10\nthrottled_usec 2500000\n"
    )
    assert series(tmp_path, f"0::/{GROUP}\n") == {
        "senet_cgroup_memory_bytes": 300000,
        "senet_cgroup_memory_working_set_bytes": 200000,
        "senet_cgroup_cpu_periods_total": 40,
        "senet_cgroup_cpu_throttled_periods_total": 10,
        "senet_cgroup_cpu_throttled_seconds_total": 2.5,
    }


def test_version_1(tmp_path: Path) -> None:
    for controller in ("memory", "cpu"):
        (tmp_path / controller / "docker").mkdir(parents=True)
    (tmp_path / "memory/docker/memory.usage_in_bytes").write_text("5000\n")
    (tmp_path / "memory/docker/memory.stat").write_text(
        "inactive_file 1\ntotal_inactive_file 2000\n"
    )
    (tmp_path / "cpu/docker/cpu.stat").write_text(
        "nr_periods 4\nnr_throttled 1\nthrottled_time 1500000000\n"
    )
    assert series(tmp_path, "4:memory:/docker\n1:cpu,cpuacct:/docker\n") == {
        "senet_cgroup_memory_bytes": 5000,
        "senet_cgroup_memory_working_set_bytes": 3000,
        "senet_cgroup_cpu_periods_total": 4,
        "senet_cgroup_cpu_throttled_periods_total": 1,
        "senet_cgroup_cpu_throttled_seconds_total": 1.5,
    }


@pytest.mark.parametrize("stat", ["", "nr_periods\n", "nr_periods many\n", "usage_usec 5\n"])
def test_what_the_kernel_does_not_tell_is_no_series(tmp_path: Path, stat: str) -> None:
    (tmp_path / "cpu.stat").write_text(stat)
    (tmp_path / "memory.current").write_text("max\n")
    assert series(tmp_path, "0::/\n") == {}
