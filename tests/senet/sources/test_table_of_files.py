"""Every row of the table in docs/weights.md is tried: taken with its logits, or refused so."""

import argparse
import gzip
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.export import Dim, export
from torch.optim.swa_utils import AveragedModel

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label, Preprocessing
from senet import checkpoint, networks
from senet.sources import PreprocessingOptions, SourceOptions, load_source

from .onnx_files import classifier, written
from .tiny import CLASSES, SIZE, TinyNet

PAGE = Path(__file__).parents[3] / "docs" / "weights.md"
TAKEN = "taken"
TINY = "tests.senet.sources.tiny"
SIZES = PreprocessingOptions(
    resize_shorter_side=SIZE, crop_height=SIZE, crop_width=SIZE,
    mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5),
)  # fmt: skip
Made = SourceOptions
Maker = Callable[[Path], Made]


def tiny() -> nn.Module:
    torch.manual_seed(0)
    return TinyNet().eval()


def prefixed(prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: value for name, value in tiny().state_dict().items()}


def weights(content: Callable[[], object], name: str = "w.pth", factory: str = "TinyNet") -> Maker:
    """A file of `torch.save`, given as the weights of a module."""

    def make(folder: Path) -> Made:
        torch.save(content(), folder / name)
        return SourceOptions(checkpoint=folder / name, module=f"{TINY}:{factory}")

    return make


def content(data: Callable[[], bytes], name: str) -> Maker:
    """Bytes, given as the weights of a module."""

    def make(folder: Path) -> Made:
        (folder / name).write_bytes(data())
        return SourceOptions(checkpoint=folder / name, module=f"{TINY}:TinyNet")

    return make


def safetensors() -> bytes:
    header, body = [], b""
    for name, value in tiny().state_dict().items():
        data = value.numpy().tobytes()
        kind = {torch.float32: "F32", torch.int64: "I64"}[value.dtype]
        place = [len(body), len(body) + len(data)]
        header.append(
            f'"{name}":{{"dtype":"{kind}","shape":{list(value.shape)},"data_offsets":{place}}}'
        )
        body += data
    text = ("{" + ",".join(header) + "}").encode()
    return struct.pack("<Q", len(text)) + text + body


def timm_training() -> object:
    return {
        "epoch": 3, "arch": "x", "args": argparse.Namespace(lr=0.1), "metric": np.float64(80),
        "state_dict": {}, "state_dict_ema": tiny().state_dict(),
    }  # fmt: skip


def own(folder: Path) -> Made:
    labels = tuple(Label(index=index, id=f"c{index}", name="x") for index in range(CLASSES))
    sizes = Preprocessing(resize_shorter_side=SIZE, crop_height=SIZE, crop_width=SIZE)
    network = networks.build("se_resnet_mini", CLASSES)
    saved = checkpoint.Checkpoint(
        "se_resnet_mini", labels, sizes, network.state_dict(), "drawn, seed 0"
    )
    checkpoint.save(folder / "checkpoint.pt", saved)
    return SourceOptions(checkpoint=folder / "checkpoint.pt")


def old_format(folder: Path) -> Made:
    torch.save(tiny().state_dict(), folder / "w", _use_new_zipfile_serialization=False)
    return SourceOptions(checkpoint=folder / "w", module=f"{TINY}:TinyNet")


def published(folder: Path) -> Made:
    network = networks.build("se_resnet_mini", CLASSES)
    torch.save(network.state_dict(), folder / "w.pth")
    return SourceOptions(checkpoint=folder / "w.pth", architecture="se_resnet_mini")


def script(folder: Path) -> Made:
    path = folder / "w.pt"
    torch.jit.trace(tiny(), torch.ones(1, 3, SIZE, SIZE)).save(path)  # type: ignore[no-untyped-call]
    return SourceOptions(checkpoint=path, module=f"{TINY}:TinyNet")


def program(folder: Path) -> Path:
    path = folder / "p.pt2"
    shapes = ({0: Dim("batch")},)
    torch.export.save(export(tiny(), (torch.randn(2, 3, SIZE, SIZE),), dynamic_shapes=shapes), path)
    return path


def quantised() -> object:
    return {**tiny().state_dict(), "fc._packed_params.dtype": torch.qint8}


