import pytest

from app.contract.manifest import Manifest
from app.engines.engine import Layout
from app.selection.served_model import ServedModel
from app.telemetry.metrics import Metrics
from tests.support.clock import Clock
from tests.support.repository import COLOUR_SIGNATURE, colour_manifest


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def served() -> ServedModel:
    manifest = Manifest.model_validate(colour_manifest())
    return ServedModel(
        manifest, manifest.variants[0], "cpu", Layout(1, 1), 4, "rule", COLOUR_SIGNATURE
    )
