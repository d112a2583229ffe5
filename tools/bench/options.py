"""The command line."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from app.contract.errors import ConfigurationError
from app.contract.manifest import Precision
from app.engines.engine import Provider
from tools.bench import given
from tools.bench.contenders import Subject, subject
from tools.bench.given import GivenServer
from tools.bench.goals import DEFAULT_MODEL, LARGE_MODEL
from tools.bench.plan import FULL, QUICK, SECTIONS, Photos, Plan
from tools.loadtools import pictures

_MIDDLE_MODEL = "se_resnet18"
_MODELS = (DEFAULT_MODEL, _MIDDLE_MODEL, LARGE_MODEL)
# With random weights there is no accuracy by which the service could choose.
_SHIPPED = {LARGE_MODEL: {"cpu": "int8", "cuda": "fp16"}}
# A server of the user's own is not started, has no forms that are known, and serves one model.
_GIVEN_SECTIONS = ("throughput", "lone", "open")


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        subjects: models, the smallest first.
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
    provider, precision = cast("Provider", parsed.provider), cast("Precision", parsed.precision)
    repositories = (Path("models"), parsed.work / "models")
    subjects = tuple(
        subject(
            name, repositories, precision=precision, provider=provider,
            shipped=_shipped(name, provider),
        )
        for name in _list("--models", parsed.models, None)
    )  # fmt: skip
    for each in subjects:
        each.file(precision)
    photos = Photos(parsed.work / "photos")
    if parsed.photos:
        photos = Photos(photos.folder, *pictures.given(parsed.photos))
    sections = _list("--sections", parsed.sections, SECTIONS)
    if not {"throughput", "lone"} <= set(sections) and "open" in sections:
        raise ConfigurationError(
            "--sections", "open needs what throughput and lone find", "name them too"
        )
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


def _shipped(name: str, provider: Provider) -> tuple[str, ...]:
    precision = _SHIPPED.get(name, {}).get(provider)
    return ("--precision", precision) if precision else ()


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
    add("--models", default=",".join(_MODELS), metavar="LIST", help="default %(default)s")
    add("--sections", default=",".join(SECTIONS), metavar="LIST", help="default %(default)s")
    add("--clients", type=_clients, default=32, help="that keep a server busy (default 32)")
    add("--provider", choices=("cpu", "cuda"), default="cpu", help="default %(default)s")
    add(
        "--precision", choices=("fp32", "fp16", "int8"), default="fp32",
        help="of the file that all contenders share (default %(default)s)",
    )  # fmt: skip
    add("--url", help="measure a server of your own, which takes a photo as the body of a POST")
    add("--pid", type=int, help="process of --url, for its memory")
    return parser
