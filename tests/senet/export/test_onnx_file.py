import pytest
from onnx import TensorProto, helper
from torch import Tensor, nn

from app.contract.errors import ConfigurationError
from app.contract.manifest import Input
from senet.export.graph import ServedGraph
from senet.export.onnx_file import signature, to_onnx
from tests.senet.export.conftest import PREPROCESSING, SIDE


class _PairsOnly(nn.Module):
    """Heads that take two images and no other number."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        embedding = images.reshape(2, 3 * SIDE * SIDE)
        return embedding[:, :3], embedding, images


def test_a_network_with_a_fixed_batch_is_refused_in_one_line() -> None:
    graph = ServedGraph(_PairsOnly(), PREPROCESSING).eval()
    with pytest.raises(ConfigurationError, match="exported with a dynamic batch") as refused:
        to_onnx(graph, Input(height=SIDE, width=SIDE))
    assert "\n" not in str(refused.value)


def test_a_graph_with_another_open_size_is_refused() -> None:
    graph = helper.make_graph(
        [],
        "open",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", SIDE, "width", 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
    )
    with pytest.raises(ConfigurationError, match="the size of its images is open"):
        signature(helper.make_model(graph))


class _Doubles(nn.Module):
    """Heads that compute in float64."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = images.double().mean((2, 3))
        return logits, logits + 1, images


def test_outputs_of_another_type_are_refused() -> None:
    graph = ServedGraph(_Doubles(), PREPROCESSING).eval()
    with pytest.raises(ConfigurationError, match="not float32 logits, embedding, cam but"):
        to_onnx(graph, Input(height=SIDE, width=SIDE))
