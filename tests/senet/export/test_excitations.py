"""Files that give the gates of their SE blocks, by an export or added to a published version."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from app.contract.errors import ConfigurationError
from app.contract.manifest import Manifest
from app.contract.repository import ModelRepository, ModelVersion
from scripts import add_excitations as command
from senet.export import class_gates, photos
from senet.export.add_excitations import add_excitations
from senet.export.excitation import observe
from senet.export.excitation_outputs import with_excitations
from senet.export.order import Order
from senet.export.photos import Photos
from senet.export.pipeline import export
from senet.export.report import Report
from senet.export.runtime import onnx_runner
from tests.senet.export.conftest import PREPROCESSING
from tests.support.repository import in_schema_1, write_model

CHANNELS = {"layer1.0": 8, "layer2.0": 8, "layer3.0": 16, "layer4.0": 16}
NAMES = [f"excitation.{block}" for block in CHANNELS]


@pytest.fixture
def version(published: tuple[Path, Report], tmp_path: Path) -> ModelVersion:
    """A copy of the published version, whose files do not give their gates."""
    shutil.copytree(published[0], tmp_path / "models" / "tiny" / "1")
    return ModelRepository(tmp_path / "models").find("tiny", 1)


@pytest.fixture(scope="module")
def images(drawn: Photos) -> np.ndarray:
    return photos.sample(drawn, PREPROCESSING)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_graph_gives_its_gates_and_the_same_answers(
    published: tuple[Path, Report], images: np.ndarray, precision: str
) -> None:
    model = onnx.load(published[0] / f"model.{precision}.onnx")
    before = onnx_runner(model.SerializeToString())(images)
    after = onnx_runner(with_excitations(model).SerializeToString())(images)
    for name, values in before.items():
        assert np.array_equal(values, after[name]), name
    assert list(after)[-4:] == NAMES
    for name, channels in zip(NAMES, CHANNELS.values(), strict=True):
        assert after[name].shape == (len(images), channels)
        assert after[name].dtype == np.float32
        assert 0 < after[name].min() < after[name].max() < 1


def test_they_are_the_gates_of_the_network(
    published: tuple[Path, Report], images: np.ndarray, drawn: Photos
) -> None:
    model = onnx.load(published[0] / "model.fp32.onnx")
    blocks, _ = observe(model, drawn, PREPROCESSING)
    (pixels,) = photos.read(drawn, PREPROCESSING, batch_size=len(drawn))
    given = onnx_runner(with_excitations(model).SerializeToString(), NAMES)(pixels)
    for name, block in zip(NAMES, blocks, strict=True):
        assert np.allclose(given[name], block.values, atol=1e-6)


def test_blocks_without_a_usable_name_are_numbered(published: tuple[Path, Report]) -> None:
    model = onnx.load(published[0] / "model.fp32.onnx")
    content = model.SerializeToString()
    # Of the same length, for that is how the bytes of a message stay one.
    content = content.replace(b"layer2.0.se_module", b"layer 2\n.se_module")
    content = content.replace(b"layer3.0.se_module", b"layer1.0.another__")
    model = onnx.load_from_string(content)
    names = [output.name for output in with_excitations(model).graph.output][-4:]
    assert names == [
        "excitation.layer1.0", "excitation.gate-2", "excitation.gate-3", "excitation.layer4.0",
    ]  # fmt: skip


def test_a_graph_without_gates_is_refused(published: tuple[Path, Report]) -> None:
    model = onnx.load(published[0] / "model.fp32.onnx")
    given = with_excitations(model)
    with pytest.raises(ConfigurationError, match="already"):
        with_excitations(given)
    for node in model.graph.node:
        if node.op_type == "Sigmoid":
            node.op_type = "Relu"
    with pytest.raises(ConfigurationError, match="no gates"):
        with_excitations(model)


def test_an_export_keeps_them_and_what_is_usual_for_a_class(order: Order, drawn: Photos) -> None:
    report = export(replace(order, evaluation=drawn, evaluation_name="drawn", excitations=True))
    version = ModelRepository(order.repository).find("tiny", 1)
    specs = version.manifest.signature.find_all("excitation")
    assert {spec.block: spec.sizes for spec in specs} == {
        block: (channels,) for block, channels in CHANNELS.items()
    }
    assert version.manifest.excitations is not None
    assert version.manifest.excitations.photos == (20, 20, 20)
    assert version.manifest.excitations.dataset == "drawn"
    kept = version.class_gates()
    assert kept is not None
    of_one = kept.of(1)["layer2.0"].mean.mean()
    assert of_one == pytest.approx(report.gates.blocks[1].classes["c1"].mean, abs=0.002)
    assert "excitation.layer1.0" in report.outputs
    assert "![Gates of each block](gates.svg)" in (order.target / "report.md").read_text()
    assert "layer1.0: mean" in (order.target / "gates.svg").read_text()


def test_photos_without_classes_tell_nothing_of_classes(
    published: tuple[Path, Report], drawn: Photos, tmp_path: Path
) -> None:
    model = onnx.load(published[0] / "model.fp32.onnx")
    unlabelled = photos.unlabelled("--photos", drawn.directory).spread(2)
    blocks, _ = observe(model, unlabelled, PREPROCESSING)
    assert class_gates.write(tmp_path, blocks, unlabelled, 3, "drawn") is None
    assert not list(tmp_path.iterdir())


def test_a_published_version_gets_them(version: ModelVersion, drawn: Photos) -> None:
    (version.folder / "tensorrt").mkdir()
    (version.folder / "notes.txt").write_text("mine")
    add_excitations(version, drawn, "drawn")
    after = ModelRepository(version.folder.parent.parent).find("tiny", 1)
    inputs, _ = after.golden()
    for old, new in zip(version.manifest.variants, after.manifest.variants, strict=True):
        assert new.model_copy(update={"sha256": old.sha256}) == old
        assert list(onnx_runner(after.verified_file(new))(inputs))[-4:] == NAMES
    same = {"signature", "variants", "excitations"}
    before = version.manifest
    assert after.manifest.model_dump(exclude=same) == before.model_dump(exclude=same)
    assert after.class_gates() is not None
    assert (version.folder / "notes.txt").read_text() == "mine"
    assert not (version.folder / "tensorrt").exists()
    report = Report.model_validate_json((version.folder / "report.json").read_bytes())
    assert list(report.outputs)[-4:] == NAMES
    for entry in report.variants:
        assert entry.bytes == (version.folder / entry.file).stat().st_size
        assert entry.operators["Flatten"] == 4
    assert "excitation.layer4.0" in (version.folder / "report.md").read_text()


def test_a_report_of_another_form_is_left_alone(version: ModelVersion, drawn: Photos) -> None:
    (version.folder / "report.json").write_text("{}")
    text = (version.folder / "report.md").read_text()
    add_excitations(version, drawn, "drawn")
    assert (version.folder / "report.json").read_text() == "{}"
    assert (version.folder / "report.md").read_text() == text


def test_the_command_changes_a_version_once(
    version: ModelVersion, photo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = version.folder.parent.parent
    words = ["--name=tiny", f"--repository={repository}", f"--photos={photo_folder}"]
    assert command.main(words) == 0
    before = (version.folder / "manifest.json").read_bytes()
    assert command.main(words) == 2
    assert "gives its excitations already" in capsys.readouterr().err
    assert (version.folder / "manifest.json").read_bytes() == before
    manifest = Manifest.model_validate_json(before)
    assert manifest.excitations is not None
    assert manifest.excitations.dataset == "photos0"
    assert {path.name for path in version.folder.parent.iterdir()} == {"1"}


def test_a_version_of_schema_1_is_refused(tmp_path: Path, drawn: Photos) -> None:
    write_model(tmp_path, change=in_schema_1)
    with pytest.raises(ConfigurationError, match="schema 1"):
        add_excitations(ModelRepository(tmp_path).find("colours", 1), drawn, "drawn")


def test_a_network_without_gates_stays_as_it_is(tmp_path: Path, drawn: Photos) -> None:
    folder = write_model(tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ConfigurationError, match="no gates"):
        add_excitations(ModelRepository(tmp_path).find("colours", 1), drawn, "drawn")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
