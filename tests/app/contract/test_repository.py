"""Finding and verifying models on disk."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto
from onnx.external_data_helper import set_external_data

from app.contract.errors import ConfigurationError
from app.contract.repository import ModelRepository, ModelVersion
from tests.support.gated_model import write_gated_model
from tests.support.repository import ManifestDict, colour_model, write_model


def refusal(act: Callable[[], object]) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as raised:
        act()
    return raised.value


def find(root: Path, name: str = "colours", version: int | None = None) -> ModelVersion:
    return ModelRepository(root).find(name, version)


def test_the_highest_version_is_found_by_number_not_by_letter(tmp_path: Path) -> None:
    for version in (2, 9, 10):
        write_model(tmp_path, version=version)
    assert find(tmp_path).manifest.version == 10
    assert find(tmp_path, version=9).folder == tmp_path / "colours" / "9"


def test_other_entries_of_a_model_s_folder_are_left_alone(tmp_path: Path) -> None:
    write_model(tmp_path)
    for name in ("0", "02", "-3", "3.bak", "latest", "٣", "99"):
        (tmp_path / "colours" / name).mkdir()
    (tmp_path / "colours" / "7").write_text("a file")
    (tmp_path / "colours" / "02" / "manifest.json").write_text("{}")
    assert find(tmp_path).manifest.version == 1


def test_a_missing_repository(tmp_path: Path) -> None:
    error = refusal(lambda: find(tmp_path / "missing"))
    assert error.option == "model_repository"
    assert "is not a folder" in error.cause


def test_an_empty_repository(tmp_path: Path) -> None:
    error = refusal(lambda: find(tmp_path))
    assert error.option == "model"
    assert "holds no model" in error.cause


def test_an_unknown_model_is_told_which_there_are(tmp_path: Path) -> None:
    write_model(tmp_path)
    write_model(tmp_path, name="other")
    (tmp_path / "README").write_text("not a model")
    error = refusal(lambda: find(tmp_path, "cats"))
    assert error.option == "model"
    assert "cats is not in" in error.cause
    assert error.cause.endswith("colours, other")
    assert "colours:2 is not in" in refusal(lambda: find(tmp_path, version=2)).cause


def test_a_manifest_in_the_wrong_folder(tmp_path: Path) -> None:
    write_model(tmp_path, version=1).rename(tmp_path / "colours" / "2")
    error = refusal(lambda: find(tmp_path))
    assert error.option == "model_repository"
    assert "is of colours:1" in error.cause


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "the whole: Invalid JSON"),
        ("{", "the whole: Invalid JSON"),
        ("[]", "the whole"),
        ("{}", "name: Field required"),
        ("\x00\xff", "the whole"),
    ],
)
def test_a_manifest_that_is_not_valid(tmp_path: Path, text: str, cause: str) -> None:
    (write_model(tmp_path) / "manifest.json").write_text(text, "latin-1")
    error = refusal(lambda: find(tmp_path))
    assert error.option == "model_repository"
    assert cause in error.cause
    assert "\n" not in str(error)


def test_a_key_that_stands_twice_is_named(tmp_path: Path) -> None:
    manifest = write_model(tmp_path) / "manifest.json"
    tolerance = '"tolerance": {"fp32": 0.001'
    text = manifest.read_text()
    assert tolerance in text
    manifest.write_text(text.replace(tolerance, f'{tolerance}, "fp32": 9'))
    assert "manifest.json, fp32: stands twice" in refusal(lambda: find(tmp_path)).cause


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    write_model(tmp_path, change=lambda manifest: manifest.update(colour="blue"))
    assert "manifest.json, colour: Extra inputs" in refusal(lambda: find(tmp_path)).cause


@pytest.mark.parametrize(
    ("schema", "requires", "reader"),
    [
        (3, "senet-serving>=90.4.0", "senet-serving>=90.4.0"),
        (3, None, "a later version of senet-serving"),
        (3, "senet-serving>=0.2.0", "a later version of senet-serving"),
        (17, "senet-serving>=90.4.0; rm -rf /", "a later version of senet-serving"),
        (17, ["senet-serving>=90.4.0"], "a later version of senet-serving"),
    ],
)
def test_a_schema_of_a_later_version_is_named_with_the_version_that_reads_it(
    tmp_path: Path, schema: int, requires: object, reader: str
) -> None:
    later = {"schema_version": schema, "requires": requires, "ensemble": ["unheard of"]}
    write_model(tmp_path, change=lambda manifest: manifest.update(later))
    error = refusal(lambda: find(tmp_path))
    assert error.option == "model_repository"
    assert f"has schema {schema}, this version of senet-serving reads 1 and 2" in error.cause
    assert error.remedy == f"serve it with {reader}, or export the model again with this version"


@pytest.mark.parametrize(
    ("requires", "remedy"),
    [
        ("senet-serving>=90.4", "serve it with senet-serving>=90.4 (this is "),
        ("senet-serving>=0.2.0", "correct the manifest or export again"),
        (7, "correct the manifest or export again"),
    ],
)
def test_a_key_of_a_later_version_is_named_with_the_version_that_reads_it(
    tmp_path: Path, requires: object, remedy: str
) -> None:
    later = {"requires": requires, "ensemble": ["unheard of"]}
    write_model(tmp_path, change=lambda manifest: manifest.update(later))
    assert refusal(lambda: find(tmp_path)).remedy.startswith(remedy)


@pytest.mark.parametrize("schema", [0, -1, "2", None, [2], {"a": 1}, 1.5])
def test_what_is_no_schema_is_named(tmp_path: Path, schema: object) -> None:
    write_model(tmp_path, change=lambda manifest: manifest.update(schema_version=schema))
    error = refusal(lambda: find(tmp_path))
    assert "manifest.json has schema" in error.cause
    assert error.remedy == "correct the manifest or export again"


def test_a_verified_file(repository: Path) -> None:
    found = find(repository)
    [variant] = found.manifest.variants
    assert found.verified_file(variant) == found.folder / "model.fp32.onnx"


@pytest.mark.parametrize("name", ["model.fp32.onnx", "golden.inputs.npy", "golden.logits.npy"])
def test_a_file_that_is_missing_or_cannot_be_read(tmp_path: Path, name: str) -> None:
    path = write_model(tmp_path) / name
    found = find(tmp_path)
    path.unlink()
    assert f"{path} cannot be read (No such file" in refusal(lambda: read(found)).cause
    path.mkdir()
    assert f"{path} is not a regular file" in refusal(lambda: read(found)).cause


@pytest.mark.parametrize("name", ["manifest.json", "golden.inputs.npy", "golden.logits.npy"])
def test_what_is_far_too_large_is_not_read(tmp_path: Path, name: str) -> None:
    path = write_model(tmp_path) / name
    os.truncate(path, 2**40)  # takes no space on a disk
    assert f"{path} has {2**40} bytes" in refusal(lambda: read(find(tmp_path))).cause


@pytest.mark.parametrize("name", ["model.fp32.onnx", "golden.inputs.npy"])
def test_what_may_never_end_is_not_read(tmp_path: Path, name: str) -> None:
    path = write_model(tmp_path) / name
    found = find(tmp_path)
    path.unlink()
    os.mkfifo(path)
    assert f"{path} is not a regular file" in refusal(lambda: read(found)).cause


def test_a_link_is_as_good_as_its_file(tmp_path: Path) -> None:
    path = write_model(tmp_path) / "model.fp32.onnx"
    stored = path.rename(tmp_path / "stored")
    path.symlink_to(stored)
    read(find(tmp_path))
    stored.write_bytes(b"something else")
    assert "has SHA-256" in refusal(lambda: read(find(tmp_path))).cause


def test_a_verified_file_has_no_data_beside_it(tmp_path: Path) -> None:
    path = write_model(tmp_path, change=describe_split_model) / "model.fp32.onnx"
    path.write_bytes(split_model())
    error = refusal(lambda: read(find(tmp_path)))
    assert error.option == "model_repository"
    assert "'weight' in another file" in error.cause
    assert "as one file" in error.remedy


def split_model() -> bytes:
    """The colour classifier with its weight in `weights.bin`."""
    model = ModelProto.FromString(colour_model())
    [weight] = [tensor for tensor in model.graph.initializer if tensor.name == "weight"]
    set_external_data(weight, "weights.bin")
    weight.ClearField("raw_data")
    return bytes(model.SerializeToString())


def describe_split_model(manifest: ManifestDict) -> None:
    manifest["variants"][0]["sha256"] = hashlib.sha256(split_model()).hexdigest()


def read(found: ModelVersion) -> None:
    found.verified_file(found.manifest.variants[0])
    found.golden()


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path) / "model.fp32.onnx"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    error = refusal(lambda: read(find(tmp_path)))
    assert error.option == "model_repository"
    assert "has SHA-256" in error.cause


def test_golden_arrays(repository: Path) -> None:
    inputs, logits = find(repository).golden()
    assert inputs.dtype == np.uint8
    assert logits.dtype == np.float32
    assert len(inputs) == len(logits) == 4


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("golden.inputs.npy", np.zeros((4, 8, 8, 3), np.float32)),
        ("golden.inputs.npy", np.zeros((4, 8, 9, 3), np.uint8)),
        ("golden.inputs.npy", np.zeros((3, 8, 8, 3), np.uint8)),
        ("golden.inputs.npy", np.zeros((0, 8, 8, 3), np.uint8)),
        ("golden.inputs.npy", np.uint8(3)),
        ("golden.logits.npy", np.zeros((4, 63), np.float32)),
        ("golden.logits.npy", np.zeros((4, 64), np.float64)),
    ],
)
def test_golden_arrays_of_another_shape_or_type(
    tmp_path: Path, name: str, array: np.ndarray
) -> None:
    np.save(write_model(tmp_path) / name, array)
    assert "are not uint8 [n, 8, 8, 3]" in refusal(find(tmp_path).golden).cause


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", b"text", b"PK\x03\x04 not really a zip"])
def test_golden_files_that_are_no_arrays(tmp_path: Path, data: bytes) -> None:
    (write_model(tmp_path) / "golden.inputs.npy").write_bytes(data)
    error = refusal(find(tmp_path).golden)
    assert error.option == "model_repository"
    assert "not a NumPy array" in error.cause


def test_golden_files_that_claim_to_be_huge(tmp_path: Path) -> None:
    path = write_model(tmp_path) / "golden.inputs.npy"
    with path.open("wb") as file:
        head = {"descr": "|u1", "fortran_order": False, "shape": (10**15, 8, 8, 3)}
        np.lib.format.write_array_header_1_0(file, head)
    assert "not a NumPy array" in refusal(find(tmp_path).golden).cause


def test_golden_files_run_no_code(tmp_path: Path) -> None:
    path = write_model(tmp_path) / "golden.inputs.npy"
    np.save(path, np.array([{"pickled": 1}], dtype=object), allow_pickle=True)
    assert "not a NumPy array" in refusal(find(tmp_path).golden).cause


def test_gates_of_classes_are_read_with_their_digest(tmp_path: Path) -> None:
    folder = write_gated_model(tmp_path)
    gates = find(tmp_path).class_gates()
    assert gates is not None
    assert gates.of(8)["first"].mean.tolist() == [0, 0, 0]
    (folder / "gates.npy").write_bytes(b"\x93NUMPY")
    assert "its manifest says" in refusal(lambda: find(tmp_path).class_gates()).cause
    (folder / "gates.npy").unlink()
    assert "cannot be read" in refusal(lambda: find(tmp_path).class_gates()).cause


@pytest.mark.parametrize(
    "array", [np.zeros((2, 64, 66), np.uint8), np.zeros((2, 64, 67), np.float16)]
)
def test_gates_of_other_blocks_or_type_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    folder = write_gated_model(tmp_path)
    old = hashlib.sha256((folder / "gates.npy").read_bytes()).hexdigest()
    np.save(folder / "gates.npy", array)
    new = hashlib.sha256((folder / "gates.npy").read_bytes()).hexdigest()
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace(old, new))
    error = refusal(lambda: find(tmp_path).class_gates())
    assert error.option == "model_repository"
    assert "is not uint8 [2, 64, 67]" in error.cause


def test_a_model_without_them_has_none(tmp_path: Path) -> None:
    write_model(tmp_path)
    assert find(tmp_path).class_gates() is None
