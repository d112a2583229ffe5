"""Which models the settings name."""

from pathlib import Path
from types import MappingProxyType

import pytest

from app.contract.repository import ModelRepository
from app.selection.configured import configured_models
from app.settings import Settings
from tests.support.repository import write_model

DEFAULT = Settings.model_fields["model"].default


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [DEFAULT]),
        ({"models": f"others,{DEFAULT}"}, ["others", DEFAULT]),
        ({"models": f"others,{DEFAULT}", "model": DEFAULT}, [DEFAULT, "others"]),
        ({"models": "others,others:1"}, ["others", "others:1"]),
        ({"models": "all"}, [DEFAULT, "birds", "others"]),
        ({"models": "all", "model": "others"}, ["others", "birds", DEFAULT]),
    ],
)
def test_the_first_one_answers_where_a_request_names_none(
    tmp_path: Path, options: dict[str, str], expected: list[str]
) -> None:
    for name in (DEFAULT, "birds", "others"):
        write_model(tmp_path, name=name)
    settings = Settings.model_validate(MappingProxyType({"model_repository": tmp_path} | options))
    assert configured_models(settings, ModelRepository(tmp_path)) == expected
