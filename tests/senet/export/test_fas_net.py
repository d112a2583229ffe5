"""An awkward checkpoint of others, exported: no pooling, two layers at the end, blue first."""

import json
from pathlib import Path

import pytest

from scripts import export_onnx


@pytest.mark.needs_data("third-party-networks")
def test_a_network_without_pooling_is_published_without_maps(
    data_sets: Path, photo_folder: Path, tmp_path: Path
) -> None:
    folder = data_sets / "third-party-networks"
    arguments = [
        "--module=tests.senet.export.fas_net:FasNet",
        f"--checkpoint={folder / 'minifasnet_v1se_80x80.pth'}",
        f"--labels={folder / 'minifasnet_labels.txt'}",
        "--resize-shorter-side=80",
        "--crop-height=80",
        "--crop-width=80",
        "--mean=0,0,0",
        "--std=0.00392156863,0.00392156863,0.00392156863",
        f"--photos={photo_folder}",
        "--name=fasnet",
        f"--repository={tmp_path}",
    ]
    assert export_onnx.main(arguments) == 0
    report = json.loads((tmp_path / "fasnet" / "1" / "report.json").read_text())
    assert list(report["outputs"]) == ["logits", "embedding"]
    assert report["outputs"]["embedding"] == "float [batch, 128]"
    blocks = [block["block"] for block in report["gates"]["blocks"]]
    assert blocks == ["conv_3.model.3", "conv_4.model.5", "conv_5.model.1"]
