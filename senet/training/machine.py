"""Which of this machine's means a training computes with."""

import torch
from torch import nn

from app.contract.errors import ConfigurationError
from senet.training.card import Card
from senet.training.compute import Compute, Shards
from senet.training.options import TrainingOptions
from senet.training.replicas import Replicas


def device(options: TrainingOptions) -> torch.device:
    """Where the network lies.

    Raises:
        ConfigurationError: if it is a card, and PyTorch finds none.
    """
    if options.device == "cuda" and not torch.cuda.is_available():
        built = f"is built for CUDA {torch.version.cuda}" if torch.version.cuda else "has no CUDA"
        raise ConfigurationError(
            "--device",
            f"cuda, but PyTorch finds no NVIDIA card (torch {torch.__version__} {built})",
            "give cpu, or install a driver and torch's build for CUDA",
        )
    return torch.device(options.device)


def compute(network: nn.Module, options: TrainingOptions, shards: Shards) -> Compute:
    """What computes the steps of a network that lies where `device` says.

    Args:
        network: the network to train.
        options: the training's.
        shards: prepares the photos.
    """
    if options.device == "cuda":
        is_ampere = torch.cuda.is_bf16_supported(including_emulation=False)
        mixed = torch.bfloat16 if is_ampere else torch.float16
        return Card(network, options.threads, shards, torch.device("cuda"), mixed)
    return Replicas(network, options.threads, shards, torch.bfloat16 if options.bf16 else None)


def default_device() -> str:
    """A card if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def default_threads(cores: int, batch_size: int) -> int:
    """As many as there are cores, if a batch can be shared out evenly with two photos for each."""
    return next(n for n in range(min(cores, max(1, batch_size // 2)), 0, -1) if batch_size % n == 0)
