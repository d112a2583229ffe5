"""The chart makes the objects that kustomize makes, and refuses values that it does not know."""

import json
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from app.settings import Settings
from deploy.sync_rules import CHART, copies
from tests.deploy.combinations import combined
from tests.deploy.files import one
from tests.deploy.helm import VALUES, template, values, without_helm_s_labels
from tests.deploy.kustomize import Manifest
from tests.deploy.schemas import check

FILES = {
    "cpu": ("cpu",),
    "gpu": ("gpu",),
    "tensorrt": ("tensorrt",),
    "production": (
        "cpu", "model-volume", "api-keys", "gateway", "grpc", "keda", "kube-prometheus-stack",
        "dashboard",
    ),
    "fetched": ("gpu", "model-fetch", "ingress", "nvidia-runtime"),
}  # fmt: skip


def test_every_file_of_values_is_compared() -> None:
    assert {file.stem for file in VALUES.glob("*.yaml")} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_every_object_is_valid(name: str) -> None:
    manifests = template(values(name))
    assert len(manifests) >= 8
    for manifest in manifests:
        check(manifest)


@pytest.mark.parametrize("name", FILES)
def test_kustomize_makes_the_same(name: str, tmp_path: Path) -> None:
    chart = without_helm_s_labels(template(values(name)))
    overlay = combined(tmp_path, *FILES[name])

    # Helm makes the namespace by --create-namespace, and puts no labels on it.
    expected = [manifest for manifest in overlay if manifest["kind"] != "Namespace"]
    ours, theirs = by_name(chart), by_name(expected)
    # A component is added after the overlay has named its image; the chart names one for all.
    for container in theirs["Deployment", "senet-serving"]["spec"]["template"]["spec"].get(
        "initContainers", []
    ):
        container["image"] = container["image"].replace("serving:cpu", f"serving:{FILES[name][0]}")
    assert ours.keys() == theirs.keys()
    # One by one, and the names alone: a comparison of rules would be told in ten thousand lines.
    assert [name for name in ours if ours[name] != theirs[name]] == []


