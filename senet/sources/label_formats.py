"""The forms in which people keep the names of classes.

Text has one class a line: `index id name`, `id name` with WordNet identifiers such as
`n01440764`, or the name alone. JSON is a list of names, of `[id, name]` or of objects with
`index`, `id` and `name`; or an object from index to any of these, from name to index, or with
such a list or object under a key as in `{"id2label": ...}`.
"""

import json
import re
from typing import Any

# Identifier, empty where the file gives none, and name.
Class = tuple[str, str]

_INDEXED = re.compile(r"\s*\d+(\s+\S|\s*[,;:|])")
_WORDNET = re.compile(r"[nv]\d{8}\s+\S")
_WRAPPERS = ("id2label", "label_names", "labels", "classes", "class_to_idx", "label2id")
# What others call the parts of a class.
_INDEX, _ID, _NAME = ("index", "label"), ("id", "synset", "wnid"), ("name",)
_LINE_REMEDY = "write every line like `0 n01440764 tench`, or names alone"
_JSON_REMEDY = "give a list of names, or an object from index to name"


class MalformedError(ValueError):
    """A file that is none of the forms.

    Attributes:
        place: where in the file, such as `line 3`.
        remedy: what to do about it.
    """

    def __init__(self, place: str, cause: str, remedy: str) -> None:
        super().__init__(cause)
        self.place = place
        self.remedy = remedy


def looks_like_json(text: str) -> bool:
    """Whether text is a JSON list or object; text of one class a line never is."""
    if not text.lstrip().startswith(("[", "{")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def from_text(text: str) -> list[Class]:
    """Reads one class a line; empty lines at the end don't count.

    Raises:
        MalformedError: naming the line that is not as the others.
    """
    # Not splitlines(): it also splits at characters that stand inside names copied from the web.
    lines = re.split(r"\r\n|\n|\r", text.rstrip())
    if lines == [""]:
        return []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise MalformedError(f"line {number}", "is not `index id name` but empty", "remove it")
    # By majority, so that a name may begin with a number, and a mistake in one line is found.
    if 2 * sum(bool(_INDEXED.match(line)) for line in lines) >= len(lines):
        return [_indexed(number, line) for number, line in enumerate(lines)]
    if all(_WORDNET.match(line) for line in lines):
        parts = [line.split(maxsplit=1) for line in lines]
        return [(identifier, _tidy(name)) for identifier, name in parts]
    return [("", _tidy(line)) for line in lines]


def _indexed(index: int, line: str) -> Class:
    place, parts = f"line {index + 1}", line.split(maxsplit=2)
    if len(parts) != 3:
        raise MalformedError(place, "is not `index id name`", _LINE_REMEDY)
    if parts[0] != str(index):
        raise MalformedError(
            place,
            f"has index {parts[0]}, not {index}",
            "put the classes in the order of the logits, counted from 0",
        )
    return parts[1], _tidy(parts[2])


def from_json(text: str) -> list[Class]:
    """Reads JSON of the forms above.

    Raises:
        MalformedError: if it is none of them.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError("the content", "is not valid JSON", "give JSON, or text") from error
    if isinstance(content, dict):
        inner = [content[key] for key in _WRAPPERS if isinstance(content.get(key), list | dict)]
        content = inner[0] if inner else content
    if isinstance(content, dict):
        content = _in_order(content)
    if not isinstance(content, list):
        raise MalformedError("the content", "holds no classes", _JSON_REMEDY)
    return [_class(index, entry) for index, entry in enumerate(content)]


def _in_order(content: dict[str, Any]) -> list[Any]:
    if content and all(type(value) is int for value in content.values()):
        by_index = {value: name for name, value in content.items()}
    else:
        by_index = {int(key): value for key, value in content.items() if _is_index(key)}
    if sorted(by_index) != list(range(len(content))):
        raise MalformedError("the content", "does not number its classes from 0", _JSON_REMEDY)
    return [by_index[index] for index in range(len(content))]


def _is_index(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) < 10


def _class(index: int, entry: object) -> Class:
    place = f"class {index}"
    match entry:
        case str() as name:
            identifier = ""
        case [str() as identifier, str() as name]:
            pass
        case dict():
            given = _of(entry, _INDEX)
            if type(given) is int and given != index:
                raise MalformedError(place, f"has index {given}", "put the classes in order")
            identifier, name = _of(entry, _ID) or "", _of(entry, _NAME)
        case _:
            raise MalformedError(place, "has no name", _JSON_REMEDY)
    if not isinstance(name, str) or not name.strip() or not isinstance(identifier, str):
        raise MalformedError(place, "has no name", _JSON_REMEDY)
    if identifier.split() not in ([], [identifier]):
        raise MalformedError(place, "has spaces in its identifier", "take them out")
    return identifier, _tidy(name)


def _of(entry: dict[str, Any], keys: tuple[str, ...]) -> Any:  # noqa: ANN401 - JSON is any type
    return next((entry[key] for key in keys if key in entry), None)


def _tidy(name: str) -> str:
    """A name with single spaces for line separators, tabs and whatever else is white."""
    return " ".join(name.split())
