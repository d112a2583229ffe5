"""What is to be served, as an ONNX graph, and the source to compare it with."""

import numpy as np
from onnx import ModelProto

from app.contract.errors import ConfigurationError
from app.contract.manifest import Input
from senet.export import onnx_file, wrap
from senet.export.graph import ServedGraph, torch_runner
from senet.export.runtime import Run, onnx_runner
from senet.heads import Heads
from senet.sources import SourceModel
from senet.sources.network import OnnxNetwork


def served(source: SourceModel, size: Input) -> tuple[ModelProto, Run]:
    """The served graph of a source, and the source's own computation.

    Args:
        source: the network and its preprocessing.
        size: of the graph's input.

    Raises:
        ConfigurationError: if the network cannot be exported.
    """
    if isinstance(source.network, OnnxNetwork):
        return _wrapped(source.network, source, size)
    heads = Heads(source.network, size.height, size.width)
    graph = ServedGraph(heads, source.preprocessing).eval()
    return onnx_file.to_onnx(graph, size), torch_runner(graph)


def _wrapped(network: OnnxNetwork, source: SourceModel, size: Input) -> tuple[ModelProto, Run]:
    images = np.zeros((2, size.height, size.width, 3), dtype=np.uint8)
    try:
        run = wrap.reference_run(network, source.preprocessing)
        run(images)
        model = wrap.wrapped(network, source.preprocessing, size)
        onnx_runner(model.SerializeToString())(images)
    # A graph may fail in ONNX Runtime in any way, and its exceptions share no base class.
    except Exception as error:
        raise ConfigurationError(
            "--onnx",
            f"the graph does not run on two images of {size.width} x {size.height} pixels"
            f" ({' '.join(str(error).split())[:200]})",
            "give the crop size that it was exported for, or export it with a dynamic batch",
        ) from error
    return model, run
