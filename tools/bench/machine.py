"""The machine that the figures belong to."""

import datetime
import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app.hardware import available_cores

_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "pillow", "numpy", "fastapi", "uvicorn")


def describe(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """What a reader must know to compare: processor, its vector instructions, cores, versions.

    Args:
        cpuinfo: where Linux describes its processors.
    """
    fields = _first_processor(cpuinfo.read_text())
    flags = flags_of(fields)
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": fields.get("model name", platform.machine()),
        "instructions": " ".join(flags) or "none that matter",
        "cores": str(available_cores()),
        **({"GPU": card} if (card := _card()) else {}),
        "Python": platform.python_version(),
        **{name: found for name in _PACKAGES if (found := _version(name)) is not None},
    }


def flags_of(fields: Mapping[str, str]) -> list[str]:
    """Those of the processor's flags that decide how fast a convolution is."""
    present = set(fields.get("flags", "").split())
    return [flag for flag in _FLAGS if flag in present]


def _first_processor(text: str) -> dict[str, str]:
    lines = text.partition("\n\n")[0].splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _card() -> str | None:
    """The name and driver of the first NVIDIA card."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=name,driver_version", "--format=csv,noheader", "--id=0"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)  # noqa: S603 - NVIDIA's own
    return done.stdout.strip() or None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
