"""The list of inputs on standard input: one name a line, or names that end with a null byte."""

import os
import sys
from collections.abc import Iterator

ARGUMENT = "-"


def names() -> Iterator[str]:
    """The names, as `find -print0` or `ls` write them; empty ones are left out."""
    text = sys.stdin.buffer.read()
    separator = b"\0" if b"\0" in text else b"\n"
    for name in text.split(separator):
        bare = name if separator == b"\0" else name.rstrip(b"\r")
        if bare:
            yield os.fsdecode(bare)
