"""The user's own networks: `package.module:factory` and a file of weights."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from app.contract.errors import ConfigurationError
from senet.sources.loaded import Loaded
from senet.sources.weights import read_weights


def load(reference: str, file: Path) -> Loaded:
    """Calls the factory without arguments and loads the weights into what it gives.

    Args:
        reference: `package.module:factory`, importable from the current folder.
        file: the weights.

    Raises:
        ConfigurationError: if there is no such factory, if it fails or gives no `nn.Module`, or
            if the weights are of another network.
    """
    weights = read_weights(file)
    with _importable(Path.cwd()):
        network = _call(_factory(reference), reference)
    weights = weights.named_as_in(network)
    weights.load_into(network, reference)
    return Loaded(network.eval(), reference, str(weights))


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """A script finds modules beside itself; the user's lie where the user stands."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _factory(reference: str) -> Callable[[], Any]:
    module, _, name = reference.partition(":")
    if not module or not name:
        raise _refusal(f"{reference!r} is not `package.module:factory`", "name both")
    try:
        factory = getattr(importlib.import_module(module), name, None)
    except Exception as error:
        # The user's module may raise anything while it is imported.
        raise _refusal(
            f"{module} cannot be imported ({_in_one_line(error)})",
            "run from the folder that holds it, with all it needs installed",
        ) from error
    if not callable(factory):
        raise _refusal(f"{module} has no function {name!r}", "name a function or class of it")
    called: Callable[[], Any] = factory
    return called


def _call(factory: Callable[[], Any], reference: str) -> nn.Module:
    try:
        network = factory()
    except Exception as error:
        # The user's factory may raise anything.
        raise _refusal(
            f"{reference} failed ({_in_one_line(error)})",
            "give a factory that works without arguments",
        ) from error
    if not isinstance(network, nn.Module):
        raise _refusal(
            f"{reference} gave a {type(network).__name__}", "let it return a torch.nn.Module"
        )
    return network


def _in_one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _refusal(cause: str, remedy: str) -> ConfigurationError:
    return ConfigurationError("--module", cause, remedy)
