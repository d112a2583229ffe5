"""Which variant of a model is measured."""

from pathlib import Path

import pytest

from app.contract.manifest import Precision
from app.engines.engine import Provider
from tools.gpu.notes import Notes
from tools.gpu.plan import DEFAULT, LARGE, Plan
from tools.gpu.slim_model import slim


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Holds a model that came with one variant alone."""
    slim(Path("models/imagenette/1"), tmp_path / "models" / LARGE / "1", ["fp16"])
    manifest = tmp_path / "models" / LARGE / "1" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(f'"name": "{DEFAULT}"', f'"name": "{LARGE}"'))
    return tmp_path


@pytest.mark.parametrize(
    ("provider", "name", "expected"),
    [("cuda", DEFAULT, "fp16"), ("cpu", DEFAULT, "fp32"), ("cpu", LARGE, "fp16")],
)
def test_what_serves_by_rule_or_what_there_is(
    work: Path, provider: Provider, name: str, expected: Precision
) -> None:
    plan = Plan(provider, work, 1, True, Notes(work / "report.md", "plan"))
    assert plan.precision_of(name) == expected
