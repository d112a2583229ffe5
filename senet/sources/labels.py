"""The labels file: one class a line, `index id name`."""

from collections import Counter
from pathlib import Path

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label


def read_labels(path: Path, classes: int) -> tuple[Label, ...]:
    """Reads the labels of a network, such as `0 n01440764 tench, Tinca tinca`.

    Args:
        path: UTF-8 text; the index counts from 0 in the order of the logits, the identifier has
            no spaces and is unique, and the rest of the line is the name.
        classes: the network's number of logits.

    Raises:
        ConfigurationError: if the file cannot be read or is not that.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _refusal(f"{path} cannot be read as UTF-8 text", "give a text file") from error
    labels = tuple(_label(path, index, line) for index, line in enumerate(lines))
    if len(labels) != classes:
        raise _refusal(
            f"{path} has {len(labels)} lines, but the network has {classes} classes",
            "give one line a class",
        )
    doubled = [name for name, count in Counter(label.id for label in labels).items() if count > 1]
    if doubled:
        raise _refusal(
            f"{path} has the identifier {doubled[0]} more than once", "give each class its own"
        )
    return labels


def _label(path: Path, index: int, line: str) -> Label:
    parts = line.split(maxsplit=2)
    if len(parts) != 3:
        raise _refusal(
            f"line {index + 1} of {path} is not `index id name`",
            "write every line like `0 n01440764 tench`",
        )
    if parts[0] != str(index):
        raise _refusal(
            f"line {index + 1} of {path} has index {parts[0]}, not {index}",
            "put the classes in the order of the logits, counted from 0",
        )
    return Label(index=index, id=parts[1], name=parts[2].strip())


def _refusal(cause: str, remedy: str) -> ConfigurationError:
    return ConfigurationError("--labels", cause, remedy)
