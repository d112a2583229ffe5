"""The command line."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from app.contract.errors import ConfigurationError
from app.contract.manifest import Precision
from app.engines.engine import Provider
from tools.bench import given
from tools.bench.given import GivenServer
from tools.bench.goals import DEFAULT_MODEL, LARGE_MODEL, MIDDLE_MODEL
from tools.bench.plan import FULL, QUICK, QUICK_SECTIONS, SECTIONS, Photos, Plan
from tools.bench.subject import Subject, find
from tools.loadtools import pictures

_MODELS = (DEFAULT_MODEL, MIDDLE_MODEL, LARGE_MODEL)
_MOSEC = Path(".venv-mosec/bin/python")
_QUICK_MODELS = (DEFAULT_MODEL, LARGE_MODEL)
_PRECISIONS: dict[str, tuple[Precision, ...]] = {"cpu": ("fp32", "int8"), "cuda": ("fp16",)}
_KNOWN_PRECISIONS = ("fp32", "fp16", "int8")
# With random weights there is no accuracy by which the service could choose.
_SHIPPED = {"cpu": "int8", "cuda": "fp16"}
# A server of the user's own is not started, has no forms that are known, and serves one model.
_GIVEN_SECTIONS = ("throughput", "lone", "open")


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        subjects: model files, by model, the smallest first.
        plan: durations.
        sections: parts to run.
        photos: what to send.
        clients: that keep a server busy.
        output: folder for the report.
        given: the user's own server.
    """

    subjects: tuple[Subject, ...]
    plan: Plan
    sections: tuple[str, ...]
    photos: Photos
    clients: int
    output: Path
    given: GivenServer | None


def read(arguments: list[str]) -> Options:
    """Reads the command line.

    Raises:
        ConfigurationError: on the first option that is wrong.
        SystemExit: after argparse has told of one, or printed the help.
    """
    parsed = _parser().parse_args(arguments)
    subjects = _subjects(parsed)
    photos = Photos(parsed.work / "photos")
    if parsed.photos:
        photos = Photos(photos.folder, *pictures.given(parsed.photos))
    sections: tuple[str, ...] = QUICK_SECTIONS if parsed.quick else SECTIONS
    if parsed.sections:
        sections = _list("--sections", parsed.sections, SECTIONS)
    if "open" in sections and "throughput" not in sections:
        raise ConfigurationError("--sections", "open needs what throughput finds", "name it too")
    server = given.parse(parsed.url, parsed.pid) if parsed.url else None
    if server is not None:
        subjects = subjects[:1]
        sections = tuple(name for name in sections if name in _GIVEN_SECTIONS)
    return Options(
        subjects=subjects,
        plan=QUICK if parsed.quick else FULL,
        sections=sections,
        photos=photos,
        clients=parsed.clients,
        output=parsed.output or parsed.work / "report",
        given=server,
    )


def _subjects(parsed: argparse.Namespace) -> tuple[Subject, ...]:
    """The files of the models."""
    provider = cast("Provider", parsed.provider)
    models: tuple[str, ...] = _QUICK_MODELS if parsed.quick else _MODELS
    if parsed.models:
        models = _list("--models", parsed.models, None)
    mosec = parsed.mosec if provider == "cpu" and not parsed.url else None
    found: list[Subject] = []
    for name in models:
        repository, version = find(name, (Path("models"), parsed.work / "models"))
        present = {variant.precision for variant in version.manifest.variants}
        named = tuple(each for each in _PRECISIONS[provider] if each in present)
        if parsed.precisions:
            listed = _list("--precisions", parsed.precisions, _KNOWN_PRECISIONS)
            named = tuple(cast("Precision", each) for each in listed)
        for precision in named:
            subject = Subject(
                repository, version, precision, provider, _shipped(name, provider), mosec
            )
            subject.file(precision)
            found.append(subject)
    return tuple(found)


def _shipped(name: str, provider: Provider) -> tuple[str, ...]:
    if name not in (MIDDLE_MODEL, LARGE_MODEL):
        return ()
    return ("--precision", _SHIPPED[provider])


def _list(option: str, text: str, known: tuple[str, ...] | None) -> tuple[str, ...]:
    named = text.split(",")
    unknown = [name for name in named if known is not None and name not in known]
    if unknown or not all(named):
        raise ConfigurationError(
            option,
            f"{unknown[0]!r} is not known" if unknown else "a name is empty",
            f"name some of {', '.join(known or _MODELS)}, separated by commas",
        )
    return tuple(name for name in known if name in named) if known else tuple(named)


def _clients(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 256")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench", description="Measures the goals."
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="a few minutes, for a look; figures are rough")
    add("--output", type=Path, metavar="DIR", help="for bench.md and bench.json")
    add("--work", type=Path, default=Path("runs/bench"), metavar="DIR", help="models and photos")
    add("--photos", type=Path, metavar="DIR", help="your own JPEG photos, instead of drawn ones")
    add("--models", metavar="LIST", help=f"default {','.join(_MODELS)}")
    add("--sections", metavar="LIST", help=f"default {','.join(SECTIONS)}")
    add("--clients", type=_clients, default=32, help="that keep a server busy (default 32)")
    add("--provider", choices=("cpu", "cuda"), default="cpu", help="default %(default)s")
    add("--precisions", metavar="LIST", help="of the files (default fp32,int8; fp16 on a card)")
    add("--mosec", type=Path, default=_MOSEC, help="Python that has mosec (default %(default)s)")
    add("--url", help="measure a server of your own, which takes a photo as the body of a POST")
    add("--pid", type=int, help="process of --url, for its memory")
    return parser
