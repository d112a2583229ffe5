"""Manifests are validated strictly."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.contract.manifest import Manifest, Preprocessing
from tests.support.repository import ManifestDict, colour_manifest, in_schema_1
from tests.support.signatures import signature_with_excitations

Change = Callable[[ManifestDict], object]
EXCITATIONS: dict[str, object] = {
    "file": "gates.npy", "sha256": "0" * 64, "dataset": "photos", "photos": [1] * 64,
}  # fmt: skip


def parse(manifest: ManifestDict) -> Manifest:
    return Manifest.model_validate_json(json.dumps(manifest))


def test_a_valid_manifest() -> None:
    manifest = parse(colour_manifest())
    assert manifest.name == "colours"
    assert manifest.labels[3].index == 3
    assert manifest.calibration is None
    assert manifest.preprocessing.background == (255, 255, 255)


def test_all_files_of_the_default_model_are_named_by_its_manifest() -> None:
    folder = Path(__file__).parents[3] / "models" / "imagenette" / "1"
    files = Manifest.model_validate_json((folder / "manifest.json").read_bytes()).files
    needed = {path for path in folder.iterdir() if path.suffix in (".onnx", ".npy")}
    assert set(files) == {path.name for path in needed}
    for path in needed:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert files[path.name] in (None, digest)


def set_(*path: str | int, value: object) -> Change:
    def change(manifest: ManifestDict) -> None:
        place: object = manifest
        for key in path[:-1]:
            place = place[key]  # type: ignore[index]  # JSON
        place[path[-1]] = value  # type: ignore[index]  # JSON

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_("color", value=1), "color"),
        (set_("preprocessing", "normalize", value=True), "preprocessing.normalize"),
        (set_("variants", 0, "size", value=1), "variants.0.size"),
        (set_("schema_version", value=3), "schema_version"),
        (set_("schema_version", value=1), "signature needs schema_version 2"),
        (lambda manifest: manifest.pop("signature"), "signature Field required"),
        (set_("requires", value="senet-serving"), "requires"),
        (set_("signature", "outputs", 0, "colour", value=1), "signature.outputs.0.colour"),
        (set_("signature", "outputs", 0, "meaning", value="scores"), "signature.outputs.0.meaning"),
        (set_("signature", "outputs", 0, "dtype", value="float16"), "signature.outputs.0.dtype"),
        (set_("signature", "outputs", 0, "name", value="a b"), "signature.outputs.0.name"),
        (set_("signature", "outputs", 0, "shape", value=["batch", 63]), "differ in their number"),
        (set_("signature", "outputs", value=[]), "one must be logits"),
        (set_("signature", "outputs", 1, "shape", value=["batch", None]), "every size"),
        (set_("signature", "inputs", 0, "shape", value=["batch", 8, 9, 3]), "differ in size"),
        (set_("gates", value=[{"block": "a", "mean": 0.5, "spread": -1}]), "gates.0.spread"),
        (set_("version", value=0), "version"),
        (set_("name", value="../x"), "name"),
        (set_("labels", value=[]), "labels"),
        (lambda manifest: manifest["labels"].reverse(), "order of their index"),
        (lambda manifest: manifest["labels"].pop(4), "without gaps"),
        (lambda manifest: manifest.pop("golden"), "golden"),
        (set_("variants", value=[]), "variants"),
        (lambda manifest: manifest["variants"].append(manifest["variants"][0]), "same precision"),
        (set_("variants", 0, "file", value="../../etc/passwd"), "variants.0.file"),
        (set_("variants", 0, "file", value="/etc/passwd"), "variants.0.file"),
        (set_("variants", 0, "file", value="a\n"), "variants.0.file"),
        (set_("variants", 0, "file", value=".."), "variants.0.file"),
        (set_("golden", "inputs", value="../golden.npy"), "golden.inputs"),
        (set_("golden", "logits", value="/golden.npy"), "golden.logits"),
        (set_("variants", 0, "sha256", value="ABC"), "variants.0.sha256"),
        (set_("variants", 0, "parity", "top1_agreement", value=1.1), "top1_agreement"),
        (set_("golden", "tolerance", value={"int8": 1}), "golden.tolerance lacks fp32"),
        (set_("golden", "tolerance", "fp32", value=0), "golden.tolerance.fp32"),
        (set_("input", "height", value=9), "differ in size"),
        (set_("preprocessing", "resize_shorter_side", value=7), "may not exceed"),
        (set_("preprocessing", "interpolation", value="cubic"), "interpolation"),
        (set_("preprocessing", "geometry", value="centre"), "preprocessing.geometry"),
        (set_("preprocessing", "background", value=[0, 0, 256]), "background.2"),
        (set_("excitations", value=EXCITATIONS), "needs outputs of that meaning"),
        (set_("excitations", value=EXCITATIONS | {"file": "../a"}), "excitations.file"),
        (set_("excitations", value=EXCITATIONS | {"photos": [-1] * 64}), "excitations.photos.0"),
    ],
)
def test_a_mistake_is_found_and_placed(change: Change, message: str) -> None:
    manifest = colour_manifest()
    change(manifest)
    with pytest.raises(ValidationError) as raised:
        parse(manifest)
    found = [
        f"{'.'.join(str(part) for part in error['loc'])} {error['msg']}"
        for error in raised.value.errors()
    ]
    assert any(message in text for text in found), found


def test_there_must_be_a_number_of_photos_for_each_class() -> None:
    manifest = colour_manifest()
    signature_with_excitations(manifest)
    parse(manifest | {"excitations": EXCITATIONS})
    with pytest.raises(ValidationError, match="differ in number"):
        parse(manifest | {"excitations": EXCITATIONS | {"photos": [1] * 63}})


def test_in_schema_1_every_model_has_the_three_outputs() -> None:
    content = colour_manifest()
    in_schema_1(content)
    del content["schema_version"]
    manifest = parse(content)
    assert manifest.schema_version == 1
    assert {spec.name: spec.shape for spec in manifest.signature.outputs} == {
        "logits": ("batch", 64),
        "embedding": ("batch", None),
        "cam": ("batch", 64, None, None),
    }
    assert manifest.signature.image.shape == ("batch", 8, 8, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda manifest: manifest.pop("labels"), "labels Field required"),
        (set_("labels", value=7), "labels"),
        (set_("labels", value=[]), "labels"),
        (set_("input", value=None), "input"),
        (set_("input", "height", value="tall"), "input.height"),
        (set_("gates", value=[]), "gates needs schema_version 2"),
        (set_("excitations", value=EXCITATIONS), "excitations needs schema_version 2"),
        (set_("untrained", value=True), "untrained needs schema_version 2"),
        (set_("requires", value="senet-serving>=0.2.0"), "requires needs schema_version 2"),
    ],
)
def test_a_mistake_in_schema_1_is_found_and_placed(change: Change, message: str) -> None:
    manifest = colour_manifest()
    in_schema_1(manifest)
    change(manifest)
    with pytest.raises(ValidationError) as raised:
        parse(manifest)
    found = [
        f"{'.'.join(str(part) for part in error['loc'])} {error['msg']}"
        for error in raised.value.errors()
    ]
    assert any(message in text for text in found), found


def test_what_is_written_is_read_again() -> None:
    content = colour_manifest() | {"gates": [{"block": "layer1.0", "mean": 0.5, "spread": 0.1}]}
    manifest = parse(content)
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest


def test_files_without_a_geometry_keep_the_exact_centre_and_their_digest() -> None:
    # As computed from the file alone, before there was a geometry.
    written = json.loads(Path("models/imagenette/1/manifest.json").read_text())["preprocessing"]
    written.pop("geometry", None)
    canonical = json.dumps(written, sort_keys=True, separators=(",", ":"))
    preprocessing = Preprocessing.model_validate(written)
    assert preprocessing.geometry == "exact"
    assert preprocessing.digest == "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
    stated = Preprocessing.model_validate(preprocessing.model_dump())
    assert stated.digest == preprocessing.digest


def test_lanczos_needs_antialias() -> None:
    with pytest.raises(ValidationError, match="lanczos"):
        Preprocessing(
            resize_shorter_side=8,
            crop_height=8,
            crop_width=8,
            interpolation="lanczos",
            antialias=False,
        )


def test_equal_preprocessing_has_equal_digests_however_it_is_written() -> None:
    written = colour_manifest()["preprocessing"]
    sparse = Preprocessing.model_validate(written)
    full = Preprocessing.model_validate_json(sparse.model_dump_json())
    backwards = Preprocessing.model_validate(dict(reversed(sparse.model_dump().items())))
    assert sparse.digest == full.digest == backwards.digest
    assert sparse.digest.startswith("sha256:")


@pytest.mark.parametrize("field", sorted(Preprocessing.model_fields))
def test_every_key_of_the_preprocessing_counts_in_its_digest(field: str) -> None:
    base = Preprocessing(resize_shorter_side=10, crop_height=8, crop_width=8)
    other = {
        "resize_shorter_side": 11, "crop_height": 7, "crop_width": 7, "interpolation": "bicubic",
        "antialias": False, "exif_transpose": False, "background": (0, 0, 0),
        "scaled_decoding": False, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5),
        "geometry": "squash",
    }[field]  # fmt: skip
    changed = Preprocessing.model_validate(base.model_dump() | {field: other})
    assert changed.digest != base.digest
