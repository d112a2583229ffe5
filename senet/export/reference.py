"""What is to be served, as an ONNX graph, and the source to compare it with."""

from onnx import ModelProto

from app.contract.manifest import Input
from senet.export import onnx_file, wrap
from senet.export.graph import ServedGraph, torch_runner
from senet.export.runtime import Run
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
        run = wrap.reference_run(source.network, source.preprocessing)
        return wrap.wrapped(source.network, source.preprocessing, size), run
    heads = Heads(source.network, size.height, size.width)
    graph = ServedGraph(heads, source.preprocessing).eval()
    return onnx_file.to_onnx(graph, size), torch_runner(graph)
