"""The report as HTML, piece by piece."""

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from app.cli.gallery.judged import Judged
from app.cli.gallery.pictures import Picture
from app.cli.gallery.style import STYLE
from app.cli.gallery.tables import class_table, confusion_table, definitions
from app.cli.gallery.tally import Tally
from app.cli.gallery.text import shown
from app.contract.manifest import Label
from app.selection.served_model import ServedModel

Draw = Callable[[Judged], Sequence[Picture]]


def page(model: ServedModel, root: Path, tally: Tally, draw: Draw) -> Iterator[str]:
    """The report of a folder.

    Args:
        model: what classified its photos.
        root: the folder.
        tally: of all photos.
        draw: makes the pictures of a photo, when its turn has come.
    """
    labels, title = model.manifest.labels, shown(root.absolute().name or "photos")
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
    # Nothing is asked of anybody, and no script runs, whatever a name may hold.
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}: {shown(model.name)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{title}</h1>\n"
    )
    yield definitions(_summary(model, tally))
    if tally.note:
        yield f"<p>{shown(tally.note)}</p>\n"
    yield from class_table(tally, labels)
    yield from confusion_table(tally, labels)
    photos = tally.shown
    if photos:
        yield f"<h2>Photos</h2>\n<p>{_order(tally, len(photos))}</p>\n<ol class=photos>\n"
        yield from (_card(judged, root, draw(judged), labels) for judged in photos)
        yield "</ol>\n"
    yield from _faults(tally, root)
    yield "</body>\n</html>\n"


def _summary(model: ServedModel, tally: Tally) -> dict[str, str]:
    told = {
        "Model": f"{model.name}, version {model.version}, {model.variant.precision}",
        "File": model.digest,
        "Preprocessing": model.manifest.preprocessing.digest,
        "Photos": f"{tally.photos:,}",
    }
    if tally.labelled:
        right, top5, of = tally.right, tally.top5, tally.labelled
        told["Top-1"] = f"{right / of:.2%} ({right:,} of {of:,} photos in class folders)"
        told["Top-5"] = f"{top5 / of:.2%}"
    if tally.unreadable:
        told["Not classified"] = f"{tally.unreadable:,}"
    return told


def _order(tally: Tally, count: int) -> str:
    first = (
        "Mistakes first, those that the model is most sure of before others; then the photos"
        " that it is least sure of."
        if tally.labelled
        else "Those that the model is least sure of come first."
    )
    return f"{first} Shown: {count:,} of {tally.photos:,}."


def _card(judged: Judged, root: Path, pictures: Sequence[Picture], labels: Sequence[Label]) -> str:
    name = shown(str(judged.path.relative_to(root)))
    best = shown(labels[judged.best[0].class_index].name)
    parts = [f'<li class="{"mistake" if judged.is_mistake else "photo"}">\n<h3>{name}</h3>\n']
    if judged.is_mistake and judged.truth is not None:
        truth = shown(labels[judged.truth].name)
        parts.append(
            f"<p>{best} instead of <b>{truth}</b>, which has {judged.truth_score:.1%}</p>\n"
        )
    if not pictures:
        parts.append("<p>The file has changed meanwhile and cannot be drawn.</p>\n")
    parts.append("<div class=pictures>\n")
    parts += [_figure(picture, name, labels) for picture in pictures]
    parts.append("</div>\n<ul>\n")
    parts += [
        f"<li><span>{shown(labels[ranked.class_index].name)}</span>"
        f'<meter value="{ranked.score:.4f}">{ranked.score:.1%}</meter>'
        f"<span>{ranked.score:.1%}</span></li>\n"
        for ranked in judged.best
    ]
    return "".join([*parts, "</ul>\n</li>\n"])


def _figure(picture: Picture, name: str, labels: Sequence[Label]) -> str:
    if picture.map_of is None:
        alt, caption = name, "photo"
    else:
        label = shown(labels[picture.map_of].name)
        alt = caption = f"where it saw {label}"
    return (
        f'<figure><img src="{picture.uri}" width="{picture.width}" height="{picture.height}"'
        f' alt="{alt}" loading="lazy"><figcaption>{caption}</figcaption></figure>\n'
    )


def _faults(tally: Tally, root: Path) -> Iterator[str]:
    if not tally.faults:
        return
    yield "<h2>Not classified</h2>\n<ul>\n"
    for fault in tally.faults:
        name = shown(str(fault.path.relative_to(root)))
        yield f"<li>{name}: {shown(fault.reason)}</li>\n"
    if left := tally.unreadable - len(tally.faults):
        yield f"<li>and {left:,} more</li>\n"
    yield "</ul>\n"
