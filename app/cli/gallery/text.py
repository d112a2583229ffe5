"""Names that anybody may have given, as HTML."""

import html
import os

_LONGEST = 120


def shown(name: str | os.PathLike[str]) -> str:
    """A name as the text of an element or the value of an attribute in quotes.

    What cannot be seen, or would turn what stands beside it around, is written as an escape; of a
    long name the middle is left out.
    """
    text = os.fspath(name)
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
    plain = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
    return html.escape(plain)
