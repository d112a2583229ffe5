"""A container with half a core: the kernel's own quota on a real process."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.colours import COLOURS
from tests.support.http import post_image, top_classes
from tests.support.images import encode, photo
from tests.support.process import ROOT, ServiceProcess

MOUNT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000


@pytest.fixture
def half_core() -> Iterator[tuple[str, ...]]:
    """A command line that runs another in a container of half a core, as far as it can see."""
    is_v2 = (MOUNT / "cgroup.controllers").exists()
    mount = MOUNT if is_v2 else MOUNT / "cpu"
    group = mount / f"senet-test-{os.getpid()}"
    try:
        group.mkdir()
        if is_v2:
            (group / "cpu.max").write_text(f"{PERIOD_US // 2} {PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(PERIOD_US // 2))
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        pytest.skip(f"control groups cannot be made here ({error.strerror}); it takes root")
    unshare = shutil.which("unshare")
    assert unshare is not None
    # The process sees its own group at the mount, as it would in a container.
    script = f'echo $$ > {group}/cgroup.procs && mount --bind {group} {mount} && exec "$@"'
    yield unshare, "--mount", "sh", "-c", script, "sh"
    group.rmdir()


def test_half_a_core_is_seen_and_serves(
    half_core: tuple[str, ...], repository: Path, tmp_path: Path
) -> None:
    options = ("--model-repository", str(repository), "--model", "colours")
    doctor = subprocess.run(
        [*half_core, sys.executable, "-m", "app", "doctor", "--port", "0", "--json", *options],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    [cores] = [
        finding
        for finding in json.loads(doctor.stdout)["findings"]
        if finding["subject"] == "cores"
    ]
    assert cores["verdict"] == "warning"
    assert "below one core" in cores["detail"]

    process = ServiceProcess(tmp_path, *options, wrapper=half_core)
    try:
        process.wait_until_ready()
        with process.client() as client:
            for index, colour in enumerate(COLOURS):
                assert top_classes(post_image(client, encode(photo(colour)))) == [index]
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        assert process.errors == ""
    finally:
        process.kill()
