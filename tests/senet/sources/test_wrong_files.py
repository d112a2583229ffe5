"""A file given to the wrong option, or of a kind that is not read, gets the way out in one line."""

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.export import Dim, export

from app.contract.errors import ConfigurationError
from senet.sources import SourceOptions, load_source

from .tiny import SIZE, TinyNet

MODULE = "tests.senet.sources.tiny:TinyNet"


def script(path: Path) -> None:
    network = TinyNet().eval()
    torch.jit.trace(network, torch.ones(1, 3, SIZE, SIZE)).save(path)  # type: ignore[no-untyped-call]


def program(path: Path) -> None:
    example = (torch.randn(2, 3, SIZE, SIZE),)
    dynamic = ({0: Dim("batch")},)
    torch.export.save(export(TinyNet().eval(), example, dynamic_shapes=dynamic), path)


def weights(path: Path) -> None:
    torch.save(TinyNet().state_dict(), path)


def safetensors(path: Path) -> None:
    path.write_bytes((2).to_bytes(8, "little") + b"{}")


def pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")


FILES = [
    (script, "weights.pt", "TorchScript archive", "torch.jit.load(FILE).state_dict()"),
    (program, "weights.pt", "an exported program", "give it as --exported-program"),
    (lambda path: path.write_bytes(b"\x08\x07"), "net.onnx", "an ONNX file", "give it as --onnx"),
    (lambda path: path.write_bytes(b"\x89HDF\r\n"), "net.h5", "an HDF5 file", "of a PyTorch"),
    (lambda path: path.write_bytes(gzip.compress(b"x")), "w.pt.gz", "is compressed", "unpack"),
    (lambda path: path.write_bytes(lzma.compress(b"x")), "w.pt.xz", "is compressed", "unpack"),
    (pointer, "weights.pt", "a pointer of Git LFS", "git lfs pull"),
]


@pytest.mark.parametrize("module", [MODULE, None])
@pytest.mark.parametrize(("write", "name", "cause", "remedy"), FILES)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_where_weights_are_wanted(
    tmp_path: Path,
    write: Callable[[Path], object],
    name: str,
    cause: str,
    remedy: str,
    module: str | None,
) -> None:
    write(tmp_path / name)
    with pytest.raises(ConfigurationError) as caught:
        load_source(SourceOptions(checkpoint=tmp_path / name, module=module))
    assert caught.value.option == "--checkpoint"
    assert cause in caught.value.cause
    assert remedy in caught.value.remedy
    assert "--architecture" not in caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("write", "name", "cause", "remedy"),
    [
        (weights, "program.pt2", "was written by torch.save", "give it as --checkpoint"),
        (safetensors, "model.safetensors", "a safetensors file", "give it as --checkpoint"),
        *(entry for entry in FILES if entry[0] is not program),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_where_a_program_is_wanted(
    tmp_path: Path, write: Callable[[Path], object], name: str, cause: str, remedy: str
) -> None:
    write(tmp_path / name)
    with pytest.raises(ConfigurationError) as caught:
        load_source(SourceOptions(program=tmp_path / name))
    assert caught.value.option == "--exported-program"
    assert cause in caught.value.cause
    assert remedy in caught.value.remedy
    assert "\n" not in str(caught.value)


def test_safetensors_alone_ask_for_their_network(tmp_path: Path) -> None:
    safetensors(tmp_path / "model.safetensors")
    with pytest.raises(ConfigurationError, match=r"a safetensors file.*--architecture, --timm or"):
        load_source(SourceOptions(checkpoint=tmp_path / "model.safetensors"))
