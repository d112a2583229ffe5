"""The part of kustomize that the manifests use, so that tests need no kubectl.

Resources, components, `namespace`, `nameSuffix`, `labels`, `images`, generated ConfigMaps, and
strategic merge patches with the merge keys of the lists below (Kubernetes API conventions,
"strategic merge patch"). Anything else is refused, so that a manifest cannot quietly mean more here
than there. Where kubectl is installed, a test compares.
"""

from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]

_MERGE_KEYS = {
    "initContainers": "name",
    "containers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
}
_KNOWN = {
    "apiVersion", "kind", "namespace", "nameSuffix", "labels", "resources", "components", "images",
    "patches", "configMapGenerator", "generatorOptions",
}  # fmt: skip
_CLUSTER_WIDE = {"Namespace"}
# Where labels select, by kind.
_SELECTORS = {
    "Service": ["spec.selector"],
    "Deployment": [
        "spec.selector.matchLabels",
        "spec.template.metadata.labels",
        "spec.template.spec.topologySpreadConstraints.*.labelSelector.matchLabels",
    ],
    "PodDisruptionBudget": ["spec.selector.matchLabels"],
    "NetworkPolicy": ["spec.podSelector.matchLabels"],
}


def render(folder: Path) -> list[Manifest]:
    """What `kubectl kustomize FOLDER` prints, in any order."""
    return _accumulate(folder, [])


def _accumulate(folder: Path, manifests: list[Manifest]) -> list[Manifest]:
    """The manifests with what the kustomization in a folder adds and changes."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    unknown = set(kustomization) - _KNOWN
    assert not unknown, f"{folder}: {unknown} is not supported here"
    for name in kustomization.get("resources", []):
        path = folder / name
        manifests += render(path) if path.is_dir() else _load(path)
    for name in kustomization.get("components", []):
        manifests = _accumulate(folder / name, manifests)
    manifests += _config_maps(folder, kustomization)
    for patch in kustomization.get("patches", []):
        assert set(patch) <= {"path", "target"}, f"{folder}: only patches by path are supported"
        for change in _load(folder / patch["path"]):
            # With a target nothing need be there.
            _patch(manifests, change, optional="target" in patch)
    if "namespace" in kustomization:
        for manifest in manifests:
            if manifest["kind"] not in _CLUSTER_WIDE:
                manifest["metadata"]["namespace"] = kustomization["namespace"]
    if "nameSuffix" in kustomization:
        _rename(manifests, kustomization["nameSuffix"])
    for labels in kustomization.get("labels", []):
        assert set(labels) == {"pairs", "includeSelectors"}, f"{folder}: {labels}"
        _label(manifests, labels["pairs"])
    for image in kustomization.get("images", []):
        for container in _containers(manifests):
            if container["image"].split(":")[0] == image["name"]:
                container["image"] = f"{image['newName']}:{image['newTag']}"
    return manifests


def _load(path: Path) -> list[Manifest]:
    return list(yaml.safe_load_all(path.read_text()))


def _config_maps(folder: Path, kustomization: Manifest) -> list[Manifest]:
    options = kustomization.get("generatorOptions", {})
    made = []
    for generator in kustomization.get("configMapGenerator", []):
        assert set(generator) == {"name", "files"}, f"{folder}: {generator}"
        assert options["disableNameSuffixHash"], f"{folder}: names with hashes are not supported"
        files = [folder / name for name in generator["files"]]
        metadata = {"name": generator["name"], "labels": dict(options["labels"])}
        data = {file.name: file.read_text() for file in files}
        made.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    return made


def _identity(manifest: Manifest) -> tuple[str, str, str]:
    return manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]


def _patch(manifests: list[Manifest], change: Manifest, *, optional: bool) -> None:
    targets = [found for found in manifests if _identity(found) == _identity(change)]
    if optional and not targets:
        return
    [target] = targets
    if change.get("$patch") == "delete":
        manifests.remove(target)
    else:
        _merge(target, change)


def _merge(target: Manifest, change: Manifest) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        elif isinstance(value, list) and key in _MERGE_KEYS and key in target:
            # A container's port has a name of its own for its number, a Service's has not.
            by = "port" if key == "ports" and "port" in value[0] else _MERGE_KEYS[key]
            for item in value:
                same = [found for found in target[key] if found[by] == item[by]]
                if same:
                    _merge(same[0], item)
                else:
                    target[key].append(item)
        else:
            target[key] = value


def _rename(manifests: list[Manifest], suffix: str) -> None:
    accounts = {
        found["metadata"]["name"] for found in manifests if found["kind"] == "ServiceAccount"
    }
    for manifest in manifests:
        assert manifest["kind"] not in _CLUSTER_WIDE
        manifest["metadata"]["name"] += suffix
        for pod in _pods([manifest]):
            if pod.get("serviceAccountName") in accounts:
                pod["serviceAccountName"] += suffix


def _label(manifests: list[Manifest], pairs: dict[str, str]) -> None:
    for manifest in manifests:
        manifest["metadata"].setdefault("labels", {}).update(pairs)
        for path in _SELECTORS.get(manifest["kind"], []):
            places: list[Any] = [manifest]
            for key in path.split("."):
                places = [
                    item for place in places for item in (place if key == "*" else [place[key]])
                ]
            for place in places:
                place.update(pairs)


def _pods(manifests: list[Manifest]) -> list[Manifest]:
    """What is told of pods: of a pod itself, or in a template."""
    specs = [manifest.get("spec", {}) for manifest in manifests]
    return [spec.get("template", {}).get("spec", spec) for spec in specs]


def _containers(manifests: list[Manifest]) -> list[Manifest]:
    return [
        container
        for pod in _pods(manifests)
        for kind in ("initContainers", "containers")
        for container in pod.get(kind, [])
        if "image" in container
    ]
