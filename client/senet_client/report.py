"""A page about a scoring run. Rows are read one by one; what the page shows is all that is kept."""

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from senet_client.score.failures import WrongOption
from senet_client.score.formats import FORMATS, SUFFIXES

_BINS = 10
_SHOWN = (".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".webp")

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{padding:.1rem .8rem .1rem 0;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}
meter{width:12rem}
.photos{display:grid;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));gap:1rem}
figure{margin:0}figure img,figure .none{width:100%;aspect-ratio:1;object-fit:cover}
figure .none{background:#8883}figcaption{font-size:.8rem;overflow-wrap:anywhere}
"""


@dataclass(frozen=True, slots=True, order=True)
class Photo:
    """One row that has a class.

    Attributes:
        score: of the best class.
        label: of the best class.
        path: as the output names it.
    """

    score: float
    label: str
    path: str


@dataclass(slots=True)
class Summary:
    """What a page tells.

    Attributes:
        models: what answered, with how many rows.
        classes: how many photos have each best class.
        scores: their sum by class.
        bins: how many photos have a best score from n/10 on.
        unsure: the photos with the lowest best scores.
        examples: some photos of each class.
        errors: how many rows have each error.
        failed: some of those rows: path and message.
    """

    models: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    scores: dict[str, float] = field(default_factory=dict)
    bins: list[int] = field(default_factory=lambda: [0] * _BINS)
    unsure: list[Photo] = field(default_factory=list)
    examples: dict[str, list[Photo]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[str, str]] = field(default_factory=list)


def summarise(output: Path, examples: int) -> Summary:
    """Reads an output of `score`.

    Args:
        output: the file, or the folder of parts.
        examples: most photos of each class, of the unsure ones, and of those with errors.

    Raises:
        WrongOption: if it is none, or cannot be read.
    """
    summary = Summary()
    try:
        for row in _rows(output):
            _take(summary, row, examples)
    except WrongOption:
        raise
    except Exception as error:  # of three formats' readers
        raise WrongOption(
            "OUTPUT", f"{output} cannot be read as an output of score ({error!r})", "check the file"
        ) from error
    summary.unsure = sorted(summary.unsure)[:examples]
    return summary


def _take(summary: Summary, row: Mapping[str, Any], examples: int) -> None:
    summary.models[f"{row['model']}:{row['model_version']}"] += 1
    if row["error_code"]:
        summary.errors[row["error_code"]] += 1
        if len(summary.failed) < examples:
            summary.failed.append((row["path"], row["error"] or ""))
        return
    if not row["label_1"]:
        return
    photo = Photo(float(row["score_1"]), row["label_1"], row["path"])
    summary.classes[photo.label] += 1
    summary.scores[photo.label] = summary.scores.get(photo.label, 0.0) + photo.score
    summary.bins[min(_BINS - 1, int(photo.score * _BINS))] += 1
    shown = summary.examples.setdefault(photo.label, [])
    if len(shown) < examples:
        shown.append(photo)
    summary.unsure.append(photo)
    if len(summary.unsure) >= 2 * examples + 64:
        summary.unsure = sorted(summary.unsure)[:examples]


def _rows(output: Path) -> Iterator[Mapping[str, Any]]:
    files = [output]
    if output.is_dir():
        files = sorted(file for file in output.glob("part-*") if file.suffix in SUFFIXES)
    if not files or not files[0].is_file() or files[0].suffix.lower() not in SUFFIXES:
        raise WrongOption(
            "OUTPUT",
            f"{output} is not an output of score",
            f"name its folder, or a file that ends in {', '.join(SUFFIXES)}",
        )
    for file in files:
        kind = SUFFIXES[file.suffix.lower()]
        FORMATS[kind]()  # says what is missing
        if kind == "parquet":
            from pyarrow import parquet

            with parquet.ParquetFile(file) as table:
                for batch in table.iter_batches(columns=_COLUMNS):
                    yield from batch.to_pylist()
        else:
            with file.open(encoding="utf-8", newline="") as text:
                yield from csv.DictReader(text) if kind == "csv" else map(json.loads, text)


_COLUMNS = ["path", "error_code", "error", "model", "model_version", "label_1", "score_1"]


def written(summary: Summary, title: str, folder: Path) -> str:
    """The page.

    Args:
        summary: what it tells.
        title: of the page.
        folder: where it will lie; photos are linked from there.
    """
    photos = summary.classes.total()
    rows = photos + summary.errors.total()
    models = ", ".join(summary.models)
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{rows} rows of {escape(models)}: {photos} with classes, {rows - photos} errors.</p>",
        "<h2>Classes</h2>",
        _table(
            ("class", "photos", "mean score"),
            (
                (escape(label), str(count), f"{summary.scores[label] / count:.1%}")
                for label, count in summary.classes.most_common()
            ),
        ),
        "<h2>How sure</h2>",
        _table(
            ("best score", "photos", ""),
            (
                (
                    f"{number / _BINS:.0%} to {(number + 1) / _BINS:.0%}",
                    str(count),
                    f'<meter max="{max(1, photos)}" value="{count}"></meter>',
                )
                for number, count in enumerate(summary.bins)
            ),
        ),
        _gallery("The least sure", summary.unsure, folder),
        *(
            _gallery(label, summary.examples[label], folder)
            for label, _ in summary.classes.most_common()
        ),
    ]
    if summary.errors:
        parts.append("<h2>Errors</h2>")
        parts.append(
            _table(
                ("error", "rows", ""),
                ((escape(code), str(n), "") for code, n in summary.errors.most_common()),
            )
        )
        parts.append(
            _table(
                ("image", "", "message"),
                ((escape(path), "", escape(told)) for path, told in summary.failed),
            )
        )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>{''.join(parts)}</html>\n"
    )


def _table(head: tuple[str, str, str], rows: Iterable[tuple[str, str, str]]) -> str:
    """A table; its cells are HTML already."""
    lines = [f"<tr><td>{one}<td class=n>{two}<td>{three}" for one, two, three in rows]
    first = "".join(f"<th>{name}" for name in head)
    return f"<table><tr>{first}{''.join(lines)}</table>"


def _gallery(title: str, photos: list[Photo], folder: Path) -> str:
    if not photos:
        return ""
    figures = "".join(
        f"<figure>{_picture(photo.path, folder)}"
        f"<figcaption>{escape(photo.label)} {photo.score:.1%}<br>{escape(photo.path)}"
        "</figcaption></figure>"
        for photo in photos
    )
    return f'<h2>{escape(title)}</h2><div class="photos">{figures}</div>'


def _picture(path: str, folder: Path) -> str:
    """The photo where it lies, if a browser can show it from there."""
    if "://" in path or not path.lower().endswith(_SHOWN) or not Path(path).is_file():
        return '<div class="none"></div>'
    link = quote(os.path.relpath(path, folder))
    return f'<a href="{link}"><img loading="lazy" alt="" src="{link}"></a>'
