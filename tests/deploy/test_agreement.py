"""What image, compose file, manifests and page say of the service is one."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from app.transport.http.composition import create_app
from deploy.sync_rules import RESOURCE
from tests.deploy.files import COMPOSE, DEPLOY, DOCKERFILE, KUBERNETES, PAGE, ROOT, one
from tests.deploy.kustomize import Manifest, render
from tests.support.engines import FakeEngines
from tests.support.server import running

OVERLAYS = ["cpu", "gpu", "tensorrt"]
# OTLP's default timeout, OTEL_EXPORTER_OTLP_TIMEOUT.
SPANS_SECONDS = 10


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> list[Manifest]:
    return render(KUBERNETES / "overlays" / request.param)


@pytest.fixture
def pod(overlay: list[Manifest]) -> dict[str, Any]:
    found: dict[str, Any] = one(overlay, "Deployment")["spec"]["template"]["spec"]
    return found


def image_variable(name: str) -> str:
    [value] = re.findall(rf"^(?:ENV)? +{name}=(\S+)", DOCKERFILE, re.MULTILINE)
    return str(value)


def test_one_port_everywhere(overlay: list[Manifest], pod: dict[str, Any]) -> None:
    port = int(image_variable("SENET_PORT"))
    assert port == Settings.model_fields["port"].default
    assert re.findall(r"^EXPOSE (\d+)", DOCKERFILE, re.MULTILINE) == [str(port)]
    for name in ("senet", "senet-gpu"):
        assert COMPOSE["services"][name]["ports"][0].endswith(f":{port}")
    scrapes = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    job = scrapes["scrape_configs"][0]
    for name in ("senet", "senet-gpu"):
        operations = int(COMPOSE["services"][name]["environment"]["SENET_OPERATIONS_PORT"])
        assert operations != port
        assert job["static_configs"] == [{"targets": [f"senet:{operations}"]}]
        assert job["dns_sd_configs"][0]["port"] == operations
    [container] = pod["containers"]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    operations = int(environment["SENET_OPERATIONS_PORT"])
    assert container["ports"] == [
        {"name": "http", "containerPort": port},
        {"name": "operations", "containerPort": operations},
    ]
    ports = one(overlay, "Service")["spec"]["ports"]
    assert [(port["name"], port["targetPort"]) for port in ports] == [
        ("http", "http"),
        ("operations", "operations"),
    ]
    for kind in ("startup", "readiness", "liveness"):
        assert container[f"{kind}Probe"]["httpGet"]["port"] == "operations"
    assert one(overlay, "ServiceMonitor")["spec"]["endpoints"][0]["port"] == "operations"
    runtime = one(render(KUBERNETES / "kserve"), "ServingRuntime")["spec"]
    assert runtime["containers"][0]["ports"][0]["containerPort"] == port
    assert runtime["annotations"]["prometheus.kserve.io/port"] == str(port)


def test_every_path_that_is_probed_or_scraped_exists(
    overlay: list[Manifest], pod: dict[str, Any], repository: Path
) -> None:
    settings = Settings(model_repository=repository, model="colours")
    routes = set(create_app(settings, engines=FakeEngines()).openapi()["paths"])
    for containers in (
        pod["containers"],
        one(render(KUBERNETES / "kserve"), "ServingRuntime")["spec"]["containers"],
    ):
        [container] = containers
        paths = {
            kind: container[f"{kind}Probe"]["httpGet"]["path"]
            for kind in ("startup", "readiness", "liveness")
        }
        assert paths == {"startup": "/startupz", "readiness": "/readyz", "liveness": "/livez"}
        assert set(paths.values()) <= routes
    assert one(overlay, "ServiceMonitor")["spec"]["endpoints"][0]["path"] in routes
    assert "/readyz" in (DEPLOY / "healthcheck.py").read_text()


def test_kserve_is_told_the_protocols_that_are_served(repository: Path) -> None:
    runtime = one(render(KUBERNETES / "kserve"), "ServingRuntime")["spec"]
    [container] = runtime["containers"]
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    # Neither is switched off there, and gRPC has no port.
    assert "SENET_ADAPTERS" not in variables
    assert "SENET_GRPC_PORT" not in variables
    routes = {"v1": "/v1/models/colours", "v2": "/v2/models/colours/ready"}
    settings = Settings(model_repository=repository, model="colours", inference_threads=1)
    with running(settings, FakeEngines()) as live, live.client() as client:
        served = [name for name, path in routes.items() if client.get(path).status_code == 200]
    assert runtime["protocolVersions"] == served


def test_a_drain_is_never_cut_short(pod: dict[str, Any]) -> None:
    default = Settings.model_fields["drain_seconds"].default
    [container] = pod["containers"]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    drain = float(environment["SENET_DRAIN_SECONDS"])
    [pre_stop] = re.findall(r"sleep\((\d+)\)", str(container["lifecycle"]["preStop"]))
    assert drain == default
    assert int(pre_stop) + drain + SPANS_SECONDS < pod["terminationGracePeriodSeconds"]
    # Every endpoint must have heard before SIGTERM: readiness is asked for twice in that time.
    probe = container["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] <= int(pre_stop)
    for name in ("senet", "senet-gpu"):
        service = COMPOSE["services"][name]
        composed = float(service["environment"]["SENET_DRAIN_SECONDS"])
        assert composed == default
        assert composed + SPANS_SECONDS < float(service["stop_grace_period"].removesuffix("s"))


def test_every_variable_is_an_option_with_a_value_that_it_takes(pod: dict[str, Any]) -> None:
    sources = [
        {entry["name"]: entry["value"] for entry in pod["containers"][0]["env"]},
        dict(COMPOSE["services"]["senet"]["environment"]),
        dict(re.findall(r"(SENET_\w+)=(\S+)", DOCKERFILE)),
    ]
    for variables in sources:
        options = {name.removeprefix("SENET_").lower(): text for name, text in variables.items()}
        assert set(options) <= set(Settings.model_fields)
        Settings.model_validate(options)


def test_nobody_is_root_or_may_become_it(overlay: list[Manifest]) -> None:
    [user] = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    assert int(user) != 0
    pods = [
        manifest["spec"]["template"]["spec"]
        for manifest in overlay
        if manifest["kind"] in ("Deployment", "Job")
    ]
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == int(user)
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
    for name, service in COMPOSE["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
    assert COMPOSE["services"]["senet"]["user"].split(":")[0] == user


def test_whatever_the_page_tells_to_run_or_to_read_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", PAGE)) <= targets
    paths = re.findall(r"\b(?:app|deploy|docs|scripts|tests)/[\w./-]*\w", PAGE)
    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    [sentence] = re.findall(r"^Targets (.*?engine builder)", PAGE, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) <= targets


def test_every_image_is_a_target_of_the_dockerfile(overlay: list[Manifest]) -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    images = {
        container["image"]
        for manifest in overlay
        if manifest["kind"] in ("Deployment", "Job")
        for container in manifest["spec"]["template"]["spec"]["containers"]
    }
    images |= {COMPOSE["services"][name]["image"] for name in ("senet", "senet-gpu")}
    assert {image.split(":")[1] for image in images} <= targets
    assert DOCKERFILE.rstrip().split("FROM ")[-1].splitlines()[0].endswith(" AS cpu")


def test_whatever_selects_pods_selects_the_services_own(overlay: list[Manifest]) -> None:
    deployment = one(overlay, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert one(overlay, "Service")["spec"]["selector"] == labels
    assert one(overlay, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert one(overlay, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels
    service = one(overlay, "Service")
    assert (
        one(overlay, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
        == (service["metadata"]["labels"])
    )
    # The rules find the replicas by the job, which the operator names after the Service.
    assert 'job=~"senet-serving.*"' in RESOURCE.read_text()
    assert service["metadata"]["name"] == "senet-serving"
    assert (
        one(overlay, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"]
        == (deployment["metadata"]["name"])
    )


def test_an_engine_is_built_for_the_batches_that_are_sent_to_it() -> None:
    manifests = render(KUBERNETES / "overlays" / "tensorrt")
    arguments = one(manifests, "Job")["spec"]["template"]["spec"]["containers"][0]["args"]
    [container] = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    assert f"--max-batch-size={environment['SENET_MAX_BATCH_SIZE']}" in arguments
    from app.cli.tensorrt import _parser

    parsed = _parser().parse_args(arguments)
    assert parsed.name == Settings.model_fields["model"].default


def test_every_file_that_compose_mounts_exists() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).exists(), volume


def test_the_dockerfile_is_clean() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    ended = subprocess.run(
        [hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "")
