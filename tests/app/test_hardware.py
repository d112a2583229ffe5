"""Cores are counted by quota and affinity, not by the host."""

import os
from pathlib import Path

import pytest

from app.hardware import available_cores, core_quota, memory_limit_bytes, processor


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))


def version_2(folder: Path, text: str) -> Path:
    (folder / "cpu.max").write_text(text)
    return folder


def version_1(folder: Path, quota: str, period: str) -> Path:
    (folder / "cpu").mkdir()
    (folder / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (folder / "cpu" / "cpu.cfs_period_us").write_text(period)
    return folder


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("150000 100000\n", 1),
        ("50000 100000\n", 1),
        ("1600000 100000\n", 8),
        ("nonsense\n", 8),
    ],
)
def test_quota_of_cgroup_version_2(tmp_path: Path, text: str, cores: int) -> None:
    assert available_cores(version_2(tmp_path, text)) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("300000", 3), ("20000", 1), ("", 8)])
def test_quota_of_cgroup_version_1(tmp_path: Path, quota: str, cores: int) -> None:
    assert available_cores(version_1(tmp_path, quota, "100000")) == cores


def test_without_cgroup_affinity_counts(tmp_path: Path) -> None:
    assert available_cores(tmp_path / "missing") == 8


def test_where_there_is_no_affinity_the_machine_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert available_cores(tmp_path) == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores(tmp_path) == 1


@pytest.mark.parametrize(
    ("text", "limit"), [("max\n", None), ("536870912\n", 2**29), ("nonsense\n", None)]
)
def test_memory_limit_of_cgroup_version_2(tmp_path: Path, text: str, limit: int | None) -> None:
    (tmp_path / "memory.max").write_text(text)
    assert memory_limit_bytes(tmp_path) == limit


@pytest.mark.parametrize(
    ("text", "limit"), [("9223372036854771712\n", None), ("536870912\n", 2**29)]
)
def test_memory_limit_of_cgroup_version_1(tmp_path: Path, text: str, limit: int | None) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(text)
    assert memory_limit_bytes(tmp_path) == limit


def test_half_a_core_is_one_to_be_used_and_told_as_half(tmp_path: Path) -> None:
    assert core_quota(version_2(tmp_path, "50000 100000\n")) == 0.5
    assert available_cores(tmp_path) == 1


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        (
            (
                "processor\t: 0\nmodel name\t: Some CPU 9\nflags\t\t: fpu smep avx2 avx512_vnni\n\n"
                "processor\t: 1\nmodel name\t: Some CPU 9\nflags\t\t: fpu\n"
            ),
            "8 x Some CPU 9 avx2 avx512_vnni",
        ),
        (
            "processor\t: 0\nFeatures\t: fp asimddp i8mm\nCPU part\t: 0xd40\n",
            "8 x 0xd40 asimddp i8mm",
        ),
    ],
)
def test_a_processor_is_told_by_what_inference_may_use(
    tmp_path: Path, cpuinfo: str, expected: str
) -> None:
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert processor(tmp_path / "cpuinfo") == expected


def test_a_processor_that_nobody_describes_has_a_name_too(tmp_path: Path) -> None:
    assert processor(tmp_path / "cpuinfo").startswith("8 x ")


SERVICE = "/system.slice/senet.service"


def member(folder: Path, text: str) -> Path:
    file = folder / "membership"
    file.write_text(text)
    return file


def test_a_service_of_systemd_has_the_limits_of_its_own_group(tmp_path: Path) -> None:
    group = tmp_path / "system.slice" / "senet.service"
    group.mkdir(parents=True)
    version_2(group, "200000 100000\n")
    (group / "memory.max").write_text(f"{2**30}\n")
    version_2(group.parent, "max 100000\n")
    (group.parent / "memory.max").write_text("max\n")
    membership = member(tmp_path, f"0::{SERVICE}\n")
    assert available_cores(tmp_path, membership) == 2
    assert memory_limit_bytes(tmp_path, membership) == 2**30


def test_the_lowest_limit_counts_wherever_it_stands(tmp_path: Path) -> None:
    group = tmp_path / "system.slice" / "senet.service"
    group.mkdir(parents=True)
    version_2(group, "400000 100000\n")
    (group / "memory.max").write_text(f"{2**31}\n")
    version_2(group.parent, "300000 100000\n")
    (group.parent / "memory.max").write_text(f"{2**30}\n")
    membership = member(tmp_path, f"0::{SERVICE}\n")
    assert core_quota(tmp_path, membership) == 3
    assert memory_limit_bytes(tmp_path, membership) == 2**30


def test_version_1_has_a_tree_for_each_controller(tmp_path: Path) -> None:
    cpu = tmp_path / "cpu" / "system.slice" / "senet.service"
    memory = tmp_path / "memory" / "other.slice"
    for group in (cpu, memory):
        group.mkdir(parents=True)
    (cpu / "cpu.cfs_quota_us").write_text("150000")
    (cpu / "cpu.cfs_period_us").write_text("100000")
    (memory / "memory.limit_in_bytes").write_text(str(2**29))
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712")
    membership = member(
        tmp_path, f"7:cpu,cpuacct:{SERVICE}\n4:memory:/other.slice\n1:name=systemd:/\n0::/\n"
    )
    assert core_quota(tmp_path, membership) == 1.5
    assert memory_limit_bytes(tmp_path, membership) == 2**29


@pytest.mark.parametrize(
    "text",
    [
        "0::/\n",
        "0::/docker/0123/of/the/host\n",
        "0::/../outside\n",
        "0::/../../../../../../../../etc\n",
        "nonsense\n\n::\n0:\n",
        "",
    ],
)
def test_a_container_has_the_limits_that_stand_at_its_mount(tmp_path: Path, text: str) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    (tmp_path / "outside").mkdir()
    version_2(mount, "200000 100000\n")
    version_2(tmp_path / "outside", "100000 100000\n")
    assert core_quota(mount, member(tmp_path, text)) == 2
    assert core_quota(mount, tmp_path / "missing") == 2
