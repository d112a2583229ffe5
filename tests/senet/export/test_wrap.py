"""An ONNX file of another exporter becomes a served graph that computes the same."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from app.contract.errors import ConfigurationError
from app.contract.manifest import Input, Manifest, Preprocessing
from senet.export import parity, wrap
from senet.export.fp16 import to_fp16
from senet.export.maps import map_errors
from senet.export.onnx_file import signature
from senet.export.order import Order
from senet.export.photos import Photos
from senet.export.pipeline import export
from senet.export.reference import served
from senet.export.runtime import Images, onnx_runner
from senet.sources import onnx_network
from senet.sources.network import OnnxNetwork
from tests.senet.sources.onnx_files import CHANNELS, CLASSES, SIDE, classifier, written

PREPROCESSING = Preprocessing(
    resize_shorter_side=SIDE,
    crop_height=SIDE,
    crop_width=SIDE,
    mean=(0.1, 0.5, 0.9),
    std=(0.2, 0.3, 0.4),
)
SIZE = Input(height=SIDE, width=SIDE)


@pytest.fixture
def images() -> Images:
    shape = (9, SIDE, SIDE, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("last", [None, "Softmax", "LogSoftmax"])
@pytest.mark.parametrize(
    ("head", "outputs"),
    [
        ("Gemm", ["logits", "embedding", "cam"]),
        ("MatMul", ["logits", "embedding", "cam"]),
        ("Conv", ["logits"]),
    ],
)
def test_the_graph_equals_the_file_and_shows_what_it_has(
    head: str, outputs: list[str], last: str | None, tmp_path: Path, images: Images
) -> None:
    file = written(classifier(head=head, last=last), tmp_path)
    network = onnx_network.load(file).network
    assert isinstance(network, OnnxNetwork)
    model = wrap.wrapped(network, PREPROCESSING, SIZE)
    onnx.checker.check_model(model, full_check=True)
    assert [output.name for output in model.graph.output] == outputs
    run = onnx_runner(model.SerializeToString())
    found = parity.verify(wrap.reference_run(network, PREPROCESSING), run, images, "the file")
    assert found.max_abs_logit_diff < 1e-4
    values = run(images)
    declared = signature(model)
    assert {spec.name: spec.sizes for spec in declared.outputs} == {
        name: value.shape[1:] for name, value in values.items()
    }
    if "cam" in outputs:
        assert values["embedding"].shape == (9, CHANNELS)
        assert values["cam"].shape == (9, CLASSES, 8, 8)
        assert map_errors({"fp32": run}, images)["fp32"] < 1e-4
    half = onnx_runner(to_fp16(model).SerializeToString())(images)
    np.testing.assert_allclose(half["logits"], values["logits"], atol=0.05)


def test_old_operators_are_converted(tmp_path: Path, images: Images) -> None:
    file = written(classifier(opset=11), tmp_path)
    network = onnx_network.load(file).network
    assert isinstance(network, OnnxNetwork)
    run = onnx_runner(wrap.wrapped(network, PREPROCESSING, SIZE).SerializeToString())
    original = wrap.reference_run(replace(network, model=onnx.load(file)), PREPROCESSING)
    np.testing.assert_allclose(
        run(images)["logits"], original(images)["logits"], rtol=1e-4, atol=1e-4
    )


def test_parameters_that_an_old_file_lists_as_inputs_are_none_of_ours(
    tmp_path: Path, images: Images
) -> None:
    old = classifier()
    old.ir_version = 3
    for tensor in old.graph.initializer:
        old.graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        )
    network = onnx_network.load(written(old, tmp_path)).network
    assert isinstance(network, OnnxNetwork)
    model = wrap.wrapped(network, PREPROCESSING, SIZE)
    onnx.checker.check_model(model, full_check=True)
    assert signature(model).image.sizes == (SIDE, SIDE, 3)
    run = onnx_runner(model.SerializeToString())
    parity.verify(wrap.reference_run(network, PREPROCESSING), run, images, "the file")


def test_a_graph_that_does_not_run_is_refused(order: Order, tmp_path: Path) -> None:
    network = onnx_network.load(written(classifier(), tmp_path)).network
    source = replace(order.source, network=network, preprocessing=PREPROCESSING)
    with pytest.raises(
        ConfigurationError, match="does not run on two images of 48 x 64"
    ) as refused:
        served(source, Input(height=64, width=48))
    assert "\n" not in str(refused.value)


def test_it_is_published_like_the_rest(order: Order, drawn: Photos, tmp_path: Path) -> None:
    network = onnx_network.load(written(classifier(head="Conv"), tmp_path)).network
    source = replace(order.source, network=network, preprocessing=PREPROCESSING)
    small = replace(
        order, source=source, evaluation=drawn, allow_untrained=True, precisions=("fp32", "fp16")
    )
    report = export(small)
    assert [variant.precision for variant in report.variants] == ["fp32", "fp16"]
    assert report.variants[0].parity.reference == "the given ONNX file"
    manifest = Manifest.model_validate_json((small.target / "manifest.json").read_bytes())
    assert [output.meaning for output in manifest.signature.outputs] == ["logits"]
    assert "none, for no map" in (small.target / "report.md").read_text()
