"""Every PromQL expression of the repository, and every metric of the service."""

import json
import re
from typing import Any

import yaml

from app.telemetry.metrics import Metrics
from tests.deploy.files import DEPLOY

RULES = DEPLOY / "prometheus" / "rules" / "senet.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "senet.json"
_COMPARISON = re.compile(r" (>=|<=|==|!=|>|<) (?!bool)")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if "targets" in panel]


def expressions() -> dict[str, str]:
    """Expressions by where they stand, such that each gives data whenever its series do.

    An alert that does not fire gives none, so its comparisons are made to tell true from false.
    """
    found = {}
    for rule in rules():
        if "alert" in rule:
            found[rule["alert"]] = _COMPARISON.sub(r" \1 bool ", rule["expr"])
        else:
            found[rule["record"]] = rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            name = f"{panel['title']} {target['refId']}"
            found[name] = target["expr"].replace("$__rate_interval", "1m")
    return found


def series() -> set[str]:
    """The name of every series that the service exposes."""
    names = set()
    for family in Metrics().registry.collect():
        if not family.name.startswith("senet_"):
            continue
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
        names |= {family.name + suffix for suffix in suffixes.get(family.type, [""])}
    return names
