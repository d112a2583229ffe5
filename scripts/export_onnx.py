"""Exports a trained network to the model repository: `python -m scripts.export_onnx --help`.

Compares PyTorch with ONNX Runtime on real photos, measures every precision, and writes
`<repository>/<name>/<version>/` whole or not at all.
"""

import argparse
import sys

from app.contract.errors import ConfigurationError
from app.contract.repository import ModelRepository
from app.engines.tensorrt_builder import build, compile_tensorrt
from app.engines.tensorrt_cache import TensorRTTarget
from app.engines.tensorrt_target import detect
from scripts.export_options import parser
from senet.export import photos
from senet.export.order import Order
from senet.export.pipeline import export
from senet.export.report import render
from senet.sources import PreprocessingOptions, SourceOptions, load_source


def main(arguments: list[str] | None = None) -> int:
    """Exports what the command line says. Returns the exit code."""
    parsed = parser(__doc__).parse_args(arguments)
    try:
        # Asked first: a missing GPU should not show after the hour that measuring may take.
        target = detect() if parsed.tensorrt else None
        order = _order(parsed)
        report = export(order)
        if target is not None:
            _build_engine(order, target, parsed)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(render(report))
    print(f"published {order.target}")
    return 0


def _order(parsed: argparse.Namespace) -> Order:
    if parsed.tensorrt and "fp16" not in parsed.precision:
        raise ConfigurationError(
            "--tensorrt", "engines are built from the fp16 file", "add fp16 to --precision"
        )
    source = load_source(_source_options(parsed))
    evaluation = calibration = quantisation = fitting = None
    if parsed.evaluate is not None:
        evaluation = photos.labelled("--evaluate", parsed.evaluate, source.labels)
    if parsed.calibrate is not None:
        calibration = photos.labelled("--calibrate", parsed.calibrate, source.labels)
    if parsed.fit_on is not None:
        if calibration is None:
            raise ConfigurationError(
                "--fit-on", "it chooses among photos of --calibrate, which is not given", "give it"
            )
        fitting = photos.listed("--fit-on", parsed.fit_on, calibration)
    if parsed.calibration_photos is not None:
        quantisation = photos.unlabelled("--calibration-photos", parsed.calibration_photos)
    if parsed.photos is not None:
        parity = photos.unlabelled("--photos", parsed.photos)
    elif evaluation is not None:
        parity = evaluation
    else:
        raise ConfigurationError(
            "--photos",
            "PyTorch and ONNX Runtime are compared on real photos, and none are named",
            "name a folder with --photos, or one of class folders with --evaluate",
        )
    return Order(
        source=source,
        name=parsed.name,
        version=parsed.version,
        repository=parsed.repository,
        photos=parity,
        evaluation=evaluation,
        evaluation_name=parsed.evaluate_name or str(getattr(parsed.evaluate, "name", "")),
        calibration=calibration,
        fitting=fitting,
        quantisation=quantisation,
        precisions=parsed.precision,
        int8_layout=parsed.int8_layout,
        max_accuracy_drop=parsed.max_accuracy_drop,
        min_agreement=parsed.min_agreement,
        min_speedup=parsed.min_speedup,
        reject_rate=parsed.reject_rate,
        excitations=parsed.excitations,
        allow_untrained=parsed.allow_untrained,
        force=parsed.force,
        progress=True,
    )


def _build_engine(order: Order, target: TensorRTTarget, parsed: argparse.Namespace) -> None:
    version = ModelRepository(order.repository).find(order.name, order.version)
    images = photos.sample(order.photos, order.source.preprocessing)
    build(
        version,
        images,
        target,
        compile_tensorrt,
        max_batch_size=parsed.max_batch_size,
        max_accuracy_drop=order.max_accuracy_drop,
        force=order.force,
    )


def _source_options(parsed: argparse.Namespace) -> SourceOptions:
    return SourceOptions(
        checkpoint=parsed.checkpoint,
        architecture=parsed.architecture,
        timm=parsed.timm,
        pretrained=parsed.pretrained,
        test_size=parsed.test_size,
        module=parsed.module,
        program=parsed.exported_program,
        onnx=parsed.onnx,
        hub=parsed.hf_hub,
        labels=parsed.labels,
        preprocessing=PreprocessingOptions(
            geometry=parsed.geometry,
            resize_shorter_side=parsed.resize_shorter_side,
            crop_height=parsed.crop_height,
            crop_width=parsed.crop_width,
            interpolation=parsed.interpolation,
            mean=parsed.mean,
            std=parsed.std,
            scaled_decoding=parsed.scaled_decoding,
        ),
        licence=parsed.licence,
    )


if __name__ == "__main__":
    sys.exit(main())
