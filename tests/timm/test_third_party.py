"""A network trained by others, end to end: its weights, exported, served, and asked over HTTP.

Google's MobileNetV3-Small for ImageNet-1k has SE blocks, and layers between its pooling and its
classifier. Its published figures are reached, with the answers that timm gives for the same pixels.
"""

import json
import tarfile
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from app.engines.onnx_engine import OnnxEngines
from app.settings import Settings
from scripts import export_onnx
from senet.evaluation import Photos, load_photos
from senet.sources import PreprocessingOptions, SourceModel, SourceOptions, load_source
from tests.support.server import running

NETWORK = "tf_mobilenetv3_small_100"
NAME = "mobilenet"

pytestmark = [pytest.mark.needs_data("third-party-networks"), pytest.mark.needs_data("imagenette")]


@pytest.fixture(scope="module")
def folder(data_sets: Path) -> Path:
    return data_sets / "third-party-networks"


@pytest.fixture(scope="module")
def photos(folder: Path, data_sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 134 photos that were held out, in class folders: ten classes of a thousand."""
    ids = [line.split()[1] for line in (folder / "labels.txt").read_text("utf-8").splitlines()]
    root = tmp_path_factory.mktemp("photos")
    with tarfile.open(data_sets / "imagenette" / "imagenette-val-224.tar") as archive:
        for line in (folder / "heldout-134.tsv").read_text().splitlines():
            member, index = line.split("\t")
            target = root / ids[int(index)]
            target.mkdir(exist_ok=True)
            content = archive.extractfile(member)
            assert content is not None
            (target / Path(member).name).write_bytes(content.read())
    return root


@pytest.fixture(scope="module")
def repository(folder: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published version: at 224 pixels, in every precision that was worth it."""
    root = tmp_path_factory.mktemp("models")
    arguments = [
        f"--timm={NETWORK}",
        f"--checkpoint={folder / (NETWORK + '.pth')}",
        f"--labels={folder / 'labels.txt'}",
        "--resize-shorter-side=224",
        f"--evaluate={photos}",
        f"--calibration-photos={photos}",
        "--precision=fp32,fp16,int8",
        f"--name={NAME}",
        f"--repository={root}",
    ]
    assert export_onnx.main(arguments) == 0
    return root


@pytest.fixture(scope="module")
def source(folder: Path) -> SourceModel:
    return load_source(
        SourceOptions(
            timm=NETWORK,
            checkpoint=folder / f"{NETWORK}.pth",
            labels=folder / "labels.txt",
            preprocessing=PreprocessingOptions(resize_shorter_side=224),
        )
    )


@pytest.fixture(scope="module")
def prepared(source: SourceModel, photos: Path) -> Photos:
    return load_photos("--evaluate", photos, source.labels, source.preprocessing)


def timm_logits(folder: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Of timm's own network, without anything of ours, for pixels uint8 [n, 224, 224, 3]."""
    network: nn.Module = import_module("timm").create_model(NETWORK)
    state = torch.load(folder / f"{NETWORK}.pth", weights_only=True)
    network.load_state_dict(state)
    network.eval()
    with torch.inference_mode():
        scaled = (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
        logits: NDArray[np.float32] = network(scaled).numpy()
    return logits


def test_what_is_served_is_what_timm_answers_with_the_published_accuracy(
    repository: Path, prepared: Photos, folder: Path
) -> None:
    settings = Settings(
        model_repository=repository, model=NAME, provider="cpu", precision="fp32", port=0
    )
    top5: list[list[int]] = []
    with running(settings, OnnxEngines("cpu")) as server, server.client() as client:
        for path in prepared.files:
            answer = client.post(
                "/classify",
                params={"top_k": 5},
                content=path.read_bytes(),
                headers={"content-type": "image/jpeg"},
            )
            assert answer.status_code == 200, answer.text
            predictions = answer.json()["results"][0]["predictions"]
            top5.append([prediction["class_index"] for prediction in predictions])
        refused = client.post(
            "/classify",
            params={"include": "cam"},
            content=prepared.files[0].read_bytes(),
            headers={"content-type": "image/jpeg"},
        )
    served = np.array(top5)
    np.testing.assert_array_equal(served[:, 0], timm_logits(folder, prepared.images).argmax(1))
    right = served == prepared.targets[:, None]
    assert right[:, 0].mean() == pytest.approx(0.597, abs=0.001)
    assert right.any(axis=1).mean() == pytest.approx(0.821, abs=0.001)
    assert refused.status_code == 422
    assert refused.json()["code"] == "output_not_available"


def test_fp16_is_published_and_int8_left_out_with_its_reasons(repository: Path) -> None:
    report = json.loads((repository / NAME / "1" / "report.json").read_text())
    assert [variant["precision"] for variant in report["variants"]] == ["fp32", "fp16"]
    assert report["variants"][1]["parity"]["top1_agreement"] >= 0.99
    reasons = " ".join(report["left_out"]["int8"])
    assert "agrees with fp32 on" in reasons
    assert "could not tell a broken file" in reasons
    assert not (repository / NAME / "1" / "model.int8.onnx").exists()


def test_no_map_and_no_second_classifier_are_stored(repository: Path) -> None:
    report = json.loads((repository / NAME / "1" / "report.json").read_text())
    assert report["outputs"] == {
        "logits": "float [batch, 1000]",
        "embedding": "float [batch, 1024]",
    }
    # 2.54 million parameters of four bytes.
    assert report["variants"][0]["bytes"] == pytest.approx(10.2e6, rel=0.02)
    manifest = json.loads((repository / NAME / "1" / "manifest.json").read_text())
    outputs = manifest["signature"]["outputs"]
    assert [output["meaning"] for output in outputs] == ["logits", "embedding"]


def test_classes_without_photos_are_counted(repository: Path) -> None:
    report = json.loads((repository / NAME / "1" / "report.json").read_text())
    assert "--evaluate: 990 of 1,000 classes have no photos." in report["notes"]
