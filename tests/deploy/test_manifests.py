"""Every manifest is what its cluster takes; a broken one would be noticed."""

import json
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.combinations import COMPONENTS, FOLDERS, combinations, combined, write
from tests.deploy.files import KUBERNETES
from tests.deploy.kustomize import Manifest, render
from tests.deploy.schemas import REFUSALS, check

# A cross-check of our own renderer where it happens to be; no test depends on it.
_KUBECTL = shutil.which("kubectl")


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_manifest_is_valid(folder: str) -> None:
    manifests = render(KUBERNETES / folder)
    assert manifests
    for manifest in manifests:
        check(manifest)


@pytest.mark.parametrize(("overlay", "components"), combinations())
def test_every_overlay_is_valid_with_every_component(
    overlay: str, components: tuple[str, ...], tmp_path: Path
) -> None:
    for manifest in combined(tmp_path, overlay, *components):
        check(manifest)


def test_no_component_is_left_out() -> None:
    tried = {name for _, components in combinations() for name in components}
    assert tried | {"hpa"} == set(COMPONENTS)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", "spec.replica", 2),
        ("Deployment", "spec.template.spec.terminationGracePeriodSeconds", "thirty"),
        ("Deployment", "spec.template.spec.containers.0.readinesProbe", {}),
        ("Deployment", "spec.template.spec.volumes", [{"name": "a", "emptyDir": {}, "nfs": {}}]),
        ("Deployment", "spec.template.spec.volumes.0.name", "not-mounted"),
        ("Service", "spec.ports.0.port", "80"),
        ("NetworkPolicy", "spec.ingres", []),
        ("HorizontalPodAutoscaler", "spec.maxReplicas", None),
        ("ServiceMonitor", "spec.endpoints.0.interval", 15),
        ("PrometheusRule", "spec.groups.0.rules.0.exp", "1"),
        ("HTTPRoute", "spec.rules.0.timeout", "60s"),
        ("HTTPRoute", "spec.rules.0.timeouts.request", 60),
        ("Gateway", "spec.listeners.0.tls.mode", "terminate"),
    ],
)
def test_a_broken_manifest_is_noticed(kind: str, path: str, value: object, tmp_path: Path) -> None:
    manifests = combined(tmp_path, "cpu", "model-volume", "gateway")
    [manifest] = [found for found in manifests if found["kind"] == kind]
    check(manifest)
    *parents, last = path.split(".")
    place: Any = manifest
    for key in parents:
        place = place[int(key)] if key.isdigit() else place[key]
    place[last] = value
    with pytest.raises(REFUSALS):
        check(manifest)


@pytest.mark.skipif(_KUBECTL is None, reason="kubectl is not installed")
@pytest.mark.parametrize("folder", FOLDERS)
def test_kustomize_itself_renders_the_same(folder: str) -> None:
    assert _sorted(_by_kubectl(KUBERNETES / folder)) == _sorted(render(KUBERNETES / folder))


# All that go together: kubectl takes a second each time.
@pytest.mark.skipif(_KUBECTL is None, reason="kubectl is not installed")
@pytest.mark.parametrize(
    ("overlay", "components"), [found for found in combinations() if len(found[1]) > 1]
)
def test_kustomize_itself_combines_the_same(
    overlay: str, components: tuple[str, ...], tmp_path: Path
) -> None:
    folder = write(tmp_path, overlay, components)
    assert _sorted(_by_kubectl(folder)) == _sorted(render(folder))


def _by_kubectl(folder: Path) -> list[Manifest]:
    ended = subprocess.run(
        [str(_KUBECTL), "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return list(yaml.safe_load_all(ended.stdout))


def _sorted(manifests: list[Manifest]) -> list[str]:
    return sorted(json.dumps(_by_name(manifest), sort_keys=True) for manifest in manifests)


def _by_name(value: Any) -> Any:  # noqa: ANN401 - parsed YAML
    """Lists of named things in the order of their names, which means nothing to Kubernetes."""
    if isinstance(value, dict):
        return {key: _by_name(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [_by_name(item) for item in value]
        ordered = any(not isinstance(item, dict) for item in items)
        return items if ordered else sorted(items, key=partial(json.dumps, sort_keys=True))
    return value


@pytest.mark.parametrize(("overlay", "components"), combinations())
def test_everything_stands_in_one_namespace(
    overlay: str, components: tuple[str, ...], tmp_path: Path
) -> None:
    manifests = combined(tmp_path, overlay, *components)
    [namespace] = [found for found in manifests if found["kind"] == "Namespace"]
    for manifest in manifests:
        if manifest is not namespace:
            assert manifest["metadata"]["namespace"] == namespace["metadata"]["name"]
