"""Looking into what manifests say of pods."""

from typing import Any

from tests.deploy.kustomize import Manifest


def pod_of(manifests: list[Manifest], kind: str = "Deployment") -> dict[str, Any]:
    """The pod of the one Deployment or Job there is."""
    [found] = [manifest for manifest in manifests if manifest["kind"] == kind]
    pod: dict[str, Any] = found["spec"]["template"]["spec"]
    return pod


def container_of(pod: dict[str, Any], name: str = "senet") -> dict[str, Any]:
    """A container of a pod by its name, init containers among them."""
    [found] = [
        container
        for container in [*pod.get("initContainers", []), *pod["containers"]]
        if container["name"] == name
    ]
    return dict(found)


def environment(container: dict[str, Any]) -> dict[str, str]:
    """A container's variables."""
    return {entry["name"]: entry["value"] for entry in container["env"]}
