"""A model's version of which only some variants are carried still serves."""

from pathlib import Path

import pytest

from app.contract.errors import ConfigurationError
from app.contract.repository import ModelRepository
from tools.gpu.slim_model import slim

SOURCE = Path("models/imagenette/1")


def test_the_variants_that_are_named_stay_and_are_valid(tmp_path: Path) -> None:
    slim(SOURCE, tmp_path / "imagenette" / "1", ["int8"])
    version = ModelRepository(tmp_path).find("imagenette")
    assert [variant.precision for variant in version.manifest.variants] == ["int8"]
    assert {file.name for file in version.folder.iterdir()} == {
        "manifest.json", "golden.inputs.npy", "golden.logits.npy", "model.int8.onnx",
    }  # fmt: skip


def test_a_variant_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"has fp32, .*int8"):
        slim(SOURCE, tmp_path / "imagenette" / "1", ["fp32", "fp64"])
