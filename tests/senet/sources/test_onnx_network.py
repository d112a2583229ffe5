"""ONNX files of other exporters are taken, or refused by the name of what they are."""

from pathlib import Path

import onnx
import pytest
from onnx import ModelProto, TensorProto

from app.contract.errors import ConfigurationError
from senet.sources import PreprocessingOptions, SourceOptions, load_source
from senet.sources.network import OnnxNetwork

from .onnx_files import CLASSES, SIDE, classifier, written

HALF = PreprocessingOptions(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("cat\ndog\nmouse\n")
    return path


def test_the_file_says_the_size_and_the_flags_the_rest(tmp_path: Path, labels: Path) -> None:
    file = written(classifier(), tmp_path)
    source = load_source(SourceOptions(onnx=file, labels=labels, preprocessing=HALF))
    assert isinstance(source.network, OnnxNetwork)
    assert source.network.classes == CLASSES
    assert source.reference == "the given ONNX file"
    assert source.preprocessing.crop_height == source.preprocessing.crop_width == SIDE
    assert source.preprocessing.resize_shorter_side == 37
    assert "--resize-shorter-side" in source.notes[0]


def test_mean_and_std_are_not_guessed(tmp_path: Path, labels: Path) -> None:
    file = written(classifier(), tmp_path)
    with pytest.raises(ConfigurationError, match="--mean, --std"):
        load_source(SourceOptions(onnx=file, labels=labels))


def test_a_softmax_is_left_out_and_named(tmp_path: Path, labels: Path) -> None:
    file = written(classifier(last="Softmax"), tmp_path)
    source = load_source(SourceOptions(onnx=file, labels=labels, preprocessing=HALF))
    assert isinstance(source.network, OnnxNetwork)
    assert source.network.output == "cam"
    assert any("Softmax" in note for note in source.notes)


@pytest.mark.parametrize(
    ("model", "cause"),
    [
        (classifier(last="Sigmoid"), "several labels a photo"),
        (classifier(channels=1), "images of one channel"),
        (classifier(channels=4), "images of 4 channels"),
        (classifier(batch=1), "fixed batch of 1"),
        (classifier(kind=TensorProto.UINT8), r"takes uint8 \[0, 3, 32, 32\]"),
        (classifier(shape=("N", SIDE, SIDE, 3)), "channels last"),
        (classifier(shape=("N", 3)), r"takes float \[0, 3\]"),
    ],
)
def test_other_networks_are_refused_by_name(
    model: ModelProto, cause: str, tmp_path: Path, labels: Path
) -> None:
    file = written(model, tmp_path)
    with pytest.raises(ConfigurationError, match=cause) as refused:
        load_source(SourceOptions(onnx=file, labels=labels, preprocessing=HALF))
    assert refused.value.option == "--onnx"
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"PK\x03\x04 and so on"])
def test_files_that_are_no_onnx_are_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "network.onnx"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        load_source(SourceOptions(onnx=file, preprocessing=HALF))
    assert refused.value.option == "--onnx"
    assert "\n" not in str(refused.value)


def test_a_graph_without_an_input_is_refused(tmp_path: Path) -> None:
    model = classifier()
    del model.graph.input[:]
    path = tmp_path / "network.onnx"
    onnx.save(model, path)
    with pytest.raises(ConfigurationError, match="--onnx"):
        load_source(SourceOptions(onnx=path, preprocessing=HALF))


def test_it_is_a_source_of_its_own(tmp_path: Path) -> None:
    file = written(classifier(), tmp_path)
    with pytest.raises(ConfigurationError, match="no source, or more than one"):
        load_source(SourceOptions(onnx=file, checkpoint=file))
    with pytest.raises(ConfigurationError, match="give it as --onnx"):
        load_source(SourceOptions(architecture="se_resnet18", checkpoint=file))
