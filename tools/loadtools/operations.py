"""What a running service says of itself."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tools.loadtools.client import Answer, Connection


async def is_ready(port: int, path: str = "/readyz") -> bool:
    """Whether a server on that port answers 200 where it tells whether it is ready."""
    try:
        return (await _get(port, path)).status == 200
    except OSError:
        return False


async def served_model(port: int) -> dict[str, Any]:
    """What the service's `/models` says of its model."""
    model: dict[str, Any] = (await _get(port, "/models")).json()["models"][0]
    return model


async def metrics(port: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of the service's `/metrics`, by name and labels."""
    text = (await _get(port, "/metrics")).body.decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def _get(port: int, path: str) -> Answer:
    connection = Connection(port)
    try:
        return await connection.request(path, method="GET")
    finally:
        connection.close()
