"""The job for a Ray cluster: what Kubernetes takes, and what the cluster has room for."""

import re
import shlex
from itertools import pairwise
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.files import DEPLOY, ROOT
from tests.deploy.schemas import KUBERNETES

FOLDER = DEPLOY / "kubernetes" / "ray"
Found = dict[str, Any]


def load(name: str) -> Found:
    found: Found = yaml.safe_load((FOLDER / name).read_text())
    return found


@pytest.fixture
def job() -> Found:
    return load("rayjob.yaml")


def templates(job: Found) -> list[Found]:
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"] for group in groups]


def test_pods_and_volume_are_valid(job: Found) -> None:
    kubernetes_validate.validate(load("volume.yaml"), KUBERNETES, strict=True)
    for template in templates(job):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **template}
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_every_pod_has_the_volume(job: Found) -> None:
    claim = load("volume.yaml")["metadata"]["name"]
    for template in templates(job):
        [volume] = template["spec"]["volumes"]
        assert volume["persistentVolumeClaim"]["claimName"] == claim
        [container] = template["spec"]["containers"]
        assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/data"}]


def test_kustomize_finds_the_images(job: Found) -> None:
    [image] = load("kustomization.yaml")["images"]
    for entry in load("images.yaml")["images"]:
        found: list[Any] = [job]
        for key in entry["path"].split("/"):
            values = [value[key] for value in found]
            found = [x for value in values for x in (value if isinstance(value, list) else [value])]
        assert found == [image["name"]]


def test_the_cluster_has_room_for_the_workers(job: Found) -> None:
    words = shlex.split(job["spec"]["entrypoint"])
    options = dict(pairwise(words))
    needed = int(options["--workers"]) * int(options["--cpus-per-worker"])
    [group] = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    [container] = group["template"]["spec"]["containers"]
    assert needed <= group["replicas"] * int(container["resources"]["requests"]["cpu"])


def test_ray_has_the_version_of_the_image(job: Found) -> None:
    pins = (ROOT / "tests" / "ray" / "requirements.txt").read_text()
    [pinned] = re.findall(r"^ray(?:\[[^]]+\])?==(\S+)", pins, re.MULTILINE)
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == pinned


def test_all_that_the_image_copies_is_there_and_not_ignored() -> None:
    lines = (FOLDER / "Dockerfile").read_text().splitlines()
    sources = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    admitted = [
        line.removeprefix("!")
        for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(f"{name}/".startswith(f"{source}/") for name in admitted), source


def test_the_image_has_every_script_that_the_job_imports() -> None:
    copied = set(re.findall(r"\bscripts/(\w+)\.py\b", (FOLDER / "Dockerfile").read_text()))
    for name in copied:
        text = (ROOT / "scripts" / f"{name}.py").read_text()
        assert set(re.findall(r"^from scripts\.(\w+) import", text, re.MULTILINE)) <= copied
