import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, helper

from app.contract.errors import ConfigurationError
from app.contract.repository import ModelRepository, ModelVersion
from app.contract.signature import Signature, of_schema_1
from app.engines.tensorrt_builder import Compile, Run, build
from app.engines.tensorrt_cache import (
    ENGINE_FILE,
    TensorRTTarget,
    build_options,
    engine_file,
    find_engine,
)
from app.engines.tensorrt_target import detect, tensorrt_version
from senet.export import photos
from senet.export.photos import Photos
from senet.export.report import Report
from senet.export.runtime import Images, onnx_runner
from tests.senet.export.conftest import PREPROCESSING

TARGET = TensorRTTarget(
    gpu="NVIDIA H100 80GB HBM3",
    compute_capability="9.0",
    tensorrt="10.13.3",
    cuda="13.0",
    onnxruntime="1.31.1",
)
DIGEST = "0123456789abcdef" * 4
NAME = "0123456789abcdef_nvidia-h100-80gb-hbm3_cc9.0_trt10.13.3_cuda13.0_ort1.31.1"


def test_the_directory_names_all_that_the_engine_is_bound_to() -> None:
    assert TARGET.directory_name(DIGEST) == NAME
    path = engine_file(Path("models/name/1"), DIGEST, TARGET)
    assert path == Path("models/name/1/tensorrt") / NAME / ENGINE_FILE


def test_an_engine_is_found_or_refused_with_the_command_that_builds_it(tmp_path: Path) -> None:
    other = tmp_path / "tensorrt" / "of-another-gpu"
    other.mkdir(parents=True)
    with pytest.raises(
        ConfigurationError, match=r"which holds of-another-gpu; build it"
    ) as refused:
        find_engine(tmp_path, DIGEST, TARGET)
    assert "python -m app tensorrt" in refused.value.remedy
    path = engine_file(tmp_path, DIGEST, TARGET)
    path.parent.mkdir()
    path.touch()
    assert find_engine(tmp_path, DIGEST, TARGET) == path


def test_an_engine_in_a_file_of_its_own_is_refused(tmp_path: Path) -> None:
    path = engine_file(tmp_path, DIGEST, TARGET)
    path.parent.mkdir(parents=True)
    node = helper.make_node("EPContext", [], [], embed_mode=0, ep_cache_context="engine.bin")
    path.write_bytes(ModelProto(graph=GraphProto(node=[node])).SerializeToString())
    with pytest.raises(ConfigurationError, match="a compiled network in another file"):
        find_engine(tmp_path, DIGEST, TARGET)


def test_the_profile_takes_every_batch_up_to_the_largest() -> None:
    options = build_options(Path("e.onnx"), of_schema_1(2, 4, 10).image, max_batch_size=16)
    assert options == {
        "device_id": "0",
        "trt_profile_min_shapes": "images:1x2x4x3",
        "trt_profile_opt_shapes": "images:16x2x4x3",
        "trt_profile_max_shapes": "images:16x2x4x3",
        "trt_dump_ep_context_model": "1",
        "trt_ep_context_file_path": "e.onnx",
        "trt_ep_context_embed_mode": "1",
    }


def test_tensorrt_numbers_its_versions() -> None:
    assert tensorrt_version(101303) == "10.13.3"


@pytest.mark.skipif(
    "TensorrtExecutionProvider" in onnxruntime.get_available_providers(),
    reason="this build of ONNX Runtime has TensorRT",
)
def test_a_machine_without_tensorrt_is_told_what_is_missing() -> None:
    with pytest.raises(ConfigurationError) as refused:
        detect()
    assert "has no TensorrtExecutionProvider" in refused.value.cause
    assert "\n" not in str(refused.value)


@pytest.fixture
def version(published: tuple[Path, Report], tmp_path: Path) -> ModelVersion:
    """The published version, linked into a folder of the test's own."""
    folder = tmp_path / "tiny" / "1"
    folder.mkdir(parents=True)
    for path in published[0].iterdir():
        (folder / path.name).symlink_to(path)
    return ModelRepository(tmp_path).find("tiny", 1)


def compile_on_cpu(spoil: float = 0.0) -> Compile:
    """Takes the ONNX file for the engine: what TensorRT would give, up to rounding."""

    def compile_engine(source: Path, options: Mapping[str, str], signature: Signature) -> Run:
        engine = Path(options["trt_ep_context_file_path"])
        engine.write_bytes(source.read_bytes())
        run = onnx_runner(engine, [signature.logits.name], image=signature.image.name)

        def spoiled(images: Images) -> Mapping[str, NDArray[np.float32]]:
            return {name: values + np.float32(spoil) for name, values in run(images).items()}

        return spoiled

    return compile_engine


def _build(
    version: ModelVersion, drawn: Photos, compile_engine: Compile, max_accuracy_drop: float = 0.5
) -> Path:
    return build(
        version,
        photos.sample(drawn, PREPROCESSING),
        TARGET,
        compile_engine,
        max_batch_size=4,
        max_accuracy_drop=max_accuracy_drop,
        force=False,
    )


def test_an_engine_is_kept_with_what_was_measured(version: ModelVersion, drawn: Photos) -> None:
    engine = _build(version, drawn, compile_on_cpu())
    fp16 = version.manifest.variants[1]
    assert find_engine(version.folder, fp16.sha256, TARGET) == engine
    facts = json.loads((engine.parent / "engine.json").read_text())
    assert facts["gpu"] == TARGET.gpu
    assert facts["model_sha256"] == fp16.sha256
    assert facts["max_batch_size"] == 8  # the service's self-test runs the eight golden images
    assert facts["parity"]["top1_agreement"] == 1
    with pytest.raises(ConfigurationError, match="--force"):
        _build(version, drawn, compile_on_cpu())


@pytest.mark.parametrize("spoil", [1.0, float("nan")])
def test_an_engine_that_computes_something_else_is_not_kept(
    version: ModelVersion, drawn: Photos, spoil: float
) -> None:
    with pytest.raises(ConfigurationError, match="on the golden images"):
        _build(version, drawn, compile_on_cpu(spoil))
    assert not list(version.folder.glob("tensorrt/*"))


def test_an_engine_that_changes_classes_is_not_kept(version: ModelVersion, drawn: Photos) -> None:
    with pytest.raises(ConfigurationError, match=r"0\.00 % of the photos another class"):
        _build(version, drawn, compile_on_cpu(), max_accuracy_drop=-1)
    assert not list(version.folder.glob("tensorrt/*"))
