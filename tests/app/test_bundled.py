"""Which model repository an installed package serves from."""

from pathlib import Path

import pytest

from app.bundled import or_bundled
from app.settings import load_settings


@pytest.mark.parametrize("is_chosen", [True, False])
def test_a_folder_that_is_there_is_taken(tmp_path: Path, is_chosen: bool) -> None:
    assert or_bundled(tmp_path, is_chosen=is_chosen, bundled=tmp_path) == tmp_path


def test_the_package_s_own_takes_the_place_of_a_default_that_is_missing(tmp_path: Path) -> None:
    missing = tmp_path / "models"
    assert or_bundled(missing, is_chosen=False, bundled=tmp_path) == tmp_path
    assert or_bundled(missing, is_chosen=False, bundled=tmp_path / "none") == missing


def test_a_mistake_in_what_was_chosen_stays_one(tmp_path: Path) -> None:
    missing = tmp_path / "models"
    assert or_bundled(missing, is_chosen=True, bundled=tmp_path) == missing


def test_a_checkout_has_no_package_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings([]).model_repository == Path("models")
