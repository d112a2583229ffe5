"""A published version whose files give their gates, made from one whose files do not."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto
from pydantic import ValidationError

from app.contract import publishing
from app.contract.errors import ConfigurationError
from app.contract.manifest import Manifest, Precision, Variant
from app.contract.repository import ModelVersion
from app.contract.signature import NAMES
from senet.export import card, class_gates, manifest_file, onnx_file, report
from senet.export.excitation import observe
from senet.export.excitation_outputs import with_excitations
from senet.export.photos import Photos
from senet.export.report import Report
from senet.export.runtime import LOGITS, Images, onnx_runner

_OPTION = "--name"
_REMEDY = "export the model again, with --excitations"


def add_excitations(
    version: ModelVersion, photos: Photos, dataset: str, *, progress: bool = False
) -> None:
    """Replaces a version by one whose files give their gates, and else the same answers.

    Args:
        version: on disk.
        photos: in class folders; the gates' means over each class are kept.
        dataset: what to call them.
        progress: whether to show a progress bar.

    Raises:
        ConfigurationError: if it is of schema 1, damaged, without gates, or gives them already, or
            if a logit would change; the version is as it was then.
    """
    manifest, folder = version.manifest, version.folder
    _check(manifest)
    files = {variant.precision: version.verified_file(variant) for variant in manifest.variants}
    inputs, _ = version.golden()
    with publishing.staged(folder, force=True) as stage:
        # Engines for TensorRT, in a folder of their own, are of the files as they were.
        for path in folder.iterdir():
            if path.is_file():
                shutil.copyfile(path, stage / path.name)
        models = {
            precision: _written(path, stage / path.name, inputs)
            for precision, path in files.items()
        }
        best = models.get("fp32", next(iter(models.values())))
        blocks, _ = observe(best, photos, manifest.preprocessing, progress=progress)
        kept = class_gates.write(stage, blocks, photos, len(manifest.labels), dataset)
        changed = {
            "signature": onnx_file.signature(best),
            "variants": tuple(_redone(variant, stage) for variant in manifest.variants),
            "excitations": kept,
        }
        manifest_file.write(Manifest.model_validate({**dict(manifest), **changed}), stage)
        names = tuple(label.name for label in manifest.labels)
        report.draw(blocks, photos, names, stage)
        _report_anew(stage, models, names)


def _check(manifest: Manifest) -> None:
    if manifest.schema_version == 1:
        raise ConfigurationError(
            _OPTION,
            f"the manifest of {manifest.name}:{manifest.version} has schema 1, which has no place"
            " for excitations",
            _REMEDY,
        )
    named = {
        spec.meaning: spec.name for spec in (manifest.signature.image, *manifest.signature.outputs)
    }
    if any(name != NAMES.get(meaning, name) for meaning, name in named.items()):
        raise ConfigurationError(
            _OPTION, f"{manifest.name}:{manifest.version} was not exported by this project", _REMEDY
        )


def _written(source: Path, target: Path, inputs: Images) -> ModelProto:
    """Writes the file with its gates as outputs; its logits must be the same to the last bit."""
    model = with_excitations(onnx.load(source), _OPTION)
    onnx_file.save(model, target)
    before, after = (onnx_runner(path, [LOGITS])(inputs)[LOGITS] for path in (source, target))
    if not np.array_equal(before, after):
        raise ConfigurationError(_OPTION, f"the logits of {source} would change", _REMEDY)
    return model


def _redone(variant: Variant, stage: Path) -> Variant:
    digest = hashlib.sha256((stage / variant.file).read_bytes()).hexdigest()
    return variant.model_copy(update={"sha256": digest})


def _report_anew(
    stage: Path, models: Mapping[Precision, ModelProto], names: tuple[str, ...]
) -> None:
    """Brings the export's report and card in line with the files, if they are of this form."""
    try:
        told = Report.model_validate_json((stage / "report.json").read_bytes())
    except (OSError, ValidationError):
        return
    variants = tuple(
        variant.model_copy(
            update={
                "bytes": (stage / variant.file).stat().st_size,
                "nodes": len(models[variant.precision].graph.node),
                "operators": onnx_file.operators(models[variant.precision]),
            }
        )
        for variant in told.variants
    )
    outputs = onnx_file.described(next(iter(models.values())).graph.output)
    told = told.model_copy(update={"variants": variants, "outputs": outputs})
    report.write(told, stage)
    card.write(told, names, stage)
