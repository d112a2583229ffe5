"""A model written down as ONNX Runtime runs it, so that several sessions share its weights."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnxruntime

from app.engines.gently import gently

# Below, a file's page is worth more than the initialiser in it.
_SMALLEST_OUTSIDE_BYTES = "1024"


class CopyFailed(Exception):
    """The copy could not be written."""


@contextmanager
def optimised_copy(model_file: Path, options: onnxruntime.SessionOptions) -> Iterator[Path]:
    """Writes an optimised copy of a model for the length of a block.

    Its weights lie in a file beside it, as the kernels want them. Sessions on the CPU map this file
    instead of keeping copies, so a second session costs little memory; the mappings outlive the
    file. The copy fits this processor and this version of ONNX Runtime only.

    Args:
        model_file: a self-contained ONNX file.
        options: of the session that optimises; are changed.

    Yields:
        The copy. To be loaded with options that went through `as_it_is`.

    Raises:
        CopyFailed: if there is no space for it, or no temporary folder.
    """
    with _temporary_folder() as folder:
        copy = folder / "model.onnx"
        options.optimized_model_filepath = str(copy)
        options.add_session_config_entry(
            "session.optimized_model_external_initializers_file_name", "weights"
        )
        options.add_session_config_entry(
            "session.optimized_model_external_initializers_min_size_in_bytes",
            _SMALLEST_OUTSIDE_BYTES,
        )
        try:
            # Most of a load's work. With one thread the session starts none that would stay.
            gently(lambda: _optimise(model_file, options))
        except Exception as error:
            # ONNX Runtime's exceptions share no base class below Exception.
            raise CopyFailed(" ".join(str(error).split())) from error
        yield copy


def as_it_is(options: onnxruntime.SessionOptions) -> onnxruntime.SessionOptions:
    """Options that load an optimised copy: nothing is left to optimise.

    Args:
        options: are changed.
    """
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


def _optimise(model_file: Path, options: onnxruntime.SessionOptions) -> None:
    onnxruntime.InferenceSession(model_file, options, providers=["CPUExecutionProvider"])


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="senet-", ignore_cleanup_errors=True)
    except OSError as error:
        raise CopyFailed(f"no temporary folder: {error.strerror}; see TMPDIR") from error
    with folder as name:
        yield Path(name)
