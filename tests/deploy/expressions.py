"""Every PromQL expression of the repository, and every metric of the service."""

import json
import re
from typing import Any

import yaml

from app.telemetry import control_group, gpu
from app.telemetry.metrics import Metrics
from tests.deploy.files import DEPLOY

RULES = DEPLOY / "prometheus" / "rules" / "senet.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "senet.json"
_COMPARISON = re.compile(r" (>=|<=|==|!=|>|<) (?!bool)")
# Whether targets have a namespace is the matter of an alert, not of the test's Prometheus.
_ANY_NAMESPACE = re.compile(r',namespace!?=""')
_SETS = re.compile(r"\n(?:or|unless)\n?")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if "targets" in panel]


def expressions() -> dict[str, str]:
    """Expressions by where they stand, such that each gives data whenever its series do.

    An alert that does not fire gives none, so its comparisons are made to tell true from false, and
    what it unites and takes away is looked at piece by piece.
    """
    found = {}
    for rule in rules():
        if "alert" in rule:
            text = _COMPARISON.sub(r" \1 bool ", _ANY_NAMESPACE.sub("", rule["expr"]))
            for number, piece in enumerate(_SETS.split(text)):
                found[f"{rule['alert']} {number} {piece}"] = piece
        else:
            found[rule["record"]] = rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            name = f"{panel['title']} {target['refId']}"
            found[name] = with_variables(target["expr"])
    return found


def variables() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["templating"]["list"]
    return found


def with_variables(text: str) -> str:
    """An expression as Grafana sends it while all is selected."""
    text = text.replace("$__rate_interval", "1m")
    for variable in variables():
        if "allValue" in variable:
            text = text.replace(f"${variable['name']}", variable["allValue"])
    return text


def series() -> set[str]:
    """The name of every series that the service exposes, wherever it runs."""
    names = {
        family.name + ("_total" if family.is_counter else "")
        for family in (*control_group.FAMILIES, *gpu.FAMILIES)
    }
    for family in Metrics().registry.collect():
        if not family.name.startswith("senet_"):
            continue
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
        names |= {family.name + suffix for suffix in suffixes.get(family.type, [""])}
    return names
