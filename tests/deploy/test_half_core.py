"""A container with half a core: the kernel's own quota on a real process."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.control_groups import MOUNT, core_limits, group, is_version_2
from tests.support.colours import COLOURS
from tests.support.http import post_image, top_classes
from tests.support.images import encode, photo
from tests.support.process import ROOT, ServiceProcess


@pytest.fixture
def half_core() -> Iterator[tuple[str, ...]]:
    """A command line that runs another in a container of half a core, as far as it can see."""
    mount = MOUNT if is_version_2() else MOUNT / "cpu"
    unshare = shutil.which("unshare")
    assert unshare is not None
    with group("senet-test", {"cpu": core_limits(0.5)}) as [own]:
        # The process sees its own group at the mount, as it would in a container.
        script = f'echo $$ > {own}/cgroup.procs && mount --bind {own} {mount} && exec "$@"'
        yield unshare, "--mount", "sh", "-c", script, "sh"


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
