"""The files that operators work with."""

from pathlib import Path

import yaml

from tests.deploy.kustomize import Manifest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
PAGE = "\n".join(
    (ROOT / "docs" / f"{name}.md").read_text() for name in ("operations", "kubernetes")
)


def one(manifests: list[Manifest], kind: str) -> Manifest:
    [found] = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found
