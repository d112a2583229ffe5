"""Sockets other than a TCP port of our own: a Unix socket, and the one that systemd passes."""

import errno
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

from app.contract.errors import ConfigurationError

# Of systemd's protocol, sd_listen_fds(3).
_FIRST_DESCRIPTOR = 3
# The service's user and group; who else may come is a matter of the folder.
_MODE = 0o660


def passed_socket(variables: Mapping[str, str]) -> socket.socket | None:
    """The listening socket that systemd passes to a service with a socket unit; None without one.

    Args:
        variables: the environment.

    Raises:
        ConfigurationError: if there is not exactly one, or it does not listen for streams.
    """
    # The variables may be somebody else's, inherited by accident.
    if variables.get("LISTEN_PID") != str(os.getpid()):
        return None
    if variables.get("LISTEN_FDS") != "1":
        raise ConfigurationError(
            "LISTEN_FDS",
            f"{variables.get('LISTEN_FDS')} sockets are passed, and one can be served",
            "leave one ListenStream in the socket unit",
        )
    try:
        passed = socket.socket(fileno=_FIRST_DESCRIPTOR)
    except OSError as error:
        raise ConfigurationError(
            "LISTEN_FDS",
            f"descriptor {_FIRST_DESCRIPTOR} is not a socket ({error.strerror})",
            "start the service by its socket unit, or without LISTEN_PID and LISTEN_FDS",
        ) from error
    is_stream = passed.type == socket.SOCK_STREAM
    if not is_stream or not passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise ConfigurationError(
            "LISTEN_FDS",
            "the socket that is passed does not listen for streams",
            "use ListenStream, and Accept=no, in the socket unit",
        )
    passed.set_inheritable(False)
    return passed


def unix_socket(path: Path) -> socket.socket:
    """A listening Unix socket. One that a process has left behind is replaced.

    Raises:
        ConfigurationError: if there is no listening at that path.
    """
    _remove_left_behind(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(_MODE)
        listener.listen()
    except OSError as error:  # of a path that is too long it has no strerror
        listener.close()
        raise _refusal(path, error.strerror or str(error)) from error
    return listener


def _remove_left_behind(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise _refusal(path, "there is a file there that is not a socket")
    except OSError:  # not there, or bind says why it cannot be
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as visitor:
        try:
            visitor.connect(str(path))
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                path.unlink(missing_ok=True)
        else:
            raise _refusal(path, "another process listens there")


def _refusal(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        "uds",
        f"cannot listen on {path} ({reason})",
        "choose another --uds (SENET_UDS), in a folder that the service may write to",
    )
