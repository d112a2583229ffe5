"""The names of a file's tensors, without what training programs put before and into them."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from torch import Tensor

from app.contract.errors import ConfigurationError

# Parts that DataParallel, DistributedDataParallel, torch.compile, FSDP and activation checkpoints
# add, in any order and at any depth: they may wrap a network or a layer of it.
_WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})
# Counts the networks in torch.optim.swa_utils.AveragedModel.
_BOOKKEEPING = "n_averaged"


def named_as(
    expected: Collection[str], optional: Collection[str], state: Mapping[str, Tensor]
) -> tuple[str, dict[str, Tensor]]:
    """Gives a file's tensors the names of a network's.

    A network that is an attribute of what was trained (`model.` or `net.` in Lightning) has the
    attribute's name before each key. Tensors beside it, such as a loss's weights, are left out.
    Names that fit nowhere stay as they are.

    Args:
        expected: the names in the network.
        optional: those of them that may be absent.
        state: the file's tensors by name.

    Returns:
        the prefix that was taken off, and the tensors by their names in the network.

    Raises:
        ConfigurationError: if the network stands in the file more than once.
    """
    names, keys = _unwrapped(expected), _unwrapped(state)
    absent = set(optional)
    required = {plain for plain, name in names.items() if name not in absent}
    depth = max((name.count(".") for name in names), default=0)
    found = Counter(
        prefix for key in keys for prefix, name in _splits(key, depth) if name in required
    )
    whole = [prefix for prefix, count in found.items() if count == len(required)]
    if len(whole) > 1 and "" not in whole:
        raise ConfigurationError(
            "--checkpoint",
            f"the file holds this network more than once, under {', '.join(sorted(whole)[:8])}",
            "save the state dict of the one to be served",
        )
    if not whole:
        prefix = max(found, key=found.__getitem__, default="")
    else:
        prefix = "" if "" in whole else whole[0]
    renamed = {}
    for key, original in keys.items():
        name = key.removeprefix(prefix)
        if key.startswith(prefix):
            if name != _BOOKKEEPING or name in names:
                renamed[names.get(name, name)] = state[original]
        elif not whole:
            renamed[original] = state[original]
    return prefix, renamed


def _unwrapped(names: Collection[str]) -> dict[str, str]:
    """Each name without wrappers -> the name; with them where two would be the same."""
    plain = {
        ".".join(part for part in name.split(".") if part not in _WRAPPERS): name for name in names
    }
    return plain if len(plain) == len(names) else {name: name for name in names}


def _splits(key: str, depth: int) -> Iterator[tuple[str, str]]:
    """Every prefix of a key, with its dot, and what follows it, to as many dots as given."""
    start = len(key)
    for _ in range(depth + 1):
        start = key.rfind(".", 0, start)
        yield key[: start + 1], key[start + 1 :]
        if start < 0:
            return
