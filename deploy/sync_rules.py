"""Writes the PrometheusRule from the rule file: `python3 deploy/sync_rules.py`.

Kustomize cannot put a file into a custom resource, so the rules stand twice; a test compares them.
"""

from pathlib import Path

DEPLOY = Path(__file__).parent
RULES = DEPLOY / "prometheus" / "rules" / "senet.yml"
RESOURCE = DEPLOY / "kubernetes" / "base" / "prometheus-rule.yaml"
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


if __name__ == "__main__":
    RESOURCE.write_text(resource())
