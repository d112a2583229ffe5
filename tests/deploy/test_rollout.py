"""Rollouts, rollbacks and canaries, as far as manifests decide over them."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.combinations import OVERLAYS, write
from tests.deploy.files import KUBERNETES, one
from tests.deploy.kustomize import Manifest, render
from tests.deploy.pods import container_of, environment, pod_of


def with_model(folder: Path, overlay: str, model: str) -> list[Manifest]:
    """An overlay as an operator would pin it to a version."""
    write(folder, overlay, ())
    container = {"name": "senet", "env": [{"name": "SENET_MODEL", "value": model}]}
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "senet-serving"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    (folder / "model.yaml").write_text(yaml.safe_dump(patch))
    file = folder / "kustomization.yaml"
    kustomization = yaml.safe_load(file.read_text()) | {"patches": [{"path": "model.yaml"}]}
    file.write_text(yaml.safe_dump(kustomization))
    return render(folder)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_version_is_rolled_out_by_one_value_and_back_by_the_same(
    overlay: str, tmp_path: Path
) -> None:
    before = with_model(tmp_path, overlay, "flowers:3")
    after = with_model(tmp_path, overlay, "flowers:4")
    back = with_model(tmp_path, overlay, "flowers:3")
    assert back == before

    variables = environment(container_of(pod_of(after)))
    assert variables["SENET_MODEL"] == "flowers:4"
    only_this = copy.deepcopy(after)
    [entry] = [
        entry for entry in container_of(pod_of(only_this))["env"] if entry["name"] == "SENET_MODEL"
    ]
    entry["value"] = "flowers:3"
    assert only_this == before


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_rollback_finds_earlier_revisions_and_leaves_the_replicas(overlay: str) -> None:
    deployment = one(render(KUBERNETES / "overlays" / overlay), "Deployment")["spec"]
    assert deployment["revisionHistoryLimit"] >= 1
    assert "replicas" not in deployment


def test_replicas_without_a_gpu_are_replaced_without_a_loss_of_capacity() -> None:
    assert surge("cpu") == {"maxSurge": 1, "maxUnavailable": 0}


@pytest.mark.parametrize("overlay", ["gpu", "tensorrt"])
def test_replicas_with_a_gpu_are_replaced_without_a_spare_one(overlay: str) -> None:
    assert surge(overlay) == {"maxSurge": 0, "maxUnavailable": 1}


def surge(overlay: str) -> dict[str, int]:
    deployment = one(render(KUBERNETES / "overlays" / overlay), "Deployment")
    found: dict[str, int] = deployment["spec"]["strategy"]["rollingUpdate"]
    return found


@pytest.fixture
def canary() -> list[Manifest]:
    return render(KUBERNETES / "canary")


@pytest.fixture
def stable() -> list[Manifest]:
    return render(KUBERNETES / "overlays" / "cpu")


def test_a_canary_differs_by_its_name_and_its_version_alone(
    canary: list[Manifest], stable: list[Manifest]
) -> None:
    theirs, ours = copy.deepcopy(pod_of(stable)), copy.deepcopy(pod_of(canary))
    changed = {"SENET_MODEL"}
    for pod in (theirs, ours):
        container = container_of(pod)
        assert changed <= set(environment(container))
        container["env"][:] = [item for item in container["env"] if item["name"] not in changed]
    assert str(ours).replace("senet-serving-canary", "senet-serving") == str(theirs)
    names = [environment(container_of(pod_of(each)))["SENET_MODEL"] for each in (stable, canary)]
    assert names[0].partition(":")[0] == names[1].partition(":")[0]
    assert names[0] != names[1]


def test_nothing_of_a_canary_selects_the_pods_of_the_stable_version(
    canary: list[Manifest], stable: list[Manifest]
) -> None:
    for ours, theirs in ((canary, stable), (stable, canary)):
        labels = one(theirs, "Deployment")["spec"]["template"]["metadata"]["labels"]
        for selector in selectors(ours):
            assert not selector.items() <= labels.items()
    assert not identities(canary) & identities(stable)


def test_a_canary_is_scraped(canary: list[Manifest]) -> None:
    monitor = one(canary, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
    service = one(canary, "Service")
    assert monitor.items() <= service["metadata"]["labels"].items()
    # By which the rules find it.
    assert service["metadata"]["name"].startswith("senet-serving")


def test_the_route_divides_all_requests_between_services_that_there_are(
    canary: list[Manifest], stable: list[Manifest]
) -> None:
    route = one(canary, "HTTPRoute")
    [rule] = route["spec"]["rules"]
    services = {
        service["metadata"]["name"]: service["spec"]["ports"][0]["port"]
        for service in (one(stable, "Service"), one(canary, "Service"))
    }
    assert {item["name"]: item["port"] for item in rule["backendRefs"]} == services
    assert sum(item["weight"] for item in rule["backendRefs"]) == 100
    # It takes the place of the route to the stable version alone.
    [gateway] = yaml.safe_load_all(
        (KUBERNETES / "components" / "gateway" / "http-route.yaml").read_text()
    )
    assert route["metadata"]["name"] == gateway["metadata"]["name"]
    alone = copy.deepcopy(route["spec"])
    alone["rules"][0]["backendRefs"] = gateway["spec"]["rules"][0]["backendRefs"]
    assert alone == gateway["spec"]


def selectors(manifests: list[Manifest]) -> list[dict[str, str]]:
    found: list[Any] = []
    for manifest in manifests:
        spec = manifest.get("spec", {})
        found += [
            spec.get("selector", {}).get("matchLabels"),
            spec.get("podSelector", {}).get("matchLabels"),
        ]
        if manifest["kind"] == "Service":
            found.append(spec["selector"])
    return [item for item in found if item]


def identities(manifests: list[Manifest]) -> set[tuple[str, str]]:
    return {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}
