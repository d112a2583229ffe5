"""A manifest names the first version that reads it."""

from pathlib import Path

from app.contract.manifest import Manifest
from senet.export import manifest_file
from tests.support.process import ROOT

DEFAULT = ROOT / "models" / "imagenette" / "1" / manifest_file.NAME
NEWER = {"excitations": None, "sets": None, "reject": None, "reference": None}


def written(manifest: Manifest, folder: Path) -> str:
    manifest_file.write(manifest, folder)
    return Manifest.model_validate_json((folder / manifest_file.NAME).read_bytes()).requires


def test_newer_keys_need_a_newer_version(tmp_path: Path) -> None:
    manifest = Manifest.model_validate_json(DEFAULT.read_bytes())
    assert written(manifest, tmp_path) == manifest.requires == "senet-serving>=0.3.0"
    outputs = [own for own in manifest.signature.outputs if own.meaning != "excitation"]
    signature = manifest.signature.model_copy(update={"outputs": tuple(outputs)})
    older = manifest.model_copy(update=NEWER | {"signature": signature})
    assert written(older, tmp_path) == "senet-serving>=0.2.0"
    assert manifest.sets is not None
    assert written(older.model_copy(update={"sets": manifest.sets}), tmp_path) == manifest.requires
