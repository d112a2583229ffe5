"""An output that is a URL: the finished files are copied there."""

from collections.abc import Sequence
from pathlib import Path

from senet_client.score import storage
from senet_client.score.failures import ScoreError, Stopped, WrongOption


def is_there(url: str, *, is_file: bool) -> bool:
    """Whether a file, or a folder with anything in it, is at a URL.

    Raises:
        WrongOption: if its storage cannot be asked.
    """
    try:
        system, path = storage.remote_system(url)
        if is_file:
            return bool(system.exists(path))
        return bool(system.exists(path)) and bool(system.ls(path, detail=False))
    except WrongOption as error:
        raise WrongOption("--output", str(error).partition(": ")[2], "correct it") from error
    except Exception as error:  # every remote file system has exceptions of its own
        raise WrongOption(
            "--output",
            f"{url} cannot be looked at ({_told(error)})",
            "check its name, the permissions or credentials, and the network",
        ) from error


def upload(files: Sequence[Path], url: str, *, is_file: bool) -> None:
    """Copies files to a URL. Each appears there whole, or not at all, as object storages do it.

    Args:
        files: the one file, or a folder's; a file of that name is replaced.
        url: of the file, or of the folder.
        is_file: which of them.

    Raises:
        Stopped: if the storage does not take them; the same command tries again.
    """
    try:
        system, path = storage.remote_system(url)
        if not is_file:
            system.makedirs(path, exist_ok=True)
        for file in files:
            system.put_file(str(file), path if is_file else f"{path}/{file.name}")
    except ScoreError:
        raise
    except Exception as error:  # likewise
        raise Stopped(f"{url} cannot be written ({_told(error)})") from error


def fetch(url: str, file: Path) -> None:
    """Copies a file from a URL.

    Raises:
        Exception: whatever its storage raises.
    """
    system, path = storage.remote_system(url)
    system.get_file(path, str(file))


def names(url: str) -> list[str]:
    """The names of what is in a folder; none if it is not there.

    Raises:
        Stopped: if its storage does not answer.
    """
    try:
        system, path = storage.remote_system(url)
        if not system.exists(path):
            return []
        return [str(name).rpartition("/")[2] for name in system.ls(path, detail=False)]
    except ScoreError:
        raise
    except Exception as error:  # likewise
        raise Stopped(f"{url} cannot be listed ({_told(error)})") from error


def remove(url: str, removed: Sequence[str]) -> None:
    """Removes files of a folder.

    Raises:
        Stopped: if its storage does not let it.
    """
    try:
        system, path = storage.remote_system(url)
        for name in removed:
            system.rm_file(f"{path}/{name}")
    except ScoreError:
        raise
    except Exception as error:  # likewise
        raise Stopped(f"{url} cannot be changed ({_told(error)})") from error


def remove_parts(url: str) -> None:
    """Removes the parts of an earlier run from a folder.

    Raises:
        WrongOption: if the folder holds anything that no run wrote.
        Stopped: if its storage does not let it.
    """
    found = names(url)
    foreign = [name for name in found if not name.startswith("part-")]
    if foreign:
        raise WrongOption(
            "--overwrite",
            f"{url} also holds {foreign[0]}, which is not of a scoring run",
            "choose another --output or empty it yourself",
        )
    remove(url, found)


def _told(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
