"""The pieces of a body, as they are kept until it is whole."""

# An object of Python takes some 40 bytes more than what it holds.
_SMALL_BYTES = 4096


def add_piece(pieces: list[bytes], piece: bytes | memoryview) -> None:
    """Adds a piece; small ones become one, or the pieces would take many times what they hold.

    Args:
        pieces: of bytes-like objects, to be joined.
        piece: the next.
    """
    last: object = pieces[-1] if pieces else None
    if len(piece) >= _SMALL_BYTES:
        pieces.append(piece)  # type: ignore[arg-type]  # what joins bytes takes any
    elif isinstance(last, bytearray):
        last += piece
    else:
        pieces.append(bytearray(piece))  # type: ignore[arg-type]  # likewise
