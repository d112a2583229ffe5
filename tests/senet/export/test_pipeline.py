from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from app.contract.errors import ConfigurationError
from app.contract.manifest import Manifest
from app.contract.repository import ModelRepository
from app.engines.signature_check import check_signature
from senet.export.order import Order
from senet.export.photos import Photos, unlabelled
from senet.export.pipeline import export
from senet.export.report import Report
from senet.export.runtime import onnx_runner
from senet.sources import SourceModel
from tests.senet.export.conftest import PREPROCESSING, SIDE


def test_the_version_is_what_its_manifest_says(published: tuple[Path, Report]) -> None:
    folder, _ = published
    version = ModelRepository(folder.parent.parent).find("tiny", 1)
    assert [variant.precision for variant in version.manifest.variants] == ["fp32", "fp16", "int8"]
    for variant in version.manifest.variants:
        run = onnx_runner(version.verified_file(variant))
        inputs, expected = version.golden()
        outputs = run(inputs)
        tolerance = version.manifest.golden.tolerance[variant.precision]
        assert np.abs(outputs["logits"] - expected).max() <= tolerance
        assert outputs["embedding"].shape == (len(inputs), 16)
        assert outputs["cam"].shape == (len(inputs), 3, 2, 2)
        assert {array.dtype for array in outputs.values()} == {np.dtype(np.float32)}
    files = {path.name for path in folder.iterdir()}
    assert files == {
        "README.md",
        "manifest.json",
        "report.json",
        "report.md",
        "gates.svg",
        "golden.inputs.npy",
        "golden.logits.npy",
        "model.fp32.onnx",
        "model.fp16.onnx",
        "model.int8.onnx",
    }


def test_the_figures_are_those_of_the_photos(
    published: tuple[Path, Report], source: SourceModel, drawn: Photos
) -> None:
    folder, report = published
    fp32, fp16, int8 = report.variants
    assert fp32.parity.reference == "PyTorch fp32"
    assert fp32.parity.top1_agreement == 1
    assert fp32.parity.max_abs_logit_diff <= 1e-3
    assert fp16.parity.reference == int8.parity.reference == "fp32"
    assert 0 < fp16.parity.max_abs_logit_diff < int8.parity.max_abs_logit_diff
    assert fp32.bytes > fp16.bytes > int8.bytes * 0.5
    assert isinstance(source.network, nn.Module)
    assert fp32.accuracy is not None
    assert fp32.accuracy.images == len(drawn)
    assert [(seen.photos, seen.not_square) for seen in report.shapes] == [(60, 60)] * 3
    assert "60 of 60 photos for int8's ranges are not square." in (folder / "report.md").read_text()
    assert 0.5 < fp32.accuracy.top1 < 1
    assert fp32.accuracy.top5 == 1
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    assert manifest.variants[0].accuracy == fp32.accuracy
    assert manifest.calibration is not None
    assert manifest.calibration.dataset.startswith("drawn colours, 60 photos: ")
    assert fp32.ece == pytest.approx(manifest.calibration.ece_after)


def test_a_card_says_what_the_model_is(published: tuple[Path, Report]) -> None:
    folder, report = published
    card = (folder / "README.md").read_text()
    accuracy = report.variants[0].accuracy
    assert accuracy is not None
    for part in ("one of 3 classes: colour 0", "Apache-2.0", f"top-1 {accuracy.top1:.2%}"):
        assert part in card


def test_maps_are_measured_against_the_logits_they_explain(published: tuple[Path, Report]) -> None:
    folder, report = published
    fp32, fp16, int8 = (variant.map_error for variant in report.variants)
    assert fp32 is not None
    assert fp16 is not None
    assert int8 is not None
    assert fp32 < 1e-3 < int8
    assert fp16 < int8
    assert "Class activation maps: a map's mean" in (folder / "report.md").read_text()


