"""Running PyTorch and ONNX Runtime on the same uint8 batches."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from senet.export.graph import INPUT, OUTPUTS, ServedGraph

Images = NDArray[np.uint8]
Outputs = dict[str, NDArray[np.float32]]
Run = Callable[[Images], Outputs]


def torch_runner(graph: ServedGraph) -> Run:
    """Runs `graph` in PyTorch; gives all three outputs."""

    def run(images: Images) -> Outputs:
        with torch.inference_mode():
            tensors = graph(torch.from_numpy(images))
        return {name: tensor.numpy() for name, tensor in zip(OUTPUTS, tensors, strict=True)}

    return run


def onnx_runner(path: Path, outputs: Sequence[str] = OUTPUTS, *, threads: int = 0) -> Run:
    """Runs the ONNX file at `path` on the CPU, computing only `outputs`.

    Args:
        path: the file.
        outputs: the names of the outputs.
        threads: of one run; 0 lets ONNX Runtime take one per core.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    run_options = onnxruntime.RunOptions()
    run_options.only_execute_path_to_fetches = True

    def run(images: Images) -> Outputs:
        values = session.run(list(outputs), {INPUT: images}, run_options)
        return dict(zip(outputs, values, strict=True))

    return run
