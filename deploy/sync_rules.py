"""Copies the rules and the dashboard to where they must stand: `python3 deploy/sync_rules.py`.

Kustomize cannot put a file into a custom resource, and a chart holds its own files, so they stand
more than once; a test compares them.
"""

from collections.abc import Mapping
from pathlib import Path

DEPLOY = Path(__file__).parent
RULES = DEPLOY / "prometheus" / "rules" / "senet.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "senet.json"
RESOURCE = DEPLOY / "kubernetes" / "base" / "prometheus-rule.yaml"
CHART = DEPLOY / "helm" / "senet-serving"
_HEAD = """\
# Written by deploy/sync_rules.py from deploy/prometheus/rules/senet.yml. Do not edit.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: senet-serving
  labels: {app.kubernetes.io/name: senet-serving}
spec:
"""


def resource() -> str:
    """The PrometheusRule as YAML."""
    lines = RULES.read_text().splitlines()
    return _HEAD + "".join(f"  {line}".rstrip() + "\n" for line in lines)


def copies() -> Mapping[Path, str]:
    """What each copy holds."""
    return {
        RESOURCE: resource(),
        CHART / "files" / "rules.yml": RULES.read_text(),
        CHART / "files" / "senet.json": DASHBOARD.read_text(),
    }


if __name__ == "__main__":
    for path, text in copies().items():
        path.write_text(text)
