"""Base64 as senders write it."""

import binascii
import io
import re
from itertools import islice

_WHITE_SPACE = b" \t\r\n\v\f"
# RFC 4648, section 5.
_FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_NO_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]")
_BEFORE_A_SPACE = re.compile(rb"(?<!\S)(\S++) +(?=\S)")
# Characters that are decoded within a millisecond; a whole number of groups of four.
_PIECE = 2**18
# Of spaces that were +, three in four stand where no group ends.
_SPACES_EXAMINED = 100


def decode_base64(text: str | memoryview) -> bytes:
    """Decodes base64 of either alphabet, with line breaks (RFC 2045, 6.8), with padding or without.

    Raises:
        ValueError: if it is none; the message tells what is wrong.
    """
    try:
        # Most of it is plain, and this makes no copy of it.
        return _decode_plain(text)
    except ValueError:
        data = text.encode("ascii", "replace") if isinstance(text, str) else bytes(text)
    if b" " in data:
        _check_spaces(data)
    data = data.translate(_FROM_URL_SAFE, _WHITE_SPACE)
    data += b"=" * (-len(data) % 4)
    try:
        return _decode_plain(data)
    except binascii.Error:
        wrong = _NO_BASE64.search(data)
        raise ValueError(
            f"the character {wrong[0].decode()!r} is not base64"
            if wrong
            else "the base64 is cut short, or padded where it does not end"
        ) from None


def _decode_plain(text: str | bytes | memoryview) -> bytes:
    """Decodes base64 without white space, in pieces: a call into the library lets no other thread
    run. They are put together without a copy.

    Raises:
        ValueError: if it is none.
    """
    if len(text) <= _PIECE:
        return binascii.a2b_base64(text, strict_mode=True)
    whole = io.BytesIO()
    last = (len(text) - 1) // _PIECE * _PIECE
    for start in range(0, last, _PIECE):
        piece = binascii.a2b_base64(text[start : start + _PIECE], strict_mode=True)
        if len(piece) < _PIECE // 4 * 3:
            raise binascii.Error("padding where it does not end")
        whole.write(piece)
    whole.write(binascii.a2b_base64(text[last:], strict_mode=True))
    return whole.getvalue()


def _check_spaces(data: bytes) -> None:
    """Tells spaces that were + from those between groups of characters, of which each has four.

    Raises:
        ValueError: if there are spaces that were +; what is left without them is another image.
    """
    before = islice(_BEFORE_A_SPACE.finditer(data), _SPACES_EXAMINED)
    if any(len(found[1]) % 4 for found in before):
        raise ValueError(
            "the base64 has spaces within its lines, as where + was decoded like that of a form"
        )
