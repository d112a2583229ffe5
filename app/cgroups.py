"""The control groups that limit this process: its own, and those around it."""

from collections.abc import Iterator
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def folders(controller: str, mount: Path = MOUNT, membership: Path = MEMBERSHIP) -> Iterator[Path]:
    """The folders in which the kernel tells of them, from the innermost outwards.

    A container sees its own group at the mount. A service of systemd stands further down, and the
    slices above it may have limits of their own. The lowest limit counts.

    Args:
        controller: such as `cpu` or `memory`, each of which has a tree of its own in version 1.
        mount: where the control group file system is mounted.
        membership: where the kernel tells what groups the process is in (cgroups(7)).

    Yields:
        Folders of version 2 and of version 1; they need not exist.
    """
    for tree, path in _paths(controller, membership).items():
        parts = [part for part in path.split("/") if part]
        # Seen from inside a namespace a group outside of it has such a path; the mount shows all
        # that can be seen. So it does where the path is the host's, and not to be found here.
        if ".." in parts:
            parts = []
        for depth in range(len(parts), -1, -1):
            yield mount.joinpath(tree, *parts[:depth])


def _paths(controller: str, membership: Path) -> dict[str, str]:
    """The process's group in each tree that knows the controller; version 2 has one, unnamed."""
    found = {"": "/", controller: "/"}
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            found[""] = path
        elif controller in controllers.split(","):
            found[controller] = path
    return found
