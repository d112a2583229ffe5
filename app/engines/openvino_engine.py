"""The OpenVINO engine, on the CPU. Needs the extra `openvino`; imported only when it is used."""

import sys
from collections.abc import Collection, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from app.engines.engine import InferenceEngine, Layout, Output, Provider
from app.engines.freed_memory import return_freed_memory
from app.errors import ConfigurationError

if TYPE_CHECKING:
    from openvino import CompiledModel, InferRequest

_PACKAGE = "openvino"
# What OpenVINO's ONNX reader makes of QuantizeLinear.
_QUANTISED = "FakeQuantize"


def openvino_version() -> str | None:
    """The version that is installed, or None."""
    try:
        return version(_PACKAGE)
    except PackageNotFoundError:
        return None


class OpenVinoEngine:
    """One compiled model, with a stream and an inference request for each slot.

    Args:
        model: compiled for the CPU.
        slots: its streams.
    """

    def __init__(self, model: "CompiledModel", slots: int) -> None:
        self._slots = slots
        self._requests: SimpleQueue[InferRequest] = SimpleQueue()
        for _ in range(slots):
            self._requests.put(model.create_infer_request())

    @property
    def provider(self) -> Provider:
        """See `InferenceEngine`."""
        return "openvino"

    @property
    def slots(self) -> int:
        """See `InferenceEngine`."""
        return self._slots

    def infer(
        self, images: NDArray[np.uint8], outputs: Collection[Output]
    ) -> Mapping[Output, NDArray[np.float32]]:
        """See `InferenceEngine`. Waits while all requests are in use.

        Outputs that are not asked for are computed, which costs SE-ResNet-50 4 %, but not copied.
        """
        request = self._requests.get()
        try:
            request.infer({"images": images}, share_inputs=True)
            # The tensors are the request's own, and its next run overwrites them.
            return {name: request.get_tensor(name).data.copy() for name in outputs}
        finally:
            self._requests.put(request)


def load_openvino(model_file: Path, layout: Layout) -> InferenceEngine:
    """Compiles a self-contained ONNX file for the CPU.

    Args:
        model_file: the file.
        layout: how runs share the cores.

    Raises:
        ConfigurationError: if OpenVINO is not installed (option `provider`), or the file is no
            usable model (option `model_repository`).
    """
    check_installed()
    _keep_from_reporting()
    import openvino

    core = openvino.Core()
    try:
        model = core.read_model(model_file)
        options: dict[str, object] = {
            "NUM_STREAMS": layout.slots,
            "INFERENCE_NUM_THREADS": layout.slots * layout.threads,
            # Decoding shares the cores; a thread bound to one could not leave it.
            "ENABLE_CPU_PINNING": False,
        }
        if not any(node.get_type_name() == _QUANTISED for node in model.get_ops()):
            # By default fp32 is computed in bf16 where the CPU can: logits moved by up to 0.08,
            # which is no longer what was verified. int8's fp32 remainder may be.
            options["INFERENCE_PRECISION_HINT"] = "f32"
        compiled = core.compile_model(model, "CPU", options)
    except RuntimeError as error:
        raise ConfigurationError(
            "model_repository",
            f"OpenVINO cannot load {model_file}: {' '.join(str(error).split())}",
            "export the model again, or set --provider cpu (SENET_PROVIDER)",
        ) from error
    del model
    return_freed_memory()
    return OpenVinoEngine(compiled, layout.slots)


def _keep_from_reporting() -> None:
    """From its import on, OpenVINO 2026.4 reports to its maker (openvino/tools/ovc/__init__.py).

    None makes the import of the package that does it fail, and OpenVINO goes on with a stub.
    """
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    modules.setdefault("openvino_telemetry", None)


def check_installed() -> None:
    """Refuses to go on without OpenVINO.

    Raises:
        ConfigurationError: option `provider`.
    """
    if openvino_version() is None:
        raise ConfigurationError(
            "provider",
            "OpenVINO is not installed",
            "install the openvino extra, or set --provider cpu (SENET_PROVIDER)",
        )
