"""The whole way from a source model to a published version."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from onnx import ModelProto

from app.contract import publishing
from app.contract.manifest import (
    SCHEMAS,
    Excitations,
    Gates,
    Golden,
    Manifest,
    Precision,
    Variant,
)
from senet.export import (
    card,
    class_gates,
    golden,
    manifest_file,
    onnx_file,
    parity,
    photos,
    report,
    speed,
    untrained,
)
from senet.export.assess import Assessment, assess
from senet.export.candidates import Candidate, write_fp32, write_reduced
from senet.export.excitation import Excitation, excitation
from senet.export.excitation_outputs import with_excitations
from senet.export.fold import fold_constant_gates
from senet.export.maps import map_errors
from senet.export.order import Order
from senet.export.reference import served
from senet.export.report import Report, VariantReport
from senet.export.runtime import LOGITS, onnx_runner
from senet.export.trust import fit_trust
from senet.export.verdict import reasons_against

_TOOLS = ("torch", "onnx", "onnxruntime")


def export(order: Order) -> Report:
    """Exports, verifies, measures and publishes.

    Raises:
        ConfigurationError: if anything keeps the model from being served as it was trained;
            nothing is written then.
    """
    order.check()
    publishing.refuse_existing(order.target, force=order.force)
    source, size = order.source, order.size
    images = photos.sample(order.photos, source.preprocessing)
    graph, source_run = served(source, size)
    if not order.allow_untrained:
        untrained.refuse_constant(source_run(images)[LOGITS])
    model, folded = fold_constant_gates(graph, images)
    if order.excitations:
        model = with_excitations(model)

    with publishing.staged(order.target, force=order.force) as stage:
        fp32 = write_fp32(model, stage)
        agreed = parity.verify(source_run, onnx_runner(fp32.path), images, source.reference)
        candidates = [fp32, *write_reduced(order, model, stage)]
        runs = {
            candidate.precision: onnx_runner(candidate.path, [LOGITS]) for candidate in candidates
        }
        assessment = assess(order, source_run, runs, agreed, len(images))
        if not order.allow_untrained:
            untrained.refuse_chance(assessment.skill)
        tolerance, variation = golden.write(stage, size, source_run, runs)
        ratios = speed.ratios(runs, images)
        left_out: dict[Precision, tuple[str, ...]] = {}
        for candidate in candidates[1:]:
            precision = candidate.precision
            reasons = reasons_against(
                precision,
                assessment.figures[precision],
                order=order,
                speed_ratio=ratios[precision],
                tolerance=tolerance[precision],
                variation=variation,
            )
            if reasons:
                left_out[precision] = reasons
                candidate.path.unlink()
        candidates = [entry for entry in candidates if entry.precision not in left_out]
        maps = map_errors(
            {entry.precision: onnx_runner(entry.path) for entry in candidates}, images
        )
        watched = order.evaluation or order.photos
        seen, blocks = excitation(
            model, watched, source.preprocessing, source.labels, progress=order.progress
        )
        kept = None
        if order.excitations:
            name = order.evaluation_name or watched.directory.name
            kept = class_gates.write(stage, blocks, watched, len(source.labels), name)
        _write_manifest(order, model, candidates, assessment, tolerance, seen, kept, stage)
        finished = _report(
            order, model, candidates, assessment, ratios, seen, folded, left_out, maps
        )
        report.write(finished, stage)
        report.draw(blocks, watched, [label.name for label in source.labels], stage)
        card.write(finished, tuple(label.name for label in source.labels), stage)
    return finished


def _write_manifest(
    order: Order,
    model: ModelProto,
    candidates: Sequence[Candidate],
    assessment: Assessment,
    tolerance: dict[Precision, float],
    seen: Excitation,
    kept: Excitations | None,
    directory: Path,
) -> None:
    source = order.source
    manifest = Manifest(
        schema_version=SCHEMAS[-1],
        name=order.name,
        version=order.version,
        architecture=source.architecture,
        source=source.source,
        input=order.size,
        signature=onnx_file.signature(model),
        preprocessing=source.preprocessing,
        labels=source.labels,
        untrained=order.allow_untrained,
        variants=tuple(
            Variant(
                precision=candidate.precision,
                file=candidate.path.name,
                sha256=candidate.sha256(),
                opset=candidate.opset,
                parity=assessment.figures[candidate.precision].parity,
                accuracy=assessment.figures[candidate.precision].accuracy,
            )
            for candidate in candidates
        ),
        calibration=assessment.calibration,
        golden=Golden(
            inputs=golden.INPUTS_FILE,
            logits=golden.LOGITS_FILE,
            tolerance={entry.precision: tolerance[entry.precision] for entry in candidates},
        ),
        gates=tuple(
            Gates(block=block.block, mean=block.mean, spread=block.spread) for block in seen.blocks
        ),
        excitations=kept,
    )
    if order.calibration is not None:
        fitting = order.calibration
        if order.fitting is not None:
            fitting = fitting.chosen(order.fitting)
        name = f"{order.calibration_name}, {len(fitting)} photos"
        manifest = fit_trust(
            manifest,
            directory,
            fitting,
            name,
            reject_rate=order.reject_rate,
            progress=order.progress,
        )
    manifest_file.write(manifest, directory)


def _report(
    order: Order,
    model: ModelProto,
    candidates: Sequence[Candidate],
    assessment: Assessment,
    ratios: Mapping[Precision, float],
    seen: Excitation,
    folded: tuple[str, ...],
    left_out: dict[Precision, tuple[str, ...]],
    maps: Mapping[Precision, float],
) -> Report:
    variants = []
    for candidate in candidates:
        figures = assessment.figures[candidate.precision]
        variants.append(
            VariantReport(
                precision=candidate.precision,
                file=candidate.path.name,
                bytes=candidate.path.stat().st_size,
                opset=candidate.opset,
                nodes=sum(candidate.operators.values()),
                operators=dict(candidate.operators),
                parity=figures.parity,
                parity_photos=figures.photos,
                accuracy=figures.accuracy,
                top1_change=str(figures.flips) if candidate.precision != "fp32" else None,
                ece=figures.ece,
                map_error=maps.get(candidate.precision),
                speed_ratio=ratios[candidate.precision],
            )
        )
    return Report(
        name=order.name,
        version=order.version,
        architecture=order.source.architecture,
        source=order.source.source,
        classes=len(order.source.labels),
        inputs=onnx_file.described(model.graph.input),
        outputs=onnx_file.described(model.graph.output),
        variants=tuple(variants),
        left_out=left_out,
        calibration=assessment.calibration,
        gates=seen,
        folded_gates=folded,
        shapes=order.shapes(),
        notes=order.notes(),
        machine=speed.machine(),
        speed_batch=speed.BATCH,
        tools={tool: version(tool) for tool in _TOOLS},
    )
