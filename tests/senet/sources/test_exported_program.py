"""Exported programs are loaded without unpickling objects."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.export import Dim, export

from app.contract.errors import ConfigurationError
from senet.sources.exported_program import load

from .tiny import SIZE, TinyNet


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.pt2"
    example = (torch.randn(2, 3, SIZE, SIZE),)
    exported = export(TinyNet().eval(), example, dynamic_shapes=({0: Dim("batch")},))
    torch.export.save(exported, path)
    return path


class Code:
    """Runs a command when it is unpickled carelessly."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.trace}",)


def rewrite(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    """Passes every member of the archive through `change`."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, change(name, content))


def test_sample_inputs_with_code_are_refused_and_not_run(program: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    pickled = io.BytesIO()
    torch.save(Code(trace), pickled)
    rewrite(program, lambda name, content: pickled.getvalue() if name.endswith(".pt") else content)
    with pytest.raises(ConfigurationError, match=r"sample_inputs.* holds pickled objects"):
        load(program)
    assert not trace.exists()


def test_weights_marked_as_pickles_are_refused(program: Path) -> None:
    def mark(name: str, content: bytes) -> bytes:
        if not name.endswith("model_weights_config.json"):
            return content
        document = json.loads(content)
        document["config"]["fc.bias"]["use_pickle"] = True
        return json.dumps(document).encode()

    rewrite(program, mark)
    with pytest.raises(ConfigurationError, match=r"weights_config.* holds pickled objects"):
        load(program)


@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_refused(program: Path, part: float) -> None:
    content = program.read_bytes()
    program.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ConfigurationError, match="missing, truncated or not an exported program"):
        load(program)


def test_a_damaged_graph_is_refused(program: Path) -> None:
    rewrite(program, lambda name, content: b"{}" if name.endswith("models/model.json") else content)
    with pytest.raises(ConfigurationError, match="missing, truncated or not an exported program"):
        load(program)


def test_weights_alone_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt2"
    torch.save(TinyNet().state_dict(), path)
    with pytest.raises(ConfigurationError, match="not an exported program"):
        load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="missing"):
        load(tmp_path / "absent.pt2")


def test_the_format_of_an_older_pytorch_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
    with pytest.raises(ConfigurationError, match="format of an older PyTorch"):
        load(path)
