"""What kind of file a user gave, from its first bytes and, for archives, its members' names."""

import zipfile
from enum import StrEnum
from pathlib import Path, PurePosixPath
from types import MappingProxyType


class FileKind(StrEnum):
    """Files that people take for what `torch.save` wrote; the value completes `FILE is ...`."""

    SAFETENSORS = "a safetensors file"
    EXPORTED_PROGRAM = "an exported program"
    TORCHSCRIPT = "a TorchScript archive"
    ONNX = "an ONNX file"
    HDF5 = "an HDF5 file, as Keras writes it"
    COMPRESSED = "compressed"
    POINTER = "a pointer of Git LFS in place of the file"


# What to do with a file of each kind where `torch.save`'s is wanted.
REMEDIES = MappingProxyType(
    {
        FileKind.SAFETENSORS: "it holds weights without their network",
        FileKind.EXPORTED_PROGRAM: "give it as --exported-program",
        FileKind.TORCHSCRIPT: "save its weights with"
        " torch.save(torch.jit.load(FILE).state_dict(), NEW) and give NEW with the network's name",
        FileKind.ONNX: "give it as --onnx",
        FileKind.HDF5: "give the weights of a PyTorch network",
        FileKind.COMPRESSED: "unpack it first",
        FileKind.POINTER: "fetch the file itself: git lfs pull",
    }
)

_BEGINNINGS = MappingProxyType(
    {
        b"\xfd7zXZ\x00": FileKind.COMPRESSED,
        b"\x1f\x8b": FileKind.COMPRESSED,
        b"BZh": FileKind.COMPRESSED,
        b"\x28\xb5\x2f\xfd": FileKind.COMPRESSED,
        b"\x89HDF": FileKind.HDF5,
        b"version https://git-lfs": FileKind.POINTER,
    }
)
_ZIP = b"PK\x03\x04"


def kind_of(path: Path) -> FileKind | None:
    """The kind of the file, or None if it is missing, damaged or of no kind known here."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError:
        return None
    for beginning, kind in _BEGINNINGS.items():
        if start.startswith(beginning):
            return kind
    if start.startswith(_ZIP):
        return _kind_of_archive(path)
    # A length in eight bytes, then a JSON object.
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size - 8:
        return FileKind.SAFETENSORS
    return FileKind.ONNX if path.suffix.lower() == ".onnx" else None


def _kind_of_archive(path: Path) -> FileKind | None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [PurePosixPath(name) for name in archive.namelist()]
    # Names may be of any encoding, and directories of any length.
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return None
    names = {member.name for member in members}
    if names & {"archive_format", "serialized_exported_program.json"}:
        return FileKind.EXPORTED_PROGRAM
    if "constants.pkl" in names and any("code" in member.parts[1:2] for member in members):
        return FileKind.TORCHSCRIPT
    return None
