"""The labels file: text or JSON, with indices and identifiers or names alone."""

import codecs
import unicodedata
from collections import Counter
from pathlib import Path

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label
from senet.sources.label_formats import (
    Class,
    MalformedError,
    from_json,
    from_text,
    looks_like_json,
)

# Control characters, and surrogates, which no file can hold.
_UNREADABLE = ("Cc", "Cs")


def read_labels(path: Path, classes: int) -> tuple[Label, ...]:
    """Reads the labels of a network, in the order of its logits.

    A class without an identifier gets its name for one, with `_` for spaces, and its index
    behind it where several classes have that name.

    Args:
        path: UTF-8 text, or UTF-16 with a byte order mark, as `label_formats` describes it.
        classes: the network's number of logits.

    Raises:
        ConfigurationError: if the file cannot be read or is not that.
    """
    text = _text(path)
    as_json = path.suffix.lower() == ".json" or looks_like_json(text)
    try:
        found = from_json(text) if as_json else from_text(text)
    except MalformedError as error:
        raise _refusal(f"{error.place} of {path} {error}".strip(), error.remedy) from error
    if len(found) != classes:
        raise _refusal(
            f"{path} has {len(found)} {'classes' if as_json else 'lines'}, but the network has"
            f" {classes} classes",
            "give every class once, in the order of the logits",
        )
    for index, (identifier, name) in enumerate(found):
        if any(unicodedata.category(letter) in _UNREADABLE for letter in identifier + name):
            raise _refusal(
                f"class {index} of {path} has control characters or halves of characters",
                "give a text file in UTF-8",
            )
    labels = numbered(found)
    doubled = [name for name, count in Counter(label.id for label in labels).items() if count > 1]
    if doubled:
        raise _refusal(
            f"{path} has the identifier {doubled[0]} more than once", "give each class its own"
        )
    return labels


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if marked else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _refusal(f"{path} cannot be read as UTF-8 text", "give a text file") from error


def numbered(found: list[Class]) -> tuple[Label, ...]:
    """Labels of classes in the order of the logits; those without identifiers get one."""
    derived = ["_".join(name.split()) for _, name in found]
    counts = Counter(derived)
    return tuple(
        Label(
            index=index,
            id=own or (plain if counts[plain] == 1 else f"{plain}_{index}"),
            name=name,
        )
        for index, ((own, name), plain) in enumerate(zip(found, derived, strict=True))
    )


def _refusal(cause: str, remedy: str) -> ConfigurationError:
    return ConfigurationError("--labels", cause, remedy)
