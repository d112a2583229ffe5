"""Rules, dashboard, autoscalers and pages name rightly what the service measures."""

import re

import yaml

from deploy.sync_rules import RESOURCE, resource
from tests.deploy.expressions import panels, rules, series
from tests.deploy.files import COMPOSE, DEPLOY, KUBERNETES, PAGE, ROOT, one
from tests.deploy.kustomize import render

# Names that are made outside the service.
FOREIGN = {"senet_queue_seconds_mean"}


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
