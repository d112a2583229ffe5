"""The examples for platforms on the page: what each takes, with paths and ports that there are."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from app.settings import Settings
from app.transport.http.composition import create_app
from tests.deploy.files import DOCKERFILE, ROOT
from tests.deploy.schemas import check
from tests.support.engines import FakeEngines

PAGE = (ROOT / "docs" / "adapters.md").read_text()
EXAMPLES = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
PORT = int(re.findall(r"^EXPOSE (\d+)", DOCKERFILE, re.MULTILINE)[0])

_TEXT = {"type": "string", "minLength": 1}


def closed(**properties: object) -> dict[str, Any]:
    """An object that has all of these and nothing else."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


ROUTE = closed(port={"const": PORT}, path={"type": "string", "pattern": "^/"})
# The fields that are used, with the names and types of its schema.
AZURE = closed(
    **{"$schema": {"const": EXAMPLES[0].get("$schema")}},
    name={"type": "string", "pattern": "^[a-zA-Z][a-zA-Z0-9-]{1,30}[a-zA-Z0-9]$"},
    endpoint_name={"type": "string", "pattern": "^[a-zA-Z][a-zA-Z0-9-]{1,30}[a-zA-Z0-9]$"},
    instance_type=_TEXT,
    instance_count={"type": "integer", "minimum": 1},
    environment=closed(
        image=_TEXT,
        inference_config=closed(liveness_route=ROUTE, readiness_route=ROUTE, scoring_route=ROUTE),
    ),
)


def routes(repository: Path) -> set[str]:
    settings = Settings(model_repository=repository, model="colours")
    return set(create_app(settings, engines=FakeEngines()).openapi()["paths"])


def test_azure_ml(repository: Path) -> None:
    example = EXAMPLES[0]
    jsonschema.validate(example, AZURE)
    config = example["environment"]["inference_config"]
    assert {route["path"] for route in config.values()} <= routes(repository)


def test_knative(repository: Path) -> None:
    example = EXAMPLES[1]
    assert (example["apiVersion"], example["kind"]) == ("serving.knative.dev/v1", "Service")
    assert example["spec"].keys() == {"template"}
    template = example["spec"]["template"]
    [container] = template["spec"]["containers"]
    assert container["ports"] == [{"containerPort": PORT}]
    assert container["readinessProbe"]["httpGet"]["path"] in routes(repository)
    # Knative's template is a pod's, in which it fills in the container's name and the probe's port.
    container["name"] = "user-container"
    container["readinessProbe"]["httpGet"]["port"] = PORT
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "senet"}, **template}
    check(pod)
