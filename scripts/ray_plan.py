"""What `score_ray` is to do: the model and its precision, the list of inputs, the output."""

import argparse
from pathlib import Path

from senet_client.score.failures import WrongOption
from senet_client.score.journal import Journal
from senet_client.score.listing import list_inputs
from senet_client.score.output import Output
from senet_client.score.rows import Shape, columns
from senet_client.score.target import JOURNAL, Target

from app.contract.manifest import Variant
from app.contract.repository import ModelRepository, ModelVersion, select_variant
from app.engines.onnx_engine import OnnxEngines
from app.selection.cache import choice_cache
from app.selection.candidates import gpu_variant
from app.selection.loading import load_model
from scripts.ray_worker import Options


def prepare(parsed: argparse.Namespace) -> tuple[Output, Options]:
    """Freezes the inputs, or opens what an earlier run left.

    Raises:
        ConfigurationError: if there is no such model, or its file is damaged.
        WrongOption: if an argument is wrong, or the output was begun otherwise.
        Stopped: if the output cannot be begun.
    """
    name, version = _model(parsed.model)
    folder = Path(parsed.output)
    target = Target(folder, folder, "parquet")
    found = ModelRepository(parsed.model_repository).find(name, version)
    variant = _variant(parsed, found, target)
    header = {
        "journal": 1,
        "engine": "ray",
        "inputs": parsed.input,
        "column": parsed.column,
        "top_k": parsed.top_k,
        "rows_per_part": parsed.rows_per_part,
        "max_image_bytes": parsed.max_image_bytes,
        "max_image_pixels": parsed.max_image_pixels,
        "model": found.manifest.name,
        "version": found.manifest.version,
        "precision": variant.precision,
        "digest": variant.sha256,
        "preprocessing": found.manifest.preprocessing.digest,
    }
    shape = columns(Shape(parsed.top_k))
    if target.is_begun:
        output = Output.resume(target, header, shape)
    elif target.is_taken:
        raise WrongOption("--output", f"{target.path} is not empty", "choose another folder")
    else:
        output = Output.begin(target, header, list_inputs(parsed.input, parsed.column), shape)
    options = Options(
        repository=str(parsed.model_repository.resolve()),
        model=f"{found.manifest.name}:{found.manifest.version}",
        precision=variant.precision,
        provider=parsed.provider,
        cpus=parsed.cpus_per_worker,
        top_k=parsed.top_k,
        batch_size=parsed.batch_size,
        max_image_bytes=parsed.max_image_bytes,
        max_image_pixels=parsed.max_image_pixels,
        inputs=str(output.inputs.path.resolve()),
        output=str(folder.resolve()),
    )
    return output, options


def _variant(parsed: argparse.Namespace, found: ModelVersion, target: Target) -> Variant:
    """The one variant that all workers run: the service's choice, unless a precision is asked for.

    What an earlier run chose for this output stays, wherever this one goes on. On the CPU the
    choice is measured here, as a worker's cores would run it.

    Raises:
        ConfigurationError: if there is none, or its file is damaged; better refused here, once,
            than by every worker.
        WrongOption: if the output's journal is not one.
    """
    precision = parsed.precision
    if precision == "auto" and target.is_begun:
        journal = Journal.open(target.folder / JOURNAL)
        journal.close()
        chosen = [variant.precision for variant in found.manifest.variants]
        precision = next((p for p in chosen if p == journal.header.get("precision")), "auto")
    if precision != "auto":
        variant = select_variant(precision, found.manifest)
    elif parsed.provider == "cuda":
        variant = gpu_variant(found.manifest, parsed.max_accuracy_drop)
    else:
        return load_model(
            ModelRepository(parsed.model_repository),
            OnnxEngines("cpu", max_batch_size=parsed.batch_size),
            model=f"{found.manifest.name}:{found.manifest.version}",
            precision="auto",
            max_batch_size=parsed.batch_size,
            cores=parsed.cpus_per_worker,
            inference_threads=parsed.cpus_per_worker,
            max_accuracy_drop=parsed.max_accuracy_drop,
            cache=choice_cache(None),
        ).model.variant
    found.verified_file(variant)
    return variant


def _model(text: str) -> tuple[str, int | None]:
    """`name` or `name:version`."""
    name, colon, version = text.partition(":")
    if colon and not (version.isascii() and version.isdigit()):
        raise WrongOption("--model", f"{text!r} is not name:version", "give the version's number")
    return name, int(version) if colon else None
