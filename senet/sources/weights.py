"""Weight files: read without running code from them, and loaded strictly."""

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from app.contract.errors import ConfigurationError
from senet.safe_load import safe_load
from senet.sources.loaded import described

# Keys under which training programs wrap the state dict, the best weights first: a moving
# average is what its training evaluated.
_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
# Prefixes that DataParallel, DistributedDataParallel and torch.compile put before every key.
_PREFIXES = ("module.", "_orig_mod.")
# Without effect in evaluation, and absent from files older than PyTorch 0.4.1.
_OPTIONAL = ".num_batches_tracked"
_LISTED = 8


@dataclass(frozen=True)
class Weights:
    """The state dict of a file.

    Attributes:
        file: where it was read.
        wrapper: the key that it stood under, or None.
        state: name -> tensor.
    """

    file: Path
    wrapper: str | None
    state: Mapping[str, Tensor]

    def load_into(self, network: nn.Module, name: str) -> None:
        """Sets every parameter and buffer of `network`.

        Args:
            network: its names and shapes must be those of the file, no more and no fewer.
            name: what to call the network in a refusal.

        Raises:
            ConfigurationError: listing what is missing, unexpected or of another shape.
        """
        expected = network.state_dict()
        absent = expected.keys() - self.state.keys()
        differing = [
            f"{key} {list(self.state[key].shape)} not {list(expected[key].shape)}"
            for key in expected
            if key not in absent and self.state[key].shape != expected[key].shape
        ]
        missing = [key for key in expected if key in absent and not key.endswith(_OPTIONAL)]
        unexpected = [key for key in self.state if key not in expected]
        problems = [
            _listing("missing", missing),
            _listing("unexpected", unexpected),
            _listing("of another shape", differing),
        ]
        if any(problems):
            raise _refusal(
                f"{self.file} does not fit {name}: {'; '.join(filter(None, problems))}",
                "give the architecture and number of classes that the file was trained with",
            )
        # Strict but for the counters that may be absent.
        network.load_state_dict(dict(self.state), strict=False)

    def __str__(self) -> str:
        return (f"{self.wrapper} of " if self.wrapper else "") + described(self.file)


def read_weights(path: Path) -> Weights:
    """Reads a `.safetensors` file, or a file that `torch.save` wrote, onto the CPU.

    Raises:
        ConfigurationError: if the file is missing or damaged, holds code, or holds no state dict.
    """
    state: object
    if path.suffix == ".safetensors":
        state = _read_safetensors(path)
    else:
        state = safe_load(path, "--checkpoint")
    wrapper = None
    if isinstance(state, Mapping):
        wrapper = next((key for key in _WRAPPERS if isinstance(state.get(key), Mapping)), None)
        state = state if wrapper is None else state[wrapper]
    if not isinstance(state, Mapping) or not state:
        raise _refusal(f"{path} holds no state dict", f"save one, bare or under {_WRAPPERS[2]!r}")
    strangers = [str(key) for key, value in state.items() if not isinstance(value, Tensor)]
    if strangers:
        raise _refusal(
            f"{path} holds other things than tensors in its state dict"
            f" ({_listing('not tensors', strangers)})",
            f"put the state dict under one of {', '.join(_WRAPPERS)}",
        )
    return Weights(path, wrapper, _without_prefixes(state))


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        # Imported here because no other kind of file needs it.
        safetensors = importlib.import_module("safetensors.torch")
    except ImportError as error:
        raise _refusal(
            f"{path} needs the package safetensors", "pip install safetensors"
        ) from error
    try:
        tensors: dict[str, Tensor] = safetensors.load_file(path)
    except Exception as error:
        # Its own error type lives in another module, and a missing file raises OSError.
        raise _refusal(
            f"{path} is missing, truncated or no safetensors file", "give an undamaged file"
        ) from error
    return tensors


def _without_prefixes(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    keys = [str(key) for key in state]
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in keys):
            keys = [key.removeprefix(prefix) for key in keys]
    return dict(zip(keys, state.values(), strict=True))


def _listing(what: str, names: Iterable[str]) -> str:
    """`what: a, b and 3 more`, or nothing if there are no names."""
    every = list(names)
    if not every:
        return ""
    more = f" and {len(every) - _LISTED} more" if len(every) > _LISTED else ""
    return f"{len(every)} {what}: {', '.join(every[:_LISTED])}{more}"


def _refusal(cause: str, remedy: str) -> ConfigurationError:
    return ConfigurationError("--checkpoint", cause, remedy)
