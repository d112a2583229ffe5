"""Weight files: read without running code from them, and loaded strictly."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from app.contract.errors import ConfigurationError
from senet.file_kind import FileKind, kind_of
from senet.safe_load import safe_load
from senet.sources.loaded import described
from senet.sources.safetensors_file import read_safetensors
from senet.sources.weight_names import named_as

# Keys under which training programs wrap the state dict, the best weights first: a moving
# average is what its training evaluated.
_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")
# Wrappers stand in each other; a file may also hold itself.
_MAX_WRAPPERS = 4
# Without effect in evaluation, and absent from files older than PyTorch 0.4.1.
_OPTIONAL = ".num_batches_tracked"
_LISTED = 8


@dataclass(frozen=True)
class Weights:
    """The state dict of a file.

    Attributes:
        file: where it was read.
        wrapper: the keys that it stood under, outermost first, such as `state_dict`; or None.
        state: name -> tensor.
        prefix: what stood before the names of the network, such as `model.`.
    """

    file: Path
    wrapper: str | None
    state: Mapping[str, Tensor]
    prefix: str = ""

    def named_as_in(self, network: nn.Module) -> "Weights":
        """The same weights under the names that `network` has for them.

        Raises:
            ConfigurationError: if the file holds the network more than once.
        """
        names = network.state_dict().keys()
        optional = set(filter(_optional, names))
        prefix, state = named_as(names, optional, self.state)
        return replace(self, state=state, prefix=self.prefix + prefix)

    def load_into(self, network: nn.Module, name: str) -> None:
        """Sets every parameter and buffer of `network`.

        Args:
            network: its names and shapes must be those of the file, no more and no fewer, but
                for what training programs add to names.
            name: what to call the network in a refusal.

        Raises:
            ConfigurationError: listing what is missing, unexpected or of another shape or type.
        """
        state = self.named_as_in(network).state
        expected = network.state_dict()
        common = [key for key in expected if key in state]
        problems = [
            _listing("missing", (k for k in expected if k not in state and not _optional(k))),
            _listing("unexpected", (key for key in state if key not in expected)),
            _listing(
                "of another shape",
                (
                    f"{key} {list(state[key].shape)} not {list(expected[key].shape)}"
                    for key in common
                    if state[key].shape != expected[key].shape
                ),
            ),
            _listing(
                "of another type",
                (
                    f"{key} {state[key].dtype} not {expected[key].dtype}"
                    for key in common
                    if state[key].is_floating_point() != expected[key].is_floating_point()
                    and not _optional(key)
                ),
            ),
        ]
        if any(problems):
            raise _refusal(
                f"{self.file} does not fit {name}: {'; '.join(filter(None, problems))}",
                "give the architecture and number of classes that the file was trained with",
            )
        # Strict but for the counters that may be absent.
        network.load_state_dict(dict(state), strict=False)

    def __str__(self) -> str:
        places = (f"{self.prefix}*" if self.prefix else None, self.wrapper, described(self.file))
        return " of ".join(filter(None, places))


def read_weights(path: Path) -> Weights:
    """Reads a safetensors file, or a file that `torch.save` wrote, onto the CPU.

    Raises:
        ConfigurationError: if the file is missing or damaged, holds code, or holds no state dict
            of plain tensors.
    """
    state: object
    if path.suffix == ".safetensors" or kind_of(path) is FileKind.SAFETENSORS:
        state = read_safetensors(path)
    else:
        state = safe_load(path, "--checkpoint")
    wrappers: list[str] = []
    while isinstance(state, Mapping) and len(wrappers) < _MAX_WRAPPERS:
        wrapper = _wrapper(state)
        if wrapper is None:
            break
        wrappers.append(wrapper)
        state = state[wrapper]
    if not isinstance(state, Mapping) or not state:
        raise _refusal(f"{path} holds no state dict", "save one, bare or under 'state_dict'")
    _check_values(path, state)
    named = {str(key): value for key, value in state.items()}
    return Weights(path, ".".join(wrappers) or None, named)


def _wrapper(content: Mapping[object, object]) -> str | None:
    """The key that the state dict stands under, or None if it stands under none."""
    known = [key for key in _WRAPPERS if isinstance(content.get(key), Mapping)]
    if known:
        # An average is empty where the training made none.
        return next((key for key in known if content[key]), known[0])
    others = [key for key, value in content.items() if isinstance(key, str) and _is_state(value)]
    return others[0] if len(others) == 1 else None


def _is_state(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(tensor, Tensor) for tensor in value.values())
    )


def _check_values(path: Path, state: Mapping[object, object]) -> None:
    quantised = [
        str(key)
        for key, value in state.items()
        if "_packed_params" in str(key) or (isinstance(value, Tensor) and value.is_quantized)
    ]
    if quantised:
        raise _refusal(
            f"{path} holds quantised weights ({_listing('quantised', quantised)})",
            "give the weights before quantisation; --precision int8 quantises them here",
        )
    strangers = [str(key) for key, value in state.items() if not isinstance(value, Tensor)]
    if strangers:
        raise _refusal(
            f"{path} holds other things than tensors in its state dict"
            f" ({_listing('not tensors', strangers)})",
            f"put the state dict under one of {', '.join(_WRAPPERS)}",
        )
    special = [
        str(key) for key, value in state.items() if isinstance(value, Tensor) and not _dense(value)
    ]
    if special:
        raise _refusal(
            f"{path} holds tensors without plain values ({_listing('not dense', special)})",
            "save dense tensors",
        )


def _dense(tensor: Tensor) -> bool:
    return tensor.layout is torch.strided and not tensor.is_nested and not tensor.is_meta


def _optional(name: str) -> bool:
    return name.endswith(_OPTIONAL)


def _listing(what: str, names: Iterable[str]) -> str:
    """`what: a, b and 3 more`, or nothing if there are no names."""
    every = list(names)
    if not every:
        return ""
    more = f" and {len(every) - _LISTED} more" if len(every) > _LISTED else ""
    return f"{len(every)} {what}: {', '.join(every[:_LISTED])}{more}"


def _refusal(cause: str, remedy: str) -> ConfigurationError:
    return ConfigurationError("--checkpoint", cause, remedy)
