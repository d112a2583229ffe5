"""The command line of `python -m tools.tune`."""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from app.contract.errors import ConfigurationError
from app.engines.buckets import largest_batch
from app.hardware import available_cores
from app.selection.candidates import cpu_layouts, cpu_variants
from app.selection.configured import configured_repository
from app.settings import Settings, load_settings
from tools.loadtools import pictures
from tools.tune.search import Options, Row, Search, Value
from tools.tune.service import ChildServices

_TRIALS = 60
_SHORTEST_TRIAL_SECONDS, _USUAL_TRIAL_SECONDS = 0.5, 4.0
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)
_DELAYS_MS = (0, 1, 2, 5, 10)
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
_MOST_PHOTOS, _DRAWN = 256, 8
# Who may call, and from where, is not part of what is tuned.
_LEFT_OUT = frozenset(
    {"host", "port", "api_keys_file", "tls_certificate_file", "tls_key_file", "tracing"}
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigurationError("tune", message, "see python -m tools.tune --help")


def tune(arguments: Sequence[str], say: Callable[[str], None]) -> int:
    """Runs the command.

    Args:
        arguments: its command line.
        say: told each line of the report.

    Returns:
        The exit code: 0; 1 if the objective cannot be met.

    Raises:
        ConfigurationError: if an option is wrong, or the service does not start.
        KeyboardInterrupt: if it was interrupted; no service is left running.
    """
    parsed, others = _parser().parse_known_args(arguments)
    settings = load_settings(others)
    images = _photos(parsed.photos) if parsed.photos else _drawn()
    trial_seconds = min(
        max(parsed.seconds / _TRIALS, _SHORTEST_TRIAL_SECONDS), _USUAL_TRIAL_SECONDS
    )
    services = ChildServices(
        _options(settings), images, slo_p99_ms=parsed.slo_p99_ms, trial_seconds=trial_seconds
    )
    end = time.monotonic() + parsed.seconds
    search = Search(
        services,
        parsed.slo_p99_ms,
        _choices(settings, parsed.slo_p99_ms),
        out_of_time=lambda: time.monotonic() >= end,
        report=lambda row: say(_line(row)),
    )
    say(f"load and service share {available_cores()} cores; trials of {trial_seconds:g} s or more")
    try:
        return _conclude(search.run(), say)
    except KeyboardInterrupt:
        say("interrupted")
        raise


def _conclude(best: Row, say: Callable[[str], None]) -> int:
    """Says what came of it; returns the exit code."""
    if best.best is None:
        say(
            "no settings were found that keep the objective: raise it, give more --seconds, or use"
            " a faster machine"
        )
        return 1
    say(f"best: {best.best.rate:.0f} requests/s with a p99 of {best.best.p99_ms:.1f} ms")
    say(" ".join(f"--{name.replace('_', '-')} {value}" for name, value in best.options.items()))
    for name, value in best.options.items():
        say(f"SENET_{name.upper()}={value}")
    return 0


def _photos(folder: Path) -> list[bytes]:
    """The first photos of a folder and its folders, by name."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in _SUFFIXES)
    if not files:
        raise ConfigurationError(
            "photos", f"{folder} holds no .jpg, .png or .webp", "give a folder of photos"
        )
    return [file.read_bytes() for file in files[:_MOST_PHOTOS]]


def _drawn() -> list[bytes]:
    """The same ones each time."""
    return [pictures.encoded(pictures.SMALL, seed) for seed in range(_DRAWN)]


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m tools.tune",
        description="Finds by real load the settings that serve most requests within a latency."
        " Further options are the service's own; what they set is kept as it is.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--slo-p99-ms",
        type=_positive,
        required=True,
        help="the objective: 99 %% of the requests are answered within so many milliseconds",
    )
    parser.add_argument(
        "--photos", type=Path, help="folder of photos to send; drawn pictures otherwise"
    )
    parser.add_argument(
        "--seconds",
        type=_positive,
        default=300,
        help="about how long to search; default %(default)s",
    )
    return parser


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _options(settings: Settings) -> dict[str, str]:
    """What the user has set, as environment variables take it."""
    values = {name: getattr(settings, name) for name in settings.model_fields_set - _LEFT_OUT}
    return {
        name: ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in values.items()
        if value is not None
    }


def _choices(settings: Settings, slo_p99_ms: float) -> Mapping[str, Sequence[Value]]:
    """What to try for each option that the user has left open; the default first."""
    name, _, version = settings.model.partition(":")
    manifest = configured_repository(settings).manifest(name, int(version) if version else None)
    cores = available_cores()
    largest = min(settings.max_queue_size, _BATCH_SIZES[-1])
    batch_sizes = [size for size in _BATCH_SIZES if size <= largest]
    variants = cpu_variants(manifest, settings.max_accuracy_drop)
    choices: dict[str, Sequence[Value]] = {
        "precision": [variant.precision for variant in variants],
        "inference_threads": [layout.threads for layout in cpu_layouts(cores, 0)],
        "max_batch_size": [largest_batch(settings.max_batch_size, "cpu"), *batch_sizes],
        "max_queue_delay_ms": [delay for delay in _DELAYS_MS if delay < slo_p99_ms / 2],
        "decode_threads": [cores, 2 * cores, max(1, cores // 2)],
    }
    return {
        option: list(dict.fromkeys(values))
        for option, values in choices.items()
        if option not in settings.model_fields_set
    }


def _line(row: Row) -> str:
    result = (
        f"{row.best.rate:8.1f} requests/s, p99 {row.best.p99_ms:6.1f} ms"
        if row.best
        else "not better" + " " * 24
    )
    return f"{result}  {_words(row.options)}"


def _words(options: Options) -> str:
    return " ".join(f"{name}={value}" for name, value in options.items())