def test_the_report_is_written_for_people_and_programs(published: tuple[Path, Report]) -> None:
    folder, report = published
    assert Report.model_validate_json((folder / "report.json").read_bytes()) == report
    text = (folder / "report.md").read_text()
    for variant in report.variants:
        assert f"| {variant.precision} | " in text
    assert report.machine in text
    assert report.inputs == {"images": f"uint8 [batch, {SIDE}, {SIDE}, 3]"}


def test_the_signature_is_that_of_every_file(published: tuple[Path, Report]) -> None:
    folder, report = published
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    assert manifest.schema_version == 2
    assert manifest.signature.is_complete
    shapes = {spec.name: spec.shape for spec in manifest.signature.outputs}
    assert shapes["logits"] == ("batch", 3)
    assert set(shapes) == {"logits", "embedding", "cam"}
    for variant in manifest.variants:
        session = onnxruntime.InferenceSession(
            folder / variant.file, providers=["CPUExecutionProvider"]
        )
        check_signature(session, manifest.signature, folder / variant.file)
    assert [(gate.block, gate.mean, gate.spread) for gate in manifest.gates] == [
        (block.block, block.mean, block.spread) for block in report.gates.blocks
    ]
    assert manifest.gates


def test_the_files_say_nothing_of_the_machine(published: tuple[Path, Report]) -> None:
    folder, _ = published
    here = str(Path(__file__).parents[3]).encode()
    for path in folder.iterdir():
        content = path.read_bytes()
        assert here not in content, path.name
        assert b"stack_trace" not in content, path.name


class _Whitening(nn.Module):
    """Subtracts the batch's mean: what one photo gets depends on the others."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images - images.mean(0))
        return logits


def test_a_network_whose_answers_depend_on_the_batch_is_refused(order: Order) -> None:
    assert isinstance(order.source.network, nn.Module)
    coupled = replace(order.source, network=_Whitening(order.source.network).eval())
    with pytest.raises(ConfigurationError, match="with its batch-mates"):
        export(replace(order, source=coupled))
    assert not order.target.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precisions": ("fp32", "fp16")}, "--evaluate"),
        ({"precisions": ("int8",)}, "fp32 is missing"),
        ({"name": "../escape"}, "is not a model name"),
        ({"version": 0}, "is not positive"),
        ({"max_accuracy_drop": float("nan")}, "nan is not a number of points"),
        ({"max_accuracy_drop": -1}, "-1 is not a number of points"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused(
    order: Order, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        export(replace(order, **change))  # type: ignore[arg-type]  # checked at run time
    assert not order.repository.exists()


def test_int8_needs_photos_for_its_ranges(order: Order, drawn: Photos) -> None:
    wanting = replace(order, evaluation=drawn, precisions=("fp32", "int8"))
    with pytest.raises(ConfigurationError, match="--calibration-photos"):
        export(wanting)


def test_few_photos_are_too_few_for_parity(order: Order, drawn: Photos) -> None:
    with pytest.raises(ConfigurationError, match="only 6 photos"):
        export(replace(order, photos=drawn.spread(6)))


def test_a_corrupt_photo_is_named(order: Order, drawn: Photos, tmp_path: Path) -> None:
    for file in drawn.files[:7]:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "broken.png").write_bytes(drawn.files[0].read_bytes()[:200])
    with pytest.raises(ConfigurationError, match=r"broken\.png: truncated or corrupt"):
        export(replace(order, photos=unlabelled("--photos", tmp_path)))


def test_pixels_are_normalised_inside_the_graph(
    published: tuple[Path, Report], source: SourceModel
) -> None:
    folder, _ = published
    generator = np.random.default_rng(3)
    images = generator.integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)
    mean = np.array(PREPROCESSING.mean, np.float32)
    std = np.array(PREPROCESSING.std, np.float32)
    normalised = ((images / np.float32(255) - mean) / std).transpose(0, 3, 1, 2)
    assert isinstance(source.network, nn.Module)
    with torch.inference_mode():
        expected = source.network(torch.from_numpy(normalised.astype(np.float32))).numpy()
    actual = onnx_runner(folder / "model.fp32.onnx")(images)["logits"]
    np.testing.assert_allclose(actual, expected, atol=1e-3)
