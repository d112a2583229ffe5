"""`python -m app doctor`: what the service will find on this machine, each thing judged.

Imports what may be broken only where it is examined, so that it can speak where the service cannot
even be imported.
"""

import ctypes
import importlib.util
import json
import os
import platform
import socket
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from app.errors import ConfigurationError
from app.hardware import available_cores, core_quota, memory_limit_bytes
from app.serving.choice_cache import choice_cache, user_cache_directory
from app.settings import Settings, load_settings

if TYPE_CHECKING:
    from app.engines.engine import Provider

Verdict = Literal["ok", "warning", "fault"]

_LIBRARIES = (
    "fastapi", "uvicorn", "pydantic", "numpy", "pillow", "prometheus-client", "opentelemetry-sdk",
    "openvino",
)  # fmt: skip
_RUNTIMES = ("onnxruntime", "onnxruntime-gpu")
_MARKS = {"ok": "ok     ", "warning": "WARNING", "fault": "FAULT  "}
_TIMEOUT_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what.
        verdict: "warning" works but not as well as it could; "fault" keeps the service from
            starting.
        detail: what was found, and with a warning or fault what to do.
    """

    subject: str
    verdict: Verdict
    detail: str


def examine(arguments: Sequence[str]) -> tuple[int, str]:
    """Runs the `doctor` command.

    Args:
        arguments: the command line after `doctor`: the service's own options, and `--json`.

    Returns:
        The exit code, 1 if there is a fault and else 0, and the report.

    Raises:
        ConfigurationError: if an option is wrong.
    """
    settings = load_settings([argument for argument in arguments if argument != "--json"])
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _versions, _cores, _memory, _shared_objects, _providers, _paths, _port,
    )  # fmt: skip
    findings = [finding for check in checks for finding in check(settings)]
    faults = sum(finding.verdict == "fault" for finding in findings)
    if "--json" in arguments:
        report = json.dumps(
            {"healthy": not faults, "findings": [asdict(finding) for finding in findings]}, indent=1
        )
    else:
        width = max(len(finding.subject) for finding in findings)
        report = "\n".join(
            f"{_MARKS[finding.verdict]}  {finding.subject:{width}}  {finding.detail}"
            for finding in findings
        )
    return (1 if faults else 0), report


def _versions(_: Settings) -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.machine()}")
    found = [f"{name} {installed}" for name in _LIBRARIES if (installed := _installed(name))]
    yield Finding("libraries", "ok", ", ".join(found))
    runtimes = [f"{name} {installed}" for name in _RUNTIMES if (installed := _installed(name))]
    if len(runtimes) == 1:
        yield Finding("onnxruntime", "ok", runtimes[0])
    elif runtimes:
        yield Finding(
            "onnxruntime",
            "fault",
            f"{' and '.join(runtimes)} overwrite each other's files; make a new environment"
            " with one of them",
        )
    else:
        yield Finding("onnxruntime", "fault", "not installed; install the extra cpu or gpu")


def _cores(settings: Settings) -> Iterator[Finding]:
    cores, quota = available_cores(), core_quota()
    text = f"{cores} to be used; the machine has {os.cpu_count()}, the quota is {quota or 'none'}"
    if quota is not None and quota < 1:
        yield Finding("cores", "warning", f"{text}; below one core every request is held up")
    elif quota is not None and quota % 1:
        yield Finding("cores", "warning", f"{text}; a part of a core is not used, give whole ones")
    elif settings.inference_threads > cores:
        yield Finding("cores", "warning", f"{text}; inference_threads is above that")
    else:
        yield Finding("cores", "ok", text)


def _memory(_: Settings) -> Iterator[Finding]:
    # Whether it suffices is judged with the model.
    limit = memory_limit_bytes()
    yield Finding("memory limit", "ok", "none" if limit is None else f"{limit / 2**20:.0f} MiB")


def _shared_objects(_: Settings) -> Iterator[Finding]:
    """Loads the GPU providers' libraries, whose loader names what is missing."""
    spec = importlib.util.find_spec("onnxruntime")
    if spec is None or spec.origin is None:
        return
    folder = Path(spec.origin).parent / "capi"
    for name in ("cuda", "tensorrt"):
        library = folder / f"libonnxruntime_providers_{name}.so"
        if not library.is_file():
            continue
        try:
            import onnxruntime

            onnxruntime.preload_dlls()
            ctypes.CDLL(str(folder / "libonnxruntime_providers_shared.so"), ctypes.RTLD_GLOBAL)
            ctypes.CDLL(str(library))
            yield Finding(f"{name} libraries", "ok", "all there")
        except (ImportError, OSError) as error:
            yield Finding(f"{name} libraries", "warning", f"{error}; install what is missing")


