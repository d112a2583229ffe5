"""Tables of the report."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from app.cli.gallery.tally import Tally
from app.cli.gallery.text import shown
from app.contract.manifest import Label

# More columns than a screen is wide say nothing; then the most frequent confusions are listed.
_MOST_COLUMNS = 30
_MOST_PAIRS = 50
_SHADES = 5


def definitions(entries: Mapping[str, str]) -> str:
    """Names and what they say."""
    lines = (f"<dt>{name}</dt><dd>{shown(told)}</dd>\n" for name, told in entries.items())
    return f"<dl>\n{''.join(lines)}</dl>\n"


def class_table(tally: Tally, labels: Sequence[Label]) -> Iterator[str]:
    """Recall of each class that there are photos of, the lowest first."""
    photos, right, other = Counter[int](), Counter[int](), dict[int, Counter[int]]()
    for (truth, best), count in tally.confusion.items():
        photos[truth] += count
        if truth == best:
            right[truth] += count
        else:
            other.setdefault(truth, Counter())[best] += count
    if not photos:
        return
    yield (
        "<h2>Classes</h2>\n<div class=scroll>\n<table>\n<thead><tr><th scope=col>class</th>"
        "<th scope=col>photos</th><th scope=col>right</th><th scope=col>most often taken for</th>"
        "</tr></thead>\n<tbody>\n"
    )
    for truth in sorted(photos, key=lambda index: (right[index] / photos[index], index)):
        confused = ", ".join(
            f"{shown(labels[best].name)} ({count:,})"
            for best, count in other.get(truth, Counter[int]()).most_common(2)
        )
        yield (
            f"<tr><th scope=row>{shown(labels[truth].name)}</th><td>{photos[truth]:,}</td>"
            f"<td>{right[truth] / photos[truth]:.1%}</td><td>{confused}</td></tr>\n"
        )
    yield "</tbody>\n</table>\n</div>\n"


def confusion_table(tally: Tally, labels: Sequence[Label]) -> Iterator[str]:
    """Photos by true and best class; of many classes the most frequent confusions."""
    classes = tally.classes
    if not classes:
        return
    yield "<h2>Confusion</h2>\n<div class=scroll>\n<table>\n"
    if len(classes) > _MOST_COLUMNS:
        yield from _pairs(tally, labels)
    else:
        yield from _matrix(tally, labels, classes)
    yield "</table>\n</div>\n"


def _matrix(tally: Tally, labels: Sequence[Label], classes: Sequence[int]) -> Iterator[str]:
    heads = "".join(
        f"<th scope=col><span>{shown(labels[best].name)}</span></th>" for best in classes
    )
    yield (
        "<caption>Rows: the folder's class. Columns: the best class.</caption>\n"
        f"<thead><tr class=turned><td></td>{heads}</tr></thead>\n<tbody>\n"
    )
    for truth in classes:
        row = [tally.confusion[truth, best] for best in classes]
        cells = "".join(
            f'<td class="{_shade(count, sum(row), is_right=truth == best)}">{count or ""}</td>'
            for best, count in zip(classes, row, strict=True)
        )
        yield f"<tr><th scope=row>{shown(labels[truth].name)}</th>{cells}</tr>\n"
    yield "</tbody>\n"


def _pairs(tally: Tally, labels: Sequence[Label]) -> Iterator[str]:
    mistakes = Counter(
        {pair: count for pair, count in tally.confusion.items() if pair[0] != pair[1]}
    )
    yield (
        f"<caption>The {_MOST_PAIRS} most frequent</caption>\n<thead><tr>"
        "<th scope=col>the folder's class</th><th scope=col>the best class</th>"
        "<th scope=col>photos</th></tr></thead>\n<tbody>\n"
    )
    for (truth, best), count in mistakes.most_common(_MOST_PAIRS):
        yield (
            f"<tr><td>{shown(labels[truth].name)}</td><td>{shown(labels[best].name)}</td>"
            f"<td>{count:,}</td></tr>\n"
        )
    yield "</tbody>\n"


def _shade(count: int, row: int, *, is_right: bool) -> str:
    """The class of a cell: the darker, the larger its part of the row."""
    if not count:
        return "none"
    return f"{'right' if is_right else 'wrong'}{min(_SHADES, 1 + _SHADES * count // row)}"
