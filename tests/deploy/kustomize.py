"""The part of kustomize that the manifests use, so that tests need no kubectl.

Resources, components, `namespace`, `images`, and strategic merge patches with the merge keys of the
lists below (Kubernetes API conventions, "strategic merge patch"). Anything else is refused, so that
a manifest cannot quietly mean more here than there. Where kubectl is installed, a test compares.
"""

from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]

_MERGE_KEYS = {
    "containers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
}
_KNOWN = {
    "apiVersion", "kind", "namespace", "resources", "components", "images", "patches",
}  # fmt: skip
_CLUSTER_WIDE = {"Namespace"}


def render(folder: Path) -> list[Manifest]:
    """What `kubectl kustomize FOLDER` prints, in any order."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    unknown = set(kustomization) - _KNOWN
    assert not unknown, f"{folder}: {unknown} is not supported here"
    manifests: list[Manifest] = []
    for name in [*kustomization.get("resources", []), *kustomization.get("components", [])]:
        path = folder / name
        manifests += render(path) if path.is_dir() else _load(path)
    for patch in kustomization.get("patches", []):
        assert set(patch) == {"path"}, f"{folder}: only patches by path are supported here"
        for change in _load(folder / patch["path"]):
            [target] = [found for found in manifests if _identity(found) == _identity(change)]
            _merge(target, change)
    for image in kustomization.get("images", []):
        for container in _containers(manifests):
            if container["image"].split(":")[0] == image["name"]:
                container["image"] = f"{image['newName']}:{image['newTag']}"
    if "namespace" in kustomization:
        for manifest in manifests:
            if manifest["kind"] not in _CLUSTER_WIDE:
                manifest["metadata"]["namespace"] = kustomization["namespace"]
    return manifests


def _load(path: Path) -> list[Manifest]:
    return list(yaml.safe_load_all(path.read_text()))


def _identity(manifest: Manifest) -> tuple[str, str, str]:
    return manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]


def _merge(target: Manifest, change: Manifest) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        elif isinstance(value, list) and key in _MERGE_KEYS and key in target:
            by = _MERGE_KEYS[key]
            for item in value:
                same = [found for found in target[key] if found[by] == item[by]]
                if same:
                    _merge(same[0], item)
                else:
                    target[key].append(item)
        else:
            target[key] = value


def _containers(manifests: list[Manifest]) -> list[Manifest]:
    found: list[Manifest] = []
    for manifest in manifests:
        template = manifest.get("spec", {}).get("template", {})
        found += template.get("spec", {}).get("containers", [])
    return found
