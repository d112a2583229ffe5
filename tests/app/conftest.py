from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings


@pytest.fixture(scope="session")
def make_settings(repository: Path) -> Callable[..., Settings]:
    """Settings that serve the colour classifier, nothing measured, with further options."""

    def make(**options: object) -> Settings:
        defaults: dict[str, Any] = {
            "model_repository": repository,
            "model": "colours",
            "inference_threads": 1,
        }
        defaults.update(options)
        return Settings(**defaults)

    return make
