"""Global average pooling in a traced network, written as what it computes."""

from collections.abc import Mapping

import torch
from torch import Tensor, fx

_ATEN = torch.ops.aten
_SPACE = [-1, -2]


def simplify_pooling(body: fx.GraphModule, values: Mapping[fx.Node, Tensor]) -> None:
    """Turns global average pools into means over space, without what PyTorch adds to them.

    Of maps whose channels lie last in memory PyTorch sets the strides of the average by
    `as_strided`. A graph of operators without memory would compute indices for every number of
    images, and gather by them what it has already.

    Args:
        body: changed in place.
        values: the tensor of each node on an example.
    """
    for node in list(body.graph.nodes):
        if node.target is _ATEN.as_strided.default:
            source = node.all_input_nodes[0]
            if source in values and torch.equal(values[source], values[node]):
                node.replace_all_uses_with(source)
                body.graph.erase_node(node)
        elif node.target is _ATEN.adaptive_avg_pool2d.default and values[node].shape[2:] == (1, 1):
            node.target, node.args = _ATEN.mean.dim, (node.args[0], _SPACE, True)
