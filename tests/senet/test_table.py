"""The costs of our networks are those of the paper."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from senet.cost import multiply_adds, parameters
from senet.networks import build, names
from senet.table import PAPER, SIZE


def test_counts_convolutions_and_fully_connected_layers() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=4),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )
    positions = 4 * 6
    expected = positions * 8 * 3 * 9 + positions * 8 * 2 * 9 + 8 * 5
    assert multiply_adds(network, 8, 12) == expected
    assert parameters(network) == (8 * 3 * 9 + 8) + (8 * 2 * 9 + 8) + (8 * 5 + 5)
    assert next(network.parameters()).device.type == "cpu"
    assert network.training


@cache
def cost(name: str) -> tuple[float, float]:
    """Millions of parameters and thousand millions of multiply-adds."""
    with torch.device("meta"):
        network = build(name)
    return parameters(network) / 1e6, multiply_adds(network, SIZE, SIZE) / 1e9


@pytest.mark.parametrize("name", PAPER)
def test_is_within_two_percent_of_the_paper(name: str) -> None:
    paper, (millions, billions) = PAPER[name], cost(name)
    if paper.parameters is not None:
        assert millions == pytest.approx(paper.parameters, rel=0.02)
    assert billions == pytest.approx(paper.multiply_adds, rel=0.02)


def test_the_command_prints_every_network() -> None:
    command = [sys.executable, "-m", "senet.table"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    heading, *lines = printed.stdout.splitlines()
    assert heading.split()[0] == "network"
    assert [line.split()[0] for line in lines] == names()


def rounded(name: str) -> tuple[str, str]:
    millions, billions = cost(name)
    return f"{millions:.2f}", f"{billions:.2f}"


def test_the_document_has_these_figures() -> None:
    page = (Path(__file__).parents[2] / "docs" / "architectures.md").read_text()
    for name, network in {
        "SE-ResNet-18": "resnet18",
        "SE-ResNet-34": "resnet34",
        "SE-ResNet-50": "resnet50",
        "SE-ResNet-101": "resnet101",
        "SE-ResNet-152": "resnet152",
        "SE-ResNeXt-26 (32x4d)": "resnext26_32x4d",
        "SE-ResNeXt-50 (32x4d)": "resnext50_32x4d",
        "SE-ResNeXt-101 (32x4d)": "resnext101_32x4d",
        "SE-BN-Inception": "bn_inception",
    }.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| {name} |"))
        (_, plain), (millions, with_se) = rounded(network), rounded(f"se_{network}")
        cells = [cell.strip() for cell in row.split("|")]
        assert (cells[2], cells[4]) == (millions, f"{plain} / {with_se}")
    millions, with_se = rounded("senet154")
    assert f"| SENet-154 | {millions} | 115.1 | - / {with_se} |" in page
