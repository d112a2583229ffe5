"""Shards by their numbers, as WebDataset writes them: `shard-{000..127}.tar`."""

import re
from collections.abc import Iterator

from senet_client.score.failures import WrongOption

_BRACES = re.compile(r"\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}")
_MOST = 1_000_000


def expanded(argument: str) -> Iterator[str]:
    """The names that an argument stands for: itself, if it has no braces with `..` or a comma.

    Raises:
        WrongOption: if they are more than a million.
    """
    for number, name in enumerate(_expanded(argument)):
        if number == _MOST:
            raise WrongOption(
                "INPUT", f"{argument} stands for more than {_MOST} names", "give a manifest"
            )
        yield name


def _expanded(text: str) -> Iterator[str]:
    found = _BRACES.search(text)
    if found is None:
        yield text
        return
    first, last, words = found.groups()
    if words is None:
        step = 1 if int(first) <= int(last) else -1
        numbers = range(int(first), int(last) + step, step)
        # A leading zero says how wide the numbers are.
        padded = any(len(number) > 1 and number[0] == "0" for number in (first, last))
        width = max(len(first), len(last)) if padded else 0
        choices: Iterator[str] = (f"{number:0{width}}" for number in numbers)
    else:
        choices = iter(words.split(","))
    for choice in choices:
        for rest in _expanded(text[found.end() :]):
            yield text[: found.start()] + choice + rest
