"""Grafana's own types know every key of the dashboard; what they don't know, Grafana would drop."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.deploy.expressions import DASHBOARD

Json = Any


@pytest.fixture(scope="module")
def dashboard() -> Json:
    # Panels and queries have types of their own, by their plugin.
    plugins.register_default_plugins()
    return json.loads(DASHBOARD.read_text())


def as_grafana_reads(dashboard: Json) -> Json:
    return json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))


def unknown(ours: Json, theirs: Json, path: str = "") -> list[str]:
    """Paths of what is ours and not theirs; what they add are defaults."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            found
            for key, item in ours.items()
            for found in unknown(item, theirs.get(key), f"{path}/{key}")
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [
            found
            for index, pair in enumerate(zip(ours, theirs, strict=True))
            for found in unknown(*pair, f"{path}/{index}")
        ]
    return [] if ours == theirs else [path]


def test_grafana_knows_every_key(dashboard: Json) -> None:
    assert unknown(dashboard, as_grafana_reads(dashboard)) == []


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/refreshEvery", lambda dashboard: dashboard),
        ("/panels/1/grid", lambda dashboard: dashboard["panels"][1]),
        ("/panels/1/targets/0/query", lambda dashboard: dashboard["panels"][1]["targets"][0]),
        (
            "/panels/1/options/legend/displayMod",
            lambda dashboard: dashboard["panels"][1]["options"]["legend"],
        ),
        (
            "/panels/1/fieldConfig/defaults/units",
            lambda dashboard: dashboard["panels"][1]["fieldConfig"]["defaults"],
        ),
    ],
)
def test_a_key_that_grafana_does_not_know_is_noticed(
    dashboard: Json, path: str, place: Callable[[Json], Json]
) -> None:
    wrong = json.loads(json.dumps(dashboard))
    place(wrong)[path.rpartition("/")[2]] = "5s"
    assert unknown(wrong, as_grafana_reads(wrong)) == [path]
