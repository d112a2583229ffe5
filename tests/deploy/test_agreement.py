"""What image, compose file, manifests, rules, dashboard and pages say of the service is one."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.main import create_app
from app.settings import Settings
from deploy.sync_rules import RESOURCE, resource
from tests.deploy.conftest import DEPLOY, ROOT
from tests.deploy.expressions import panels, rules, series
from tests.deploy.kustomize import Manifest, render
from tests.support.engines import FakeEngines
from tests.support.server import running

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
KUBERNETES = DEPLOY / "kubernetes"
PAGE = (ROOT / "docs" / "operations.md").read_text()
OVERLAYS = ["cpu", "gpu", "tensorrt"]
# OTLP's default timeout, OTEL_EXPORTER_OTLP_TIMEOUT.
SPANS_SECONDS = 10
# Names that are made outside the service.
FOREIGN = {"senet_queue_seconds_mean"}


def one(manifests: list[Manifest], kind: str) -> Manifest:
    [found] = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found


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


def operations_text() -> str:
    files = [path for path in DEPLOY.rglob("*") if path.suffix in (".yml", ".yaml", ".json")]
    return "\n".join(path.read_text() for path in files) + PAGE + (ROOT / "README.md").read_text()


def test_every_metric_that_is_named_anywhere_exists() -> None:
    histograms = {name.removesuffix("_bucket") for name in series() if name.endswith("_bucket")}
    named = set(re.findall(r"\bsenet_[a-z0-9_]+\b", operations_text())) - FOREIGN
    packages = {"senet_client"}
    assert len(named) > 15
    assert sorted(named - series() - histograms - packages) == []


def test_every_recorded_series_that_is_named_anywhere_is_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    named = set(re.findall(r"\bsenet:[a-z][a-z0-9_:]+", operations_text()))
    assert sorted(named - recorded) == []
    used = " ".join(
        [rule["expr"] for rule in rules()]
        + [target["expr"] for panel in panels() for target in panel["targets"]]
    )
    assert [name for name in sorted(recorded) if name not in used] == []


def test_every_alert_has_its_section_and_points_there() -> None:
    sections = {title.lower() for title in re.findall(r"^#+ (\w+)$", PAGE, re.MULTILINE)}
    for rule in rules():
        if "alert" in rule:
            page, _, anchor = rule["annotations"]["runbook"].partition("#")
            assert page == "docs/operations.md"
            assert anchor == rule["alert"].lower()
            assert anchor in sections, f"docs/operations.md has no section {rule['alert']}"


def test_the_prometheus_rule_is_the_rule_file() -> None:
    assert RESOURCE.read_text() == resource(), "run python3 deploy/sync_rules.py"


def test_the_autoscalers_ask_one_question() -> None:
    [recorded] = [rule["expr"] for rule in rules() if rule.get("record", "").endswith("mean1m")]
    keda = one(render(KUBERNETES / "components" / "keda"), "ScaledObject")["spec"]
    [trigger] = keda["triggers"]
    adapter_file = KUBERNETES / "components" / "hpa" / "prometheus-adapter-rules.yaml"
    [adapter] = yaml.safe_load(adapter_file.read_text())["rules"]["external"]
    hpa = one(render(KUBERNETES / "components" / "hpa"), "HorizontalPodAutoscaler")["spec"]
    [metric] = hpa["metrics"]

    def words(query: str) -> list[str]:
        return query.split()

    assert words(trigger["metadata"]["query"]) == words(recorded) == words(adapter["metricsQuery"])
    assert metric["external"]["metric"]["name"] == adapter["name"]["as"]
    assert metric["external"]["target"] == {"type": "Value", "value": "50m"}
    assert (trigger["metricType"], trigger["metadata"]["threshold"]) == ("Value", "0.05")
    # Which KEDA allows with a trigger of type AverageValue alone.
    assert "fallback" not in keda
    assert (hpa["minReplicas"], hpa["maxReplicas"]) == (
        keda["minReplicaCount"], keda["maxReplicaCount"],
    )  # fmt: skip


def test_one_port_everywhere(overlay: list[Manifest], pod: dict[str, Any]) -> None:
    port = int(image_variable("SENET_PORT"))
    assert port == Settings.model_fields["port"].default
    assert re.findall(r"^EXPOSE (\d+)", DOCKERFILE, re.MULTILINE) == [str(port)]
    for name in ("senet", "senet-gpu"):
        assert COMPOSE["services"][name]["ports"][0].endswith(f":{port}")
    scrapes = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    job = scrapes["scrape_configs"][0]
    assert job["static_configs"] == [{"targets": [f"senet:{port}"]}]
    assert job["dns_sd_configs"][0]["port"] == port
    [container] = pod["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": port}]
    assert one(overlay, "Service")["spec"]["ports"][0]["targetPort"] == "http"
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
    assert 'job="senet-serving"' in RESOURCE.read_text()
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
    from scripts.build_tensorrt import _parser

    parsed = _parser().parse_args(arguments)
    assert parsed.name == Settings.model_fields["model"].default


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    folder = DEPLOY / "grafana"
    [source] = yaml.safe_load(
        (folder / "provisioning" / "datasources" / "prometheus.yml").read_text()
    )["datasources"]
    assert {panel["datasource"]["uid"] for panel in panels()} == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"
    [provider] = yaml.safe_load((folder / "provisioning" / "dashboards" / "senet.yml").read_text())[
        "providers"
    ]
    mounted = [volume.split(":")[1] for volume in COMPOSE["services"]["grafana"]["volumes"]]
    assert provider["options"]["path"] in mounted
    assert len({panel["id"] for panel in panels()}) == len(panels())
    for panel in panels():
        assert panel["description"], panel["title"]


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


def test_the_images_health_is_the_services_readiness(
    make_probe: Callable[[int], int], repository: Path
) -> None:
    settings = Settings(model_repository=repository, model="colours")
    engines = FakeEngines()
    engines.gate.close()
    with running(settings, engines, ready=False) as live:
        assert make_probe(live.port) == 1
        engines.gate.open()
        live.wait_until_ready()
        assert make_probe(live.port) == 0
        port = live.port
    assert make_probe(port) == 1


@pytest.fixture
def make_probe() -> Callable[[int], int]:
    """Runs the image's HEALTHCHECK against a port; gives its exit code."""

    def probe(port: int) -> int:
        ended = subprocess.run(
            [sys.executable, DEPLOY / "healthcheck.py"],
            env=os.environ | {"SENET_PORT": str(port)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.stderr == ""
        return ended.returncode

    return probe
