"""Engines for ONNX files on every provider."""

import hashlib
import logging
from pathlib import Path
from typing import Literal

import onnxruntime

from app.contract.errors import ConfigurationError
from app.contract.signature import Signature
from app.engines.buckets import batch_buckets, largest_batch
from app.engines.cpu_engine import CpuEngine
from app.engines.cudnn import require_cudnn
from app.engines.engine import Engine, Layout, Provider
from app.engines.freed_memory import return_freed_memory
from app.engines.gently import gently
from app.engines.gpu_engine import GpuPlan, load_gpu
from app.engines.optimised_copy import CopyFailed, as_it_is, optimised_copy
from app.engines.pinned_memory import cuda_pinned_memory
from app.engines.providers import candidates, check_loaded, session_providers
from app.engines.signature_check import check_signature
from app.engines.tensorrt_cache import find_engine
from app.engines.tensorrt_target import detect

logger = logging.getLogger(__name__)

# Of ONNX Runtime's severities.
_FATAL = 4


class OnnxEngines:
    """Loads ONNX files on the providers that the settings allow.

    Args:
        provider: the setting; "auto" allows every provider that is installed, but TensorRT.
        max_batch_size: largest batch that a GPU is prepared for; 0 for what is usual.
        cuda_graphs: whether CUDA may replay graphs; without them each kernel is launched.
    """

    def __init__(
        self,
        provider: Literal["auto"] | Provider,
        *,
        max_batch_size: int = 0,
        cuda_graphs: bool = True,
    ) -> None:
        self._provider = provider
        self._max_batch_size = max_batch_size
        self._cuda_graphs = cuda_graphs

    @property
    def runtime(self) -> str:
        """See `Engines`."""
        return f"onnxruntime {onnxruntime.__version__}"

    def providers(self) -> list[Provider]:
        """See `Engines`."""
        return candidates(self._provider, onnxruntime.get_available_providers())

    def load(
        self, model_file: Path, provider: Provider, layout: Layout, signature: Signature
    ) -> Engine:
        """See `Engines`."""
        if provider != "cpu":
            return self._load_gpu(model_file, provider, layout, signature)
        return _load_cpu(model_file, layout, signature)

    def _load_gpu(
        self, model_file: Path, provider: Provider, layout: Layout, signature: Signature
    ) -> Engine:
        # The gpu extra's CUDA libraries lie among the Python packages, where the loader does not
        # look.
        onnxruntime.preload_dlls()
        if provider == "cuda":
            require_cudnn()
        # For every convolution that cuDNN's newer interface does not take it writes an error to
        # standard error, and then takes the older one. What is really wrong is raised.
        onnxruntime.set_default_logger_severity(_FATAL)
        if provider == "tensorrt":
            with model_file.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            model_file = find_engine(model_file.parent, digest, detect())
        plan = GpuPlan(
            provider=provider,
            device="cuda",
            buckets=tuple(batch_buckets(largest_batch(self._max_batch_size, provider))),
            slots=layout.slots,
            graphs=self._cuda_graphs and provider == "cuda",
            signature=signature,
            prepare_host=cuda_pinned_memory().pin,
        )

        def open_session(graphs: bool) -> onnxruntime.InferenceSession:
            options = _options(layout.threads)
            return _open(model_file, provider, options, signature, cuda_graphs=graphs)

        try:
            return load_gpu(open_session, plan)
        except ConfigurationError:
            raise
        except Exception as error:
            # ONNX Runtime's exceptions share no base class below Exception.
            raise ConfigurationError(
                "model_repository",
                f"{model_file} does not run on {provider}: {' '.join(str(error).split())}",
                "free memory of the GPU, lower --max-batch-size (SENET_MAX_BATCH_SIZE), or export"
                " the model again",
            ) from error


def _load_cpu(model_file: Path, layout: Layout, signature: Signature) -> CpuEngine:
    image, slots = signature.image.name, layout.slots
    if layout.lone_threads:
        try:
            with optimised_copy(model_file, _options(1)) as copy:
                return_freed_memory()
                shared = _open_shared(copy, layout, signature)
                lone = as_it_is(_options(layout.lone_threads, is_alone=True))
                return CpuEngine(shared, image, slots, _open(copy, "cpu", lone, signature))
        except (CopyFailed, ConfigurationError) as error:
            # A model that cannot be loaded at all says so below.
            logger.warning("a lone image will run like any other: %s", error)
    return CpuEngine(_open(model_file, "cpu", _options(layout.threads), signature), image, slots)


def _open_shared(copy: Path, layout: Layout, signature: Signature) -> onnxruntime.InferenceSession:
    def load() -> onnxruntime.InferenceSession:
        return _open(copy, "cpu", as_it_is(_options(layout.threads)), signature)

    return load() if layout.threads > 1 else gently(load)


def _options(threads: int, *, is_alone: bool = False) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A thread that spins while it waits for its part of the next run takes the core that
    # decoding needs (docs/performance.md). A run that has the cores to itself is sooner with it,
    # and stops it at its end.
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(is_alone)))
    options.add_session_config_entry("session.force_spinning_stop", str(int(is_alone)))
    # A memory pattern keeps a block of all activations for every batch size ever met: 94 MiB
    # more for SE-ResNet-50 under load, at no gain in speed (docs/performance.md).
    options.enable_mem_pattern = False
    # What was checked was read as ONNX. By its name or content a file could be taken for ONNX
    # Runtime's own format, which is another.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.log_severity_level = 3
    return options


def _open(
    model_file: Path,
    provider: Provider,
    options: onnxruntime.SessionOptions,
    signature: Signature,
    *,
    cuda_graphs: bool = False,
) -> onnxruntime.InferenceSession:
    try:
        session = onnxruntime.InferenceSession(
            model_file, options, providers=session_providers(provider, cuda_graphs=cuda_graphs)
        )
    except Exception as error:
        # ONNX Runtime's exceptions share no base class below Exception.
        raise ConfigurationError(
            "model_repository",
            f"ONNX Runtime cannot load {model_file}: {' '.join(str(error).split())}",
            "export the model again",
        ) from error
    check_loaded(provider, session.get_providers())
    check_signature(session, signature, model_file)
    return_freed_memory()
    return session
