"""The page of the manifest's schema, from the models that validate it."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.contract.manifest import Manifest
from tools.site.tables import prose, table


def manifest_page() -> str:
    """Every key of `manifest.json`, by object."""
    schema = Manifest.model_json_schema()
    objects = {"manifest.json": schema, **schema.get("$defs", {})}
    parts = [
        (
            "# manifest.json\n\n[The model repository](../models.md) says what the files of a"
            " version are for. A key that is not listed here is an error.\n"
        )
    ]
    for name, content in objects.items():
        if "properties" in content:
            parts.append(f"## {name}\n")
            if name != "manifest.json":
                parts.append(f"{prose(content.get('description', ''))}\n")
            parts.append(table(("key", "type", "required", "meaning"), _rows(content)))
    return "\n".join(parts)


def _rows(content: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    required = content.get("required", ())
    for key, told in content["properties"].items():
        meaning = prose(told.get("description", ""))
        default = told.get("default")
        if key not in required and default not in (None, (), [], {}):
            meaning += f" Default: `{default}`."
        yield f"`{key}`", _type(told), "yes" if key in required else "", meaning


def _type(told: Mapping[str, Any]) -> str:
    if "$ref" in told:
        name = told["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in told:
        return ", ".join(f"`{value}`" for value in told["enum"])
    if "const" in told:
        return f"`{told['const']}`"
    for alternatives in ("anyOf", "oneOf"):
        if alternatives in told:
            return " or ".join(dict.fromkeys(_type(one) for one in told[alternatives]))
    if told.get("type") == "array":
        items = told.get("items") or (told.get("prefixItems") or [{}])[0]
        return f"array of {_type(items)}"
    if told.get("type") == "object" and isinstance(told.get("additionalProperties"), dict):
        return f"object of {_type(told['additionalProperties'])}"
    return str(told.get("type", "any"))
