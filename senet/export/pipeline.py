"""The whole way from a source model to a published version."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.repository.manifest import Golden, Input, Manifest
from senet.export import golden, onnx_file, parity, publish
from senet.export.graph import ServedGraph
from senet.export.photos import Photos, read
from senet.export.runtime import onnx_runner, torch_runner
from senet.export.variants import Candidate, file_name
from senet.heads import Heads
from senet.sources import SourceModel

_PARITY_PHOTOS = 28


@dataclass(frozen=True)
class Order:
    """What to export and where to.

    Attributes:
        source: the network with its preprocessing and labels.
        name: the model's name in the repository.
        version: its version.
        repository: directory of the model repository.
        photos: real photos to compare PyTorch and ONNX Runtime on, at least 7.
        force: whether an existing version may be replaced.
    """

    source: SourceModel
    name: str
    version: int
    repository: Path
    photos: Photos
    force: bool = False

    @property
    def target(self) -> Path:
        """The version's directory."""
        return self.repository / self.name / str(self.version)


def export(order: Order) -> Manifest:
    """Exports, verifies and publishes.

    Raises:
        ConfigurationError: if anything keeps the model from being served as it was trained;
            nothing is written then.
    """
    publish.refuse_existing(order.target, force=order.force)
    source = order.source
    preprocessing = source.preprocessing
    size = Input(height=preprocessing.crop_height, width=preprocessing.crop_width)
    graph = ServedGraph(Heads(source.network, size.height, size.width), preprocessing).eval()
    model = onnx_file.to_onnx(graph, size)
    images = np.concatenate(
        list(read(order.photos.spread(_PARITY_PHOTOS), preprocessing, batch_size=_PARITY_PHOTOS))
    )
    with publish.staged(order.target, force=order.force) as stage:
        fp32 = Candidate("fp32", stage / file_name("fp32"), onnx_file.opset(model))
        onnx_file.save(model, fp32.path)
        torch_run = torch_runner(graph)
        agreed = parity.verify(torch_run, onnx_runner(fp32.path), images)
        inputs = golden.draw(size)
        np.save(stage / "golden.inputs.npy", inputs)
        np.save(stage / "golden.logits.npy", torch_run(inputs)["logits"])
        manifest = Manifest(
            name=order.name,
            version=order.version,
            architecture=source.architecture,
            source=source.source,
            input=size,
            preprocessing=preprocessing,
            labels=source.labels,
            variants=(fp32.accept(agreed, None),),
            golden=Golden(
                inputs="golden.inputs.npy",
                logits="golden.logits.npy",
                tolerance={"fp32": parity.MAX_ABS_LOGIT_DIFF},
            ),
        )
        (stage / "manifest.json").write_text(manifest.model_dump_json(indent=1) + "\n")
    return manifest