def _providers(settings: Settings) -> Iterator[Finding]:
    """Loads the model on each provider as the service would: compiled in is not yet working."""
    try:
        from app.engines.onnx_engine import OnnxEngines

        providers = OnnxEngines(settings.provider).providers()
    except (ConfigurationError, ImportError) as error:
        yield Finding("providers", "fault", str(error))
        return
    verdicts: list[Verdict] = []
    for provider in providers:
        try:
            text = _load(settings, provider)
            verdicts.append("ok")
        except ConfigurationError as error:
            text = str(error)
            is_last_hope = provider == providers[-1] and "ok" not in verdicts
            verdicts.append("fault" if is_last_hope else "warning")
        yield Finding(f"provider {provider}", verdicts[-1], text)


def _load(settings: Settings, provider: "Provider") -> str:
    from app.engines.onnx_engine import OnnxEngines
    from app.repository.models import ModelRepository
    from app.serving.loading import load_model

    loaded = load_model(
        ModelRepository(settings.model_repository),
        OnnxEngines(provider, max_batch_size=settings.max_batch_size),
        model=settings.model,
        precision=settings.precision,
        max_batch_size=settings.max_batch_size,
        cores=available_cores(),
        inference_threads=settings.inference_threads,
        max_accuracy_drop=settings.max_accuracy_drop,
        cache=choice_cache(settings.cache_directory),
        memory_limit_bytes=memory_limit_bytes(),
    )
    model = loaded.model
    return (
        f"{model.name}:{model.version} {model.variant.precision} verified, warmed and self-tested;"
        f" {loaded.choice}"
    )


def _paths(settings: Settings) -> Iterator[Finding]:
    # The service needs to write nowhere, so that no answer about that is a fault.
    repository = settings.model_repository
    if not os.access(repository, os.R_OK | os.X_OK):
        yield Finding("models", "fault", f"{repository} cannot be read by user {os.getuid()}")
    elif os.access(repository, os.W_OK):
        yield Finding("models", "ok", f"{repository}, writable; read-only is enough")
    else:
        yield Finding("models", "ok", f"{repository}, read-only")
    try:
        with tempfile.TemporaryFile():
            yield Finding("temporary files", "ok", f"{tempfile.gettempdir()}, not needed")
    except OSError:
        yield Finding("temporary files", "ok", "no writable folder, and none is needed")
    yield Finding("cache", "ok", _cache(settings.cache_directory or user_cache_directory()))


def _cache(folder: Path | None) -> str:
    if folder is None:
        return "none, for the user has no home; the engine is measured at each start"
    if not folder.is_dir():
        parent = next(parent for parent in folder.parents if parent.exists())
        if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
            return f"{folder}, nothing measured yet"
    elif os.access(folder, os.W_OK | os.X_OK):
        return f"{folder}, {len(list(folder.glob('*.json')))} measured choices"
    return f"{folder} cannot be written; the engine is measured at each start"


def _port(settings: Settings) -> Iterator[Finding]:
    where = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            # Of two services that bind one port, the second fails only here.
            listener.listen()
        except OSError as error:
            if _answers(settings.port):
                yield Finding("port", "ok", f"{where} is served by this service already")
            else:
                yield Finding("port", "fault", f"{where}: {error.strerror}; choose another --port")
        else:
            yield Finding("port", "ok", f"{where} is free")


def _answers(port: int) -> bool:
    """Whether a service of this kind lives at the port."""
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/livez", timeout=_TIMEOUT_SECONDS
        ) as answer:
            return bool(json.load(answer) == {"status": "alive"})
    except (OSError, ValueError):
        return False


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
