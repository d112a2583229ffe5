"""Exported programs: `.pt2` files that `torch.export.save` wrote."""

import json
import zipfile
from io import BytesIO
from pathlib import Path

import torch

from app.contract.errors import ConfigurationError
from senet.file_kind import REMEDIES, FileKind, kind_of
from senet.sources.loaded import Loaded, described

_WEIGHTS = "give it as --checkpoint, with the network's name"


def load(file: Path) -> Loaded:
    """Loads a program, which holds network and weights.

    Raises:
        ConfigurationError: if the file is missing or damaged, or holds code or pickled objects.
    """
    kind = kind_of(file)
    if kind not in (None, FileKind.EXPORTED_PROGRAM):
        remedy = _WEIGHTS if kind is FileKind.SAFETENSORS else REMEDIES[kind]
        raise _refusal(f"{file} is {kind}, not an exported program", remedy)
    try:
        _refuse_code(file)
        program = torch.export.load(file)
    except ConfigurationError:
        raise
    except Exception as error:
        # Damaged archives fail in zip, JSON, pickle and PyTorch's own readers.
        raise _refusal(
            f"{file} is missing, truncated or not an exported program",
            "write it with torch.export.save, by the PyTorch that is installed here; weights go to"
            " --checkpoint",
        ) from error
    return Loaded(program, file.stem, described(file))


def _refuse_code(file: Path) -> None:
    """Keeps `torch.export.load` from unpickling objects, which could run code.

    It unpickles without restriction what the archive marks so, objects beside the tensors, and
    sample inputs that aren't plain tensors; a network's graph and weights need none of these.
    """
    with zipfile.ZipFile(file) as archive:
        # Of a truncated program, whose list of members is lost, zipfile finds that of its samples.
        whole = any(entry.header_offset == 0 for entry in archive.infolist())
        if whole and any(Path(name).name == "data.pkl" for name in archive.namelist()):
            raise _refusal(
                f"{file} is not an exported program but was written by torch.save", _WEIGHTS
            )
        for name in archive.namelist():
            member = Path(name)
            if member.suffix == ".pt":
                _load_plain(archive.read(name), file, name)
            elif member.name.endswith("_config.json"):
                entries = json.loads(archive.read(name))["config"].values()
                if any(entry["use_pickle"] for entry in entries):
                    raise _pickled(file, name)
            elif member.name == "serialized_exported_program.json":
                raise _refusal(f"{file} has the format of an older PyTorch", "export it anew")


def _load_plain(content: bytes, file: Path, name: str) -> None:
    try:
        torch.load(BytesIO(content), weights_only=True)
    except Exception as error:
        # As for any pickle, the type of error depends on what it holds.
        raise _pickled(file, name) from error


def _pickled(file: Path, name: str) -> ConfigurationError:
    return _refusal(
        f"{name} of {file} holds pickled objects, which could run code",
        "export a network of plain tensors",
    )


def _refusal(cause: str, remedy: str) -> ConfigurationError:
    return ConfigurationError("--exported-program", cause, remedy)
