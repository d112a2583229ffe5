"""Keys that stand twice in one JSON object, of which parsers take the last without a word."""

import json


def repeated_key(text: bytes) -> str | None:
    """The first key that an object of a document holds twice; None if there is none.

    Args:
        text: JSON that a strict parser has accepted, in UTF-8.
    """
    repeated: list[str] = []

    def look(pairs: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                repeated.append(key)
            seen.add(key)

    # Numbers stay texts: how large they may be is no matter here.
    json.loads(text, object_pairs_hook=look, parse_int=str, parse_float=str)
    return repeated[0] if repeated else None
