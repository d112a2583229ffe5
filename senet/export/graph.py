"""The module that is exported: uint8 images in, normalisation inside, the heads' outputs."""

import torch
from torch import Tensor, nn

from app.contract.manifest import Preprocessing
from senet.export.runtime import Images, Outputs, Run
from senet.heads import OUTPUTS


class ServedGraph(nn.Module):
    """Wraps a network's heads so that a graph of it takes pixels as they are decoded.

    Args:
        heads: as `senet.heads.Heads`: maps normalised float32 [batch, 3, height, width] to logits
            [batch, classes], embedding [batch, dim] and, if its `outputs` name it, cam [batch,
            classes, h, w].
        preprocessing: gives `mean` and `std`, in units of 0..1.

    Attributes:
        outputs: the names of what it returns, in that order.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, heads: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.heads = heads
        self.outputs: tuple[str, ...] = getattr(heads, "outputs", OUTPUTS)
        mean, std = torch.tensor(preprocessing.mean), torch.tensor(preprocessing.std)
        # (pixel / 255 - mean) / std, as one multiplication and one addition.
        width = preprocessing.crop_width
        self.register_buffer("scale", _over_a_row(1 / (255 * std), width))
        self.register_buffer("shift", _over_a_row(-mean / std, width))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """uint8 [batch, height, width, 3] RGB -> the heads' outputs, all float32."""
        # The cast comes first: TensorRT takes uint8 at a network's input and nowhere else.
        normalised = images.float().permute(0, 3, 1, 2) * self.scale + self.shift
        outputs: tuple[Tensor, ...] = self.heads(normalised)
        return outputs


def _over_a_row(channels: Tensor, width: int) -> Tensor:
    """[channels] -> [1, channels, 1, width].

    ONNX Runtime moves an int8 graph's transposition behind the normalisation. There it would work
    three values at a time if constants had only channels, which costs the default model a fifth
    of its time; with these it works a whole row at a time (docs/export.md).
    """
    return channels.view(1, -1, 1, 1).repeat(1, 1, 1, width)


def torch_runner(graph: ServedGraph) -> Run:
    """Runs `graph` in PyTorch; gives all its outputs."""

    def run(images: Images) -> Outputs:
        with torch.inference_mode():
            tensors = graph(torch.from_numpy(images))
        return {name: tensor.numpy() for name, tensor in zip(graph.outputs, tensors, strict=True)}

    return run
