"""Rules, dashboard, autoscalers and pages name rightly what the service measures."""

import re
from pathlib import Path

import yaml

from deploy.sync_rules import RESOURCE, resource
from tests.deploy.combinations import combined
from tests.deploy.expressions import DASHBOARD, panels, rules, series, variables
from tests.deploy.files import COMPOSE, DEPLOY, KUBERNETES, PAGE, ROOT, one
from tests.deploy.kustomize import render

# Names that are made outside the service.
FOREIGN = {"senet_interactive_queue_seconds_p90"}


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
            assert rule["alert"].lower() in sections
        if "annotations" in rule:
            page, _, anchor = rule["annotations"]["runbook"].partition("#")
            assert page == "docs/operations.md"
            assert anchor == rule["alert"].lower()


def test_the_prometheus_rule_is_the_rule_file() -> None:
    assert RESOURCE.read_text() == resource(), "run python3 deploy/sync_rules.py"


def test_the_autoscalers_follow_one_recorded_series(tmp_path: Path) -> None:
    [recorded] = [rule["record"] for rule in rules() if "p90" in rule.get("record", "")]
    manifests = combined(tmp_path, "cpu", "keda")
    keda = one(manifests, "ScaledObject")["spec"]
    [trigger] = keda["triggers"]
    adapter_file = KUBERNETES / "components" / "hpa" / "prometheus-adapter-rules.yaml"
    [adapter] = yaml.safe_load(adapter_file.read_text())["rules"]["external"]
    hpa = one(render(KUBERNETES / "overlays" / "cpu"), "HorizontalPodAutoscaler")["spec"]
    [metric] = hpa["metrics"]
    service = one(manifests, "Service")["metadata"]

    name, _, selector = trigger["metadata"]["query"].partition("{")
    assert name == adapter["seriesQuery"] == recorded
    assert adapter["metricsQuery"] == f"max({recorded}{{<<.LabelMatchers>>}})"
    # Of one installation, and not of all that this Prometheus watches.
    assert selector == f'namespace="{service["namespace"]}",job="{service["name"]}"}}'
    assert metric["external"]["metric"] == {
        "name": adapter["name"]["as"],
        "selector": {"matchLabels": {"job": service["name"]}},
    }
    assert metric["external"]["target"] == {"type": "Value", "value": "100m"}
    assert (trigger["metricType"], trigger["metadata"]["threshold"]) == ("Value", "0.1")
    # Which KEDA allows with a trigger of type AverageValue alone.
    assert "fallback" not in keda
    assert (hpa["minReplicas"], hpa["maxReplicas"]) == (
        keda["minReplicaCount"], keda["maxReplicaCount"],
    )  # fmt: skip


def test_there_is_one_autoscaler(tmp_path: Path) -> None:
    kinds = [manifest["kind"] for manifest in combined(tmp_path, "cpu", "keda")]
    assert "ScaledObject" in kinds
    assert "HorizontalPodAutoscaler" not in kinds


def test_every_panel_follows_every_variable_that_its_series_can() -> None:
    names = {variable["name"] for variable in variables()}
    assert names == {"datasource", "namespace", "model", "version", "replica"}
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            assert target["expr"].count("$namespace") == target["expr"].count("{"), panel["title"]
            assert ("$model" in target["expr"]) == ("$version" in target["expr"]), panel["title"]


def test_the_dashboard_in_the_cluster_is_the_dashboard(tmp_path: Path) -> None:
    config_map = one(combined(tmp_path, "cpu", "dashboard"), "ConfigMap")
    assert config_map["metadata"]["labels"] == {"grafana_dashboard": "1"}
    assert config_map["data"] == {DASHBOARD.name: DASHBOARD.read_text()}


def test_a_release_of_kube_prometheus_stack_takes_up_rules_and_targets(tmp_path: Path) -> None:
    manifests = combined(tmp_path, "cpu", "kube-prometheus-stack")
    for kind in ("ServiceMonitor", "PrometheusRule"):
        labels = one(manifests, kind)["metadata"]["labels"]
        assert labels["release"] == "kube-prometheus-stack"
        assert labels["app.kubernetes.io/name"] == "senet-serving"


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    folder = DEPLOY / "grafana"
    [source] = yaml.safe_load(
        (folder / "provisioning" / "datasources" / "prometheus.yml").read_text()
    )["datasources"]
    # The dashboard's variable begins with the default one.
    assert source["isDefault"] is True
    assert source["url"] == "http://prometheus:9090"
    [provider] = yaml.safe_load((folder / "provisioning" / "dashboards" / "senet.yml").read_text())[
        "providers"
    ]
    mounted = [volume.split(":")[1] for volume in COMPOSE["services"]["grafana"]["volumes"]]
    assert provider["options"]["path"] in mounted
    assert len({panel["id"] for panel in panels()}) == len(panels())
    for panel in panels():
        assert panel["description"], panel["title"]
