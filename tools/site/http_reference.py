"""The page of routes and errors, from the service's own description."""

from collections.abc import Mapping
from typing import Any

from app.settings import Settings
from app.transport.http.composition import create_app
from app.transport.http.problems import ANSWERS
from tools.site.tables import table


def http_page() -> str:
    """Every route with its parameters, and every problem."""
    described = create_app(Settings()).openapi()
    parts = [
        (
            "# Routes and problems\n\nThe service describes itself in full at `/openapi.json`. What"
            " the parameters mean is told in [HTTP API](../api.md).\n\n## Routes\n"
        )
    ]
    for path, methods in sorted(described["paths"].items()):
        for method, told in methods.items():
            parts.append(f"### {method.upper()} {path}\n")
            parts.append(f"{told.get('description') or told.get('summary', '')}\n")
            if told.get("parameters"):
                parts.append(
                    table(("parameter", "in", "type"), map(_parameter, told["parameters"]))
                )
            answers = ", ".join(f"`{status}`" for status in told["responses"])
            parts.append(f"Answers with {answers}.\n")
    rows = [(f"`{kind.code}`", str(told.status), told.title) for kind, told in ANSWERS.items()]
    parts += ["## Problems\n", table(("code", "status", "title"), rows)]
    return "\n".join(parts)


def _parameter(told: Mapping[str, Any]) -> tuple[str, str, str]:
    schema = told.get("schema", {})
    kinds = [schema, *schema.get("anyOf", ())]
    names = [str(kind["type"]) for kind in kinds if kind.get("type", "null") != "null"]
    return f"`{told['name']}`", told["in"], " or ".join(names)
