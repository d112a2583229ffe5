"""A classifier with two more outputs: the embedding and the class activation map."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram, export
from torch.nn import functional

from app.contract.errors import ConfigurationError
from app.contract.signature import NAMES
from senet.pooling import simplify_pooling

_ATEN = torch.ops.aten
# Operator of a fully connected layer -> positions of its input and weight, and whether the
# weight is stored transposed.
_CLASSIFIERS: dict[object, tuple[int, int, bool]] = {
    _ATEN.linear.default: (0, 1, False),
    _ATEN.addmm.default: (1, 2, True),
    _ATEN.mm.default: (0, 1, True),
}
_SIGMOIDS = (_ATEN.sigmoid.default, _ATEN.hardsigmoid.default)
OUTPUTS = (NAMES["logits"], NAMES["embedding"], NAMES["class_activation_map"])
_PROBE_BATCH = 2
_TOLERANCE = 1e-3


class Heads(nn.Module):
    """Gives the logits of a network, the classifier's input and class activation maps.

    The two inner tensors are found in the network's graph by their values on a drawn input, so
    that any network serves whose last layer is fully connected. Class activation maps need more:
    that layer must classify the spatial average of a feature map of several positions. Where
    other layers stand between, no map is exact, and there is none.

    Args:
        network: maps float32 [batch, 3, height, width] to logits [batch, classes]; or such a
            network as an exported program with a dynamic batch.
        height: height in pixels of the images.
        width: width in pixels of the images.

    Raises:
        ConfigurationError: if the network cannot be traced with a dynamic batch, or if its output
            is not a fully connected layer's.

    Attributes:
        outputs: the names of what `forward` returns, in that order.
    """

    map_weight: Tensor | None

    def __init__(self, network: nn.Module | ExportedProgram, height: int, width: int) -> None:
        super().__init__()
        images = torch.randn(
            _PROBE_BATCH, 3, height, width, generator=torch.Generator().manual_seed(0)
        )
        if isinstance(network, ExportedProgram):
            _check_input(network, images)
            program = network
        else:
            program = _trace(network, images)
        body = program.module(check_guards=False)
        values = _values(body, images)
        simplify_pooling(body, values)
        weight = _expose(body, values)
        # A constant of its own: int8 is fast with weights that the file holds as they are used.
        self.register_buffer(
            "map_weight", None if weight is None else weight.detach()[:, :, None, None].clone()
        )
        self.outputs = OUTPUTS if weight is not None else OUTPUTS[:-1]
        # An exported program's module refuses eval(); a plain graph module does not.
        self.body = fx.GraphModule(body, body.graph)
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Classifies normalised images.

        Args:
            images: float32 [batch, 3, height, width].

        Returns:
            logits [batch, classes]; embedding [batch, dim], the classifier's input; and, where
            the network has them, class activation maps [batch, classes, h, w] (Zhou et al. 2016,
            equation 2): the classifier's weights applied to the feature map at every position.
            They leave out the bias, so a map's spatial mean plus the bias is the logit.
        """
        if self.map_weight is None:
            logits, embedding = self.body(images)
            return logits, embedding
        logits, embedding, feature_map = self.body(images)
        return logits, embedding, functional.conv2d(feature_map, self.map_weight)


def _trace(network: nn.Module, images: Tensor) -> ExportedProgram:
    try:
        with _silence():
            return export(
                network.eval(), (images,), dynamic_shapes=({0: Dim("batch", min=1)},), strict=False
            )
    except Exception as error:
        if "data-dependent" in str(error):
            raise ConfigurationError(
                "network",
                "its forward() decides by values that it computes from the images, which a graph"
                " cannot",
                "let it compute every case and choose with torch.where, for each image alone",
            ) from error
        # torch.export raises errors of many types, and what they say is about its insides.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigurationError(
            "network",
            f"cannot be traced with a dynamic batch ({reason})",
            "let its forward() take one tensor [batch, 3, height, width] of any batch size and"
            " treat each image alone",
        ) from error


