"""A service of systemd has its limits in a group of its own, below a slice, on the host's mount."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.deploy.control_groups import core_limits, group, memory_limits
from tests.support.metrics import value
from tests.support.process import ROOT, ServiceProcess

LIMIT = 700 * 1024 * 1024
LIMITS = {"cpu": core_limits(0.5), "memory": memory_limits(LIMIT)}
NONE: Mapping[str, Mapping[str, str]] = {"cpu": {}, "memory": {}}


@pytest.mark.parametrize(
    "limits", [(LIMITS,), (LIMITS, NONE)], ids=["of the service", "of its slice"]
)
def test_quota_and_memory_limit_are_seen(
    limits: tuple[Mapping[str, Mapping[str, str]], ...], repository: Path, tmp_path: Path
) -> None:
    options = ("--model-repository", str(repository), "--model", "colours")
    with group("senet-test", *limits) as groups:
        joins = "".join(f"echo $$ > {folder}/cgroup.procs && " for folder in groups)
        inside = ("/bin/sh", "-c", f'{joins} exec "$@"', "sh")
        doctor = subprocess.run(
            [*inside, sys.executable, "-m", "app", "doctor", "--port", "0", "--json", *options],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        details = {
            finding["subject"]: finding["detail"]
            for finding in json.loads(doctor.stdout)["findings"]
        }
        assert "the quota is 0.5" in details["cores"]

        process = ServiceProcess(tmp_path, *options, wrapper=inside)
        try:
            process.wait_until_ready()
            with process.client() as client:
                assert value(client, "senet_memory_limit_bytes") == LIMIT
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0
        finally:
            process.kill()
