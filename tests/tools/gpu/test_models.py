"""Networks to be timed on a card: packed they are small, and they are whole."""

import zlib

import torch

from senet.se import SqueezeExcitation
from tools.gpu.models import repeating_network


def test_they_pack_to_a_fraction_of_their_size() -> None:
    large = [
        weights.detach().numpy().tobytes()
        for weights in repeating_network("se_resnet18").parameters()
        if weights.numel() > 100_000
    ]
    assert sum(len(zlib.compress(data, 1)) for data in large) < 0.1 * sum(map(len, large))


def test_filters_differ_and_so_do_the_gates_of_images() -> None:
    network = repeating_network("se_resnet18").eval()
    [first, second, *_] = network.get_parameter("layer4.1.conv2.weight").detach()
    assert not torch.equal(first, second)
    gates: list[torch.Tensor] = []
    for module in network.modules():
        if isinstance(module, SqueezeExcitation):
            module.sigmoid.register_forward_hook(lambda _, __, result: gates.append(result))
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        network(torch.randn(4, 3, 64, 64, generator=generator))
    assert gates
    for found in gates:
        assert float(found.std(0).mean()) > 1e-3