@contextmanager
def _silence() -> Iterator[None]:
    """Keeps torch.export from printing and logging the graph of a network that it cannot trace."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with redirect_stderr(StringIO()):
            yield
    finally:
        logging.disable(before)


class _Recorder(fx.Interpreter):
    """Runs a graph and keeps the tensor that each node gave."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[fx.Node, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:  # noqa: ANN401 - a node gives any type
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.values[n] = value
        return value


def _check_input(program: ExportedProgram, images: Tensor) -> None:
    """Refuses a program whose input is not any number of such images.

    Sizes that were fixed when the program was exported may stand as constants in its graph.
    """
    names = program.graph_signature.user_inputs
    inputs = [node.meta["val"] for node in program.graph.nodes if node.name in names]
    shapes = [tuple(value.shape) for value in inputs if isinstance(value, Tensor)]
    if len(inputs) == 1 and shapes and _fits(shapes[0], tuple(images.shape)):
        return
    size = ", ".join(map(str, images.shape[1:]))
    described = ", ".join(str(list(shape)) for shape in shapes) or "no tensor"
    raise ConfigurationError(
        "network",
        f"the exported program takes {described}, not [batch, {size}]",
        "export it with a dynamic batch and for the crop size of the preprocessing",
    )


def _fits(shape: tuple[int | torch.SymInt, ...], wanted: tuple[int, ...]) -> bool:
    """Whether the batch is free and every other size is free or as wanted."""
    if len(shape) != len(wanted) or isinstance(shape[0], int):
        return False
    sizes = zip(shape[1:], wanted[1:], strict=True)
    return all(size == other for size, other in sizes if isinstance(size, int))


def _values(body: fx.GraphModule, images: Tensor) -> dict[fx.Node, Tensor]:
    """The tensor of every node, in the order of execution."""
    recorder = _Recorder(body)
    with torch.no_grad():
        recorder.run(images)
    return recorder.values


def _expose(body: fx.GraphModule, values: dict[fx.Node, Tensor]) -> Tensor | None:
    """Makes `body` return logits, embedding and, if there is one, the feature map.

    Returns:
        the classifier's weight, [classes, dim], if it classifies a feature map's average.
    """
    graph = body.graph
    output = graph.output_node()
    classifier = _classifier(output, values)
    position, weight_position, transposed = _CLASSIFIERS[classifier.target]
    operands = classifier.all_input_nodes
    embedding, weight = operands[position], values[operands[weight_position]]
    feature_map = _feature_map(values, values[embedding])
    exposed = (classifier, embedding, *([] if feature_map is None else [feature_map]))
    with graph.inserting_before(output):
        graph.output(exposed)
    graph.erase_node(output)
    # The exported program's own code generator expects the single output it was made for.
    graph.set_codegen(fx.graph.CodeGen())
    if feature_map is None:
        return None
    return weight.t() if transposed else weight


def _classifier(output: fx.Node, values: dict[fx.Node, Tensor]) -> fx.Node:
    """The fully connected layer whose output is the network's."""
    if len(output.all_input_nodes) == 1:
        logits = values[output.all_input_nodes[0]]
        if not logits.isfinite().all():
            raise ConfigurationError(
                "network", "its logits are not finite on a drawn image", "check its weights"
            )
        for node in reversed(values):
            if node.target in _CLASSIFIERS and torch.equal(values[node], logits):
                return node
        if output.all_input_nodes[0].target in _SIGMOIDS:
            raise ConfigurationError(
                "network",
                "its output is a sigmoid's: several labels a photo, while scores here sum to 1",
                "give a network of which each photo has one class",
            )
    raise ConfigurationError(
        "network",
        "its output is not that of one fully connected layer",
        "let forward() return the logits, one tensor [batch, classes], without a softmax",
    )


def _feature_map(values: dict[fx.Node, Tensor], embedding: Tensor) -> fx.Node | None:
    """The last and largest map, of several positions, whose mean is the classifier's input."""
    found: fx.Node | None = None
    tolerance = _TOLERANCE * float(embedding.abs().max())
    for node, value in values.items():
        if value.dim() != 4 or value.shape[:2] != embedding.shape or value[0, 0].numel() == 1:
            continue
        if (value.mean((2, 3)) - embedding).abs().max() > tolerance:
            continue
        if found is None or value[0, 0].numel() >= values[found][0, 0].numel():
            found = node
    return found
