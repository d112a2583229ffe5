"""Real control groups for real processes, of whichever version the kernel has mounted."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

MOUNT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000


def is_version_2() -> bool:
    return (MOUNT / "cgroup.controllers").exists()


def core_limits(cores: float) -> Mapping[str, str]:
    """The files of a group that give it so many cores."""
    quota = round(cores * PERIOD_US)
    if is_version_2():
        return {"cpu.max": f"{quota} {PERIOD_US}"}
    return {"cpu.cfs_period_us": str(PERIOD_US), "cpu.cfs_quota_us": str(quota)}


def memory_limits(limit: int) -> Mapping[str, str]:
    """The files of a group that give it so many bytes of memory."""
    return {"memory.max" if is_version_2() else "memory.limit_in_bytes": str(limit)}


@contextmanager
def group(name: str, *limits: Mapping[str, Mapping[str, str]]) -> Iterator[list[Path]]:
    """A group, or several below each other, for as long as a test runs.

    Args:
        name: of the groups; a number follows.
        limits: of each group its files by controller, from the outermost inwards. All have the
            same controllers.

    Yields:
        The folders to join: one in version 2, and in version 1 one of each controller.
    """
    controllers = list(limits[0])
    trees = [MOUNT] if is_version_2() else [MOUNT / controller for controller in controllers]
    made: list[Path] = []
    places = []
    try:
        for tree in trees:
            place = tree
            for level in limits:
                if is_version_2():
                    switched_on = " ".join(f"+{controller}" for controller in controllers)
                    (place / "cgroup.subtree_control").write_text(switched_on)
                place = place / f"{name}-{os.getpid()}"
                place.mkdir()
                made.append(place)
                for controller, files in level.items():
                    if is_version_2() or tree.name == controller:
                        for file, text in files.items():
                            (place / file).write_text(text)
            places.append(place)
        yield places
    except OSError as error:
        pytest.skip(f"control groups cannot be made here ({error.strerror}); it takes root")
    finally:
        for folder in reversed(made):
            folder.rmdir()