def onnx_file(**shape: object) -> Maker:
    def make(folder: Path) -> Made:
        return SourceOptions(onnx=written(classifier(**shape), folder))  # type: ignore[arg-type]

    return make


FILES: dict[str, Maker] = {
    "checkpoint of `scripts/train.py`": own,
    "published SENet weights": published,
    "bare state dict": weights(lambda: tiny().state_dict()),
    "`state_dict` beside epoch and optimiser": weights(
        lambda: {"state_dict": tiny().state_dict(), "epoch": 1, "optimizer": {}}
    ),
    "`model_state_dict` (PyTorch's tutorial)": weights(
        lambda: {"model_state_dict": tiny().state_dict(), "optimizer_state_dict": {}}
    ),
    "timm's train.py": weights(timm_training),
    "DDP, `module.`": weights(lambda: prefixed("module.")),
    "`torch.compile` around DDP, `_orig_mod.module.`": weights(
        lambda: prefixed("_orig_mod.module.")
    ),
    "`AveragedModel`": weights(lambda: AveragedModel(tiny()).state_dict()),
    "Lightning, `model.`": weights(lambda: {"state_dict": prefixed("model."), "epoch": 1}),
    "half precision": weights(lambda: {k: v.half() for k, v in tiny().state_dict().items()}),
    "before PyTorch 1.6, no archive": old_format,
    "safetensors": content(safetensors, "model.safetensors"),
    "exported program": lambda folder: SourceOptions(program=program(folder)),
    "ONNX, float NCHW, dynamic batch": onnx_file(),
    "ONNX with a softmax": onnx_file(last="Softmax"),
    "whole network, `torch.save(network)`": weights(tiny),
    "network twice (student, teacher)": weights(
        lambda: prefixed("student.") | prefixed("teacher.")
    ),
    "another network's weights": weights(lambda: TinyNet(width=5).state_dict()),
    "quantised state dict": weights(quantised),
    "TorchScript": script,
    "exported program as weights": lambda folder: SourceOptions(
        checkpoint=program(folder), module=f"{TINY}:TinyNet"
    ),
    "weights as an exported program": lambda folder: SourceOptions(
        program=weights(lambda: tiny().state_dict())(folder).checkpoint
    ),
    "ONNX as weights": content(lambda: b"\x08\x07", "net.onnx"),
    "HDF5 (Keras)": content(lambda: b"\x89HDF\r\n", "net.h5"),
    "compressed": content(lambda: gzip.compress(b"x"), "w.pth.gz"),
    "pointer of Git LFS": content(
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "w.pth"
    ),
    "truncated": content(lambda: b"PK\x03\x04" + bytes(100), "w.pth"),
    "one-channel network": weights(lambda: tiny().state_dict(), factory="Greyscale"),
    "ONNX with a sigmoid": onnx_file(last="Sigmoid"),
    "ONNX of one channel": onnx_file(channels=1),
    "ONNX with a fixed batch": onnx_file(batch=1),
}


def rows() -> dict[str, str]:
    """What becomes of each file, from the page."""
    table = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return {file.strip(): outcome.strip() for file, outcome in table[2:]}


def test_the_table_has_every_kind_that_is_tried() -> None:
    assert list(rows()) == list(FILES)


@pytest.mark.parametrize(("file", "outcome"), rows().items())
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_it_becomes_what_the_table_says(file: str, outcome: str, tmp_path: Path) -> None:
    options = replace(FILES[file](tmp_path), preprocessing=SIZES)
    if file != next(iter(FILES)):
        (tmp_path / "labels.txt").write_text("cat\ndog\nmouse\n")
        options = replace(options, labels=tmp_path / "labels.txt")
    if outcome.startswith(TAKEN):
        source = load_source(options)
        assert len(source.labels) == CLASSES
        if isinstance(source.network, TinyNet):
            images = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
            # Half precision rounds the weights.
            torch.testing.assert_close(source.network(images), tiny()(images), rtol=0, atol=5e-3)
        return
    with pytest.raises(ConfigurationError) as refused:
        load_source(options)
    assert outcome.removeprefix("refused: ") in str(refused.value).replace("`", "")
    assert "\n" not in str(refused.value)
