"""Parameters of header fields, as senders write them."""

import re
from collections.abc import Mapping
from email.errors import HeaderParseError
from email.header import decode_header
from itertools import count
from urllib.parse import unquote_to_bytes

_PARAMETER = re.compile(r';\s*([^\s=;]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')
_ESCAPED = re.compile(r'\\(["\\])')
_ENCODED_WORDS = re.compile(r"(?:=\?[^?\s]+\?[BbQq]\?[^?\s]*\?=\s*)+")
# Those of RFC 8187 and its forerunner, and those that systems have had for their own. Python knows
# many more, some of them slow.
_CHARACTER_SETS = re.compile(
    r"utf-?8|(?:us-)?ascii|iso-8859-\d{1,2}|latin-?1|(?:windows-|cp)(?:125\d|874|932|936|949|950)"
    r"|koi8-[ru]|big5|gb2312|gbk|gb18030|euc-(?:jp|kr)|shift[_-]jis"
)


def parameters(field: str) -> dict[str, str]:
    """The parameters of a value like `form-data; name="x"`, by their names in lower case."""
    found = {}
    for name, value in _PARAMETER.findall(field):
        quoted = len(value) > 1 and value[0] == value[-1] == '"'
        found[name.lower()] = _ESCAPED.sub(r"\1", value[1:-1]) if quoted else value.strip()
    return found


def file_name(disposition: Mapping[str, str]) -> str | None:
    """The file's name by the parameters of a Content-Disposition, or None.

    Takes `filename*` before `filename`, as RFC 6266 does, whole (RFC 8187) or in pieces
    (RFC 2231); and encoded words (RFC 2047), which some senders write in its place.
    """
    extended = _extended(disposition)
    name = disposition.get("filename")
    if extended is not None:
        data, charset = extended
        text = _text(data, charset)
        if text is not None or name is None:
            # Letters of a set that is not known are lost; what has a name is still a file.
            return data.decode("ascii", "replace") if text is None else text
    if name is None:
        return None
    if _ENCODED_WORDS.fullmatch(name):
        name = _decoded_words(name)
    # Old browsers give the whole path.
    return name.rpartition("\\")[2] if name[1:3] == ":\\" or name.startswith("\\\\") else name


def _extended(disposition: Mapping[str, str]) -> tuple[bytes, str] | None:
    """The bytes of `filename*` and their character set."""
    if "filename*" in disposition:
        pieces = [(disposition["filename*"], True)]
    else:
        pieces = []
        for number in count():
            encoded = disposition.get(f"filename*{number}*")
            plain = disposition.get(f"filename*{number}")
            if encoded is None and plain is None:
                break
            pieces.append((encoded or plain or "", encoded is not None))
    if not pieces:
        return None
    first, charset = pieces[0][0], "utf-8"
    if pieces[0][1] and first.count("'") >= 2:
        charset, _, first = first.split("'", 2)
    pieces[0] = (first, pieces[0][1])
    data = b"".join(
        unquote_to_bytes(text) if encoded else text.encode() for text, encoded in pieces
    )
    return data, charset


def _decoded_words(name: str) -> str:
    try:
        words = decode_header(name)
    except HeaderParseError:
        return name
    texts = [word if isinstance(word, str) else _text(word, charset) for word, charset in words]
    return "".join(text or "" for text in texts) if None not in texts else name


def _text(data: bytes, charset: str | None) -> str | None:
    charset = (charset or "utf-8").lower()
    if not _CHARACTER_SETS.fullmatch(charset):
        return None
    try:
        return data.decode(charset, "replace")
    except LookupError:  # such as ISO 8859-12, which was never made
        return None
