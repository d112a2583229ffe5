"""TensorRT engines on disk: where they lie, how they are built, how they are loaded.

An engine runs on the very GPU model, TensorRT, CUDA and ONNX Runtime versions that it was built
with. All of them, and the digest of the ONNX file, stand in the name of its directory, so that a
service finds the engine for its machine or none. The engine is kept as ONNX Runtime's EP context:
an ONNX file whose one node holds the compiled network.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from app.contract.errors import ConfigurationError
from app.contract.self_contained import check_self_contained
from app.contract.signature import TensorSpec

ENGINE_FILE = "model.ctx.onnx"
# Nothing about profiles or precision: an EP context holds them, and is never rebuilt.
SERVING_OPTIONS: Mapping[str, str] = MappingProxyType({"device_id": "0"})
_FOLDER = "tensorrt"
_DIGEST_DIGITS = 16


@dataclass(frozen=True)
class TensorRTTarget:
    """What an engine is bound to.

    Attributes:
        gpu: the GPU's name, such as "NVIDIA H100 80GB HBM3".
        compute_capability: such as "9.0".
        tensorrt: TensorRT's version, such as "10.13.3".
        cuda: version of the CUDA runtime, such as "13.0".
        onnxruntime: ONNX Runtime's version, such as "1.31.1".
    """

    gpu: str
    compute_capability: str
    tensorrt: str
    cuda: str
    onnxruntime: str

    def directory_name(self, sha256: str) -> str:
        """The name of the engine's directory.

        Args:
            sha256: hex digest of the ONNX file that the engine is built from.
        """
        parts = (
            sha256[:_DIGEST_DIGITS],
            re.sub(r"[^a-z0-9]+", "-", self.gpu.lower()).strip("-"),
            f"cc{self.compute_capability}",
            f"trt{self.tensorrt}",
            f"cuda{self.cuda}",
            f"ort{self.onnxruntime}",
        )
        return "_".join(parts)


def engine_file(version_directory: Path, sha256: str, target: TensorRTTarget) -> Path:
    """Where the engine lies, or would.

    Args:
        version_directory: `<repository>/<name>/<version>`.
        sha256: hex digest of the ONNX file that the engine is built from.
        target: the machine.
    """
    return version_directory / _FOLDER / target.directory_name(sha256) / ENGINE_FILE


def find_engine(version_directory: Path, sha256: str, target: TensorRTTarget) -> Path:
    """The engine that was built for this machine; see `engine_file`.

    Raises:
        ConfigurationError: if there is none, or it points to another file. A service never builds
            one: that takes minutes.
    """
    path = engine_file(version_directory, sha256, target)
    if not path.is_file():
        built = sorted(other.name for other in (version_directory / _FOLDER).glob("*"))
        raise ConfigurationError(
            "provider",
            f"no TensorRT engine {path.parent.name} in {version_directory / _FOLDER}, which holds"
            f" {', '.join(built) or 'none'}",
            "build it on this machine with `python -m app tensorrt`, or set"
            " --provider cuda (SENET_PROVIDER)",
        )
    check_self_contained(path.read_bytes(), path)
    return path


def build_options(path: Path, image: TensorSpec, *, max_batch_size: int) -> dict[str, str]:
    """Options of ONNX Runtime's TensorRT provider that build an engine and write it to `path`.

    One explicit profile takes every batch from 1 to the largest; TensorRT chooses its kernels for
    the largest, which is what a loaded service sends. Precision is typed into the ONNX file.

    Args:
        path: the EP context file to write.
        image: the network's input.
        max_batch_size: largest batch that the engine takes.
    """

    def shape(batch: int) -> str:
        return f"{image.name}:{'x'.join(map(str, (batch, *image.sizes)))}"

    return {
        **SERVING_OPTIONS,
        "trt_profile_min_shapes": shape(1),
        "trt_profile_opt_shapes": shape(max_batch_size),
        "trt_profile_max_shapes": shape(max_batch_size),
        "trt_dump_ep_context_model": "1",
        "trt_ep_context_file_path": str(path),
        # 1 puts the engine into the file itself, so that one file is all there is to move.
        "trt_ep_context_embed_mode": "1",
    }
