"""One batch size of a session with all its memory set aside: no run allocates or moves anything."""

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from app.contract.signature import Signature
from app.engines.gathering import gather

# The run option of ONNX Runtime that names the CUDA graph to capture and replay.
_GRAPH_OPTION = "gpu_graph_id"
_NO_GRAPH = -1

PrepareHost = Callable[[NDArray[np.uint8]], None]
"""Makes host memory fit for fast copies to the device."""


class BoundBatch:
    """Buffers and binding of one bucket. For one thread at a time.

    A CUDA graph reads and writes the addresses that it was captured with. So the input is copied
    to the same device buffer every time, and every output keeps its own.

    Args:
        session: the session.
        size: images of the bucket.
        signature: of the session's file; sizes that it leaves open are taken from the file.
        device: where the session computes: "cuda" or "cpu".
        graph_id: names the session's CUDA graph of this bucket, from 1; None to use none.
        prepare_host: applied once to the host's side of the input.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        size: int,
        signature: Signature,
        *,
        device: str,
        graph_id: int | None,
        prepare_host: PrepareHost,
    ) -> None:
        self._session = session
        self._size = size
        self._logits_name = signature.logits.name
        self._host = np.zeros((size, *signature.image.sizes), np.uint8)
        prepare_host(self._host)
        self._binding = session.io_binding()
        self._input = _allocate(self._host.shape, np.uint8, device)
        self._binding.bind_ortvalue_input(signature.image.name, self._input)
        # All outputs: the nodes of each are in the graph, whoever asks for it.
        real = {output.name: output.shape for output in session.get_outputs()}
        self._outputs = {
            output.name: _allocate((size, *output.sizes), np.float32, device)
            for output in signature.completed(real).outputs
        }
        for name, value in self._outputs.items():
            self._binding.bind_ortvalue_output(name, value)
        self._graph = _run_options(graph_id) if graph_id is not None else None
        self._eager = _run_options(_NO_GRAPH)

    def capture(self) -> None:
        """Captures the bucket's CUDA graph, and proves that it computes what single kernels do.

        Without a graph it warms the bucket up.

        Raises:
            RuntimeError: if the graph's replay computes something else.
        """
        generator = np.random.default_rng(self._size)
        first, second = generator.integers(0, 256, (2, *self._host.shape), dtype=np.uint8)
        expected = self._logits(list(second), self._eager)
        if self._graph is None:
            return
        # The first run captures; another input shows that the replay reads what is new.
        self._logits(list(first), self._graph)
        replayed = self._logits(list(second), self._graph)
        scale = max(1.0, float(np.abs(expected).max()))
        # Written so that NaN, which compares false, is refused.
        if not float(np.abs(replayed - expected).max()) <= 1e-2 * scale:
            raise RuntimeError(f"the graph of batch size {self._size} replays wrong logits")

    def run(
        self, images: Sequence[NDArray[np.uint8]], outputs: Collection[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        """Runs a batch that fits the bucket.

        What is left of the bucket computes images of earlier batches, and is cut off: images of a
        batch do not influence each other.

        Args:
            images: up to the bucket's size, each uint8 [height, width, 3].
            outputs: what to copy back to the host.

        Returns:
            Arrays of n rows, the caller's own.
        """
        self._execute(images, self._graph or self._eager)
        return {name: self._outputs[name].numpy()[: len(images)].copy() for name in outputs}

    def _logits(
        self, images: Sequence[NDArray[np.uint8]], options: onnxruntime.RunOptions
    ) -> NDArray[np.float32]:
        self._execute(images, options)
        logits: NDArray[np.float32] = self._outputs[self._logits_name].numpy().copy()
        return logits

    def _execute(
        self, images: Sequence[NDArray[np.uint8]], options: onnxruntime.RunOptions
    ) -> None:
        gather(images, self._host[: len(images)])
        self._input.update_inplace(self._host)
        self._session.run_with_iobinding(self._binding, options)


def _allocate(shape: tuple[int, ...], dtype: type, device: str) -> onnxruntime.OrtValue:
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, dtype, device)


def _run_options(graph_id: int) -> onnxruntime.RunOptions:
    options = onnxruntime.RunOptions()
    options.add_run_config_entry(_GRAPH_OPTION, str(graph_id))
    return options