def by_name(manifests: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    """Objects by kind and name; what has no order is put in one."""
    found = {}
    for manifest in manifests:
        ordered = json.loads(json.dumps(manifest))
        # The chart labels what kustomize leaves without.
        labels = ordered["metadata"].get("labels", {})
        if labels.get("app.kubernetes.io/name") == "senet-serving":
            del labels["app.kubernetes.io/name"]
        if not labels:
            ordered["metadata"].pop("labels", None)
        if ordered["kind"] in ("Deployment", "Job"):
            pod = ordered["spec"]["template"]["spec"]
            for container in [*pod.get("initContainers", []), *pod["containers"]]:
                for key in ("env", "ports", "volumeMounts"):
                    container.get(key, []).sort(key=lambda entry: entry.get("name"))
            pod.get("volumes", []).sort(key=lambda entry: entry["name"])
        if ordered["kind"] == "Service":
            ordered["spec"]["ports"].sort(key=lambda entry: entry["name"])
        name = ordered["metadata"]["name"].replace("senet-serving-model", "senet-model")
        ordered["metadata"]["name"] = name
        found[ordered["kind"], name] = ordered
    return found


def test_two_releases_stand_beside_each_other() -> None:
    first, second = (template({}, release) for release in ("flowers", "senet-serving-birds"))
    names = [
        {(found["kind"], found["metadata"]["name"]) for found in each} for each in (first, second)
    ]
    assert not names[0] & names[1]
    for manifests in (first, second):
        deployment, service = one(manifests, "Deployment"), one(manifests, "Service")
        pod = deployment["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"] == pod
        assert one(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == pod
        monitor = one(manifests, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
        assert monitor.items() <= service["metadata"]["labels"].items()
        # The rules match the job, which is the Service's name.
        assert service["metadata"]["name"].startswith("senet-serving")
    assert one(first, "Service")["spec"]["selector"] != one(second, "Service")["spec"]["selector"]


def test_a_canary_is_a_second_release_with_a_share_of_the_route() -> None:
    canary = template(
        {"model": "imagenette:2", "autoscaling": {"kind": "none"}, "replicas": 1},
        "senet-serving-canary",
    )
    service = one(canary, "Service")["metadata"]["name"]
    route = one(
        template(
            {
                "gateway": {
                    "host": "photos.example.com",
                    "canary": {"service": service, "weight": 5},
                }
            }
        ),
        "HTTPRoute",
    )
    check(route)
    assert one(canary, "Deployment")["spec"]["replicas"] == 1
    # As deploy/kubernetes/canary has them.
    file = CHART.parents[1] / "kubernetes" / "canary" / "http-route.yaml"
    theirs = yaml.safe_load(file.read_text())
    assert route["spec"]["rules"] == theirs["spec"]["rules"]


def test_a_drain_is_never_cut_short() -> None:
    pod = one(template({"drainSeconds": 100}), "Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 120


def test_an_option_becomes_its_variable() -> None:
    given = {"options": {"max_queue_size": 100, "log_addresses": False, "max_accuracy_drop": 0.25}}
    pod = one(template(given), "Deployment")["spec"]["template"]["spec"]
    variables = {entry["name"]: entry["value"] for entry in pod["containers"][0]["env"]}
    assert variables["SENET_MAX_QUEUE_SIZE"] == "100"
    options = {name.removeprefix("SENET_").lower(): value for name, value in variables.items()}
    settings = Settings.model_validate(options)
    assert (settings.max_queue_size, settings.log_addresses) == (100, False)
    assert settings.max_accuracy_drop == 0.25


def test_without_autoscaling_the_replicas_are_told() -> None:
    manifests = template({"autoscaling": {"kind": "none"}, "replicas": 3})
    assert one(manifests, "Deployment")["spec"]["replicas"] == 3
    assert "HorizontalPodAutoscaler" not in {found["kind"] for found in manifests}


def test_an_image_may_be_named_by_its_digest() -> None:
    digest = f"sha256:{'a' * 64}"
    pod = one(template({"image": {"digest": digest}}), "Deployment")["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"senet-serving@{digest}"


@pytest.mark.parametrize(
    "given",
    [
        {"replica": 3},
        {"image": {"digest": "latest"}},
        {"image": {"pullPolicy": "Sometimes"}},
        {"model": "imagenette"},
        {"model": "../x:1"},
        {"precision": "fp8"},
        {"options": {"Max-Batch-Size": 3}},
        {"options": {"model": "x:1"}},
        {"options": {"max_batch_size": [1]}},
        {"operationsPort": 8000},
        {"grpcPort": 8000},
        {"options": {"grpc_port": 8001}},
        {"autoscaling": {"kind": "vpa"}},
        {"models": {"claim": "a", "image": "b"}},
        {"models": {"fetch": {"source": "s3://a/b/1"}}},
        {"models": {"claim": "a", "fetch": {"source": "s3://a/b/1", "manifestSha256": "0" * 64}}},
        {"ingress": {"host": "a.example"}, "gateway": {"host": "b.example"}},
        {"ingress": {"host": "a.example\n  evil: true"}},
        {"tensorrt": {"buildEngine": True}},
        {"gateway": {"host": "a.example", "canary": {"service": "b", "weight": 101}}},
        {"gateway": {"host": "a.example", "canary": {"service": "b, port: 1", "weight": 5}}},
        {"monitoring": {"enabled": "yes"}},
    ],
)
def test_values_that_cannot_be_meant_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(helm_python.HelmError):
        template(given)


def test_helm_finds_no_fault() -> None:
    report = helm_python.lint(CHART, strict=True, namespace="senet")
    assert report.get("messages", []) == [] or all(
        "icon" in str(message) for message in report["messages"]
    ), report


def test_what_stands_twice_is_the_same() -> None:
    assert {path: path.read_text() for path in copies()} == copies()
