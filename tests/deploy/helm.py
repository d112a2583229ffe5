"""The chart, rendered by Helm's own library."""

from pathlib import Path
from typing import Any

import helm_python
import yaml

from deploy.sync_rules import CHART
from tests.deploy.kustomize import Manifest

VALUES = CHART.parent / "values"
# What Helm's users expect on every object, and kustomize's do not.
_OWN = {
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
}


def values(name: str) -> dict[str, Any]:
    """The values in one of the files."""
    return helm_python.values_from_yaml((VALUES / f"{name}.yaml").read_text())


def template(given: dict[str, Any], release: str = "senet-serving") -> list[Manifest]:
    """What `helm template RELEASE deploy/helm/senet-serving --namespace senet` prints.

    Raises:
        helm_python.HelmError: if the values are refused.
    """
    chart = helm_python.Chart.load(CHART)
    try:
        chart.validate_schema(given)
        files = chart.render(given, name=release, namespace="senet")
    finally:
        chart.close()
    manifests = [
        manifest
        for name, text in sorted(files.items())
        if Path(name).suffix == ".yaml"
        for manifest in yaml.safe_load_all(text)
    ]
    return [manifest for manifest in manifests if manifest]


def without_helm_s_labels(manifests: list[Manifest]) -> list[Manifest]:
    """The manifests without what the chart alone adds: labels of the release."""
    return [_without(manifest) for manifest in manifests]


def _without(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _without(item) for key, item in value.items() if key not in _OWN}
    if isinstance(value, list):
        return [_without(item) for item in value]
    return value
