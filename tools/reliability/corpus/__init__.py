"""Malformed, unusual and hostile images, made here: nothing is read from disk or network."""

from collections.abc import Iterator

from tools.reliability.corpus.bombs import many_pieces, pixel_bombs
from tools.reliability.corpus.case import Case
from tools.reliability.corpus.damaged import damaged
from tools.reliability.corpus.foreign import foreign
from tools.reliability.corpus.unusual import unusual

__all__ = ["Case", "corpus"]


def corpus(*, bomb_bytes: int, flips: int, many_pixels: bool = True) -> Iterator[Case]:
    """Every image of the corpus, the same ones for the same arguments.

    Args:
        bomb_bytes: size of the bombs that grow with their file, at most a request body's limit.
        flips: damaged copies of each format with flipped bytes.
        many_pixels: with the pictures of 16 and 39 megapixels, which take a minute to make.
    """
    yield from unusual()
    yield from damaged(flips)
    yield from foreign()
    yield from many_pieces(bomb_bytes)
    if many_pixels:
        yield from pixel_bombs()
