"""Judges what the machine, or the container, gives: cores, memory, folders, files and ports."""

import json
import os
import socket
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from app.cli.doctor.finding import Finding
from app.hardware import available_cores, core_quota, memory_limit_bytes
from app.selection.cache import user_cache_directory
from app.settings import Settings
from app.transport.open_files import open_files, shortage

_TIMEOUT_SECONDS = 2


def cores(settings: Settings) -> Iterator[Finding]:
    """How many cores may be used, by affinity and quota."""
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


def memory(_: Settings) -> Iterator[Finding]:
    """The container's limit. Whether it suffices is judged with the model."""
    limit = memory_limit_bytes()
    yield Finding("memory limit", "ok", "none" if limit is None else f"{limit / 2**20:.0f} MiB")


def paths(settings: Settings) -> Iterator[Finding]:
    """What can be read and written; the service needs to write nowhere."""
    repository = settings.model_repository
    if isinstance(repository, str):
        yield Finding("models", "ok", f"{repository}, copied to the cache")
    elif not os.access(repository, os.R_OK | os.X_OK):
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


def files(settings: Settings) -> Iterator[Finding]:
    """Whether as many connections as are wanted can be open."""
    if (text := shortage(settings)) is not None:
        yield Finding("open files", "warning", text)
    else:
        needed, _ = open_files(settings)
        yield Finding("open files", "ok", f"{needed} may be needed, and the limit allows them")


def ports(settings: Settings) -> Iterator[Finding]:
    """Whether the ports are free, or this service's already."""
    if settings.uds is not None:
        yield Finding("port", "ok", f"none is needed, the service listens on {settings.uds}")
    else:
        yield _port(settings.host, settings.port, "port")
    if settings.operations_port is not None:
        yield _port(settings.host, settings.operations_port, "operations port")
    if settings.grpc_port is not None:
        yield _port(settings.host, settings.grpc_port, "grpc port", settings.port)


def _port(host: str, number: int, name: str, http_port: int | None = None) -> Finding:
    """Whether a port is free; `http_port` tells who lives there where it does not itself."""
    where = f"{host}:{number}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
            # Of two services that bind one port, the second fails only here.
            listener.listen()
        except OSError as error:
            if _answers(number if http_port is None else http_port):
                return Finding(name, "ok", f"{where} is served by this service already")
            option = name.replace(" ", "-")
            return Finding(name, "fault", f"{where}: {error.strerror}; choose another --{option}")
        return Finding(name, "ok", f"{where} is free")


def _answers(port: int) -> bool:
    """Whether a service of this kind lives at the port."""
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/livez", timeout=_TIMEOUT_SECONDS
        ) as answer:
            return bool(json.load(answer) == {"status": "alive"})
    except (OSError, ValueError):
        return False
