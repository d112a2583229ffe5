"""Every overlay alone and with every component that goes with it."""

import os
from pathlib import Path

import yaml

from tests.deploy.files import KUBERNETES
from tests.deploy.kustomize import Manifest, render

OVERLAYS = ["cpu", "gpu", "tensorrt"]
FOLDERS = [*(f"overlays/{overlay}" for overlay in OVERLAYS), "kserve", "canary", "model-store"]
COMPONENTS = sorted(folder.name for folder in (KUBERNETES / "components").iterdir())
# A pod has its models from one place, one autoscaler, and one way in.
_ONE_OF = [
    {"model-volume", "model-fetch", "model-image"}, {"hpa", "keda"}, {"ingress", "gateway"},
]  # fmt: skip
# The engine's Job writes to the claim that the pods read; the overlays have the hpa already.
_INCLUDED = {"cpu": {"hpa"}, "gpu": {"hpa"}, "tensorrt": {"hpa", "model-volume"}}


def combinations() -> list[tuple[str, tuple[str, ...]]]:
    """Overlays with their components: each alone, and all that go together."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for overlay in OVERLAYS:
        taken = {
            name for group in _ONE_OF if (group & _INCLUDED[overlay]) - {"hpa"} for name in group
        } | _INCLUDED[overlay]
        free = [name for name in COMPONENTS if name not in taken]
        found += [(overlay, (name,)) for name in free]
        found += [(overlay, _together(free, last)) for last in (False, True)]
    return found


def _together(free: list[str], last: bool) -> tuple[str, ...]:
    """All components, of those that exclude each other the first or the last one."""
    excluded: set[str] = set()
    for group in _ONE_OF:
        there = [name for name in free if name in group]
        excluded |= set(there[:-1] if last else there[1:])
    return tuple(name for name in free if name not in excluded)


def write(folder: Path, overlay: str, components: tuple[str, ...]) -> Path:
    """Writes a kustomization as an operator would, and returns its folder."""
    base = os.path.relpath(KUBERNETES, folder)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "senet",
        "resources": [f"{base}/overlays/{overlay}"],
        "components": [f"{base}/components/{name}" for name in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return folder


def combined(folder: Path, overlay: str, *components: str) -> list[Manifest]:
    """What an overlay with components renders to; `folder` is a place for its kustomization."""
    return render(write(folder, overlay, components))
