"""Judges what is installed: libraries, shared objects, and providers by loading the model."""

import ctypes
import importlib.util
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.doctor.finding import Finding, Verdict
from app.contract.errors import ConfigurationError
from app.engines.cudnn import require_cudnn
from app.settings import Settings

if TYPE_CHECKING:
    from app.engines.engine import Provider

_LIBRARIES = (
    "fastapi", "uvicorn", "pydantic", "numpy", "pillow", "prometheus-client", "opentelemetry-sdk",
)  # fmt: skip
_RUNTIMES = ("onnxruntime", "onnxruntime-gpu")


def versions(_: Settings) -> Iterator[Finding]:
    """Which Python and libraries there are, and that there is one ONNX Runtime."""
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


def shared_objects(_: Settings) -> Iterator[Finding]:
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
            if name == "cuda":
                require_cudnn()
            yield Finding(f"{name} libraries", "ok", "all there")
        except ConfigurationError as error:
            yield Finding(f"{name} libraries", "warning", str(error))
        except (ImportError, OSError) as error:
            yield Finding(f"{name} libraries", "warning", f"{error}; install what is missing")


def providers(settings: Settings) -> Iterator[Finding]:
    """Loads each model on each provider as the service would: compiled in is not yet working."""
    try:
        from app.engines.onnx_engine import OnnxEngines
        from app.selection.configured import configured_models, configured_repository

        providers = OnnxEngines(settings.provider).providers()
        models = configured_models(settings, configured_repository(settings))
    except (ConfigurationError, ImportError) as error:
        yield Finding("providers", "fault", str(error))
        return
    for model in models:
        name = f"{model} on " if len(models) > 1 else ""
        verdicts: list[Verdict] = []
        for provider in providers:
            try:
                text = _load(settings, model, provider)
                verdicts.append("ok")
            except ConfigurationError as error:
                text = str(error)
                is_last_hope = provider == providers[-1] and "ok" not in verdicts
                verdicts.append("fault" if is_last_hope else "warning")
            yield Finding(f"{name}provider {provider}", verdicts[-1], text)


def _load(settings: Settings, model: str, provider: "Provider") -> str:
    from app.engines.onnx_engine import OnnxEngines
    from app.selection.configured import load_configured

    engines = OnnxEngines(provider, max_batch_size=settings.max_batch_size)
    loaded = load_configured(settings, engines, model)
    served = loaded.model
    return (
        f"{served.name}:{served.version} {served.variant.precision} verified, warmed and"
        f" self-tested; {loaded.choice}"
    )


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
