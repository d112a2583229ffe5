"""What `score_ray` is to do: the model and its precision, the list of inputs, the output."""

import argparse
from collections.abc import Callable
from pathlib import Path

from senet_client.score import storage
from senet_client.score.failures import WrongOption
from senet_client.score.journal import Journal
from senet_client.score.listing import list_inputs
from senet_client.score.output import Output
from senet_client.score.rows import Shape, columns
from senet_client.score.target import JOURNAL, LIST, Target
from senet_client.score.upload import names, upload

from app.bundled import REPOSITORY as BUNDLED
from app.bundled import or_bundled
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
    target = target_of(parsed)
    repository = repository_of(parsed)
    found = ModelRepository(repository).find(name, version)
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
        output = Output.resume(target, header, shape, _written(target))
    elif target.is_taken:
        raise WrongOption("--output", f"{target.shown} is not empty", "choose another folder")
    else:
        output = Output.begin(target, header, list_inputs(parsed.input, parsed.column), shape)
    if target.url is not None:
        upload([output.inputs.path], target.url, is_file=False)
    options = Options(
        repository=None if repository == BUNDLED else str(repository.resolve()),
        model=f"{found.manifest.name}:{found.manifest.version}",
        precision=variant.precision,
        provider=parsed.provider,
        cpus=parsed.cpus_per_worker,
        top_k=parsed.top_k,
        batch_size=parsed.batch_size,
        max_image_bytes=parsed.max_image_bytes,
        max_image_pixels=parsed.max_image_pixels,
        inputs=f"{target.url}/{LIST}" if target.url else str(output.inputs.path.resolve()),
        output=target.url or str(target.folder.resolve()),
    )
    return output, options


def target_of(parsed: argparse.Namespace) -> Target:
    """Where the output goes. For a URL the journal is kept here, in a folder below `--work`.

    Raises:
        WrongOption: if it is a URL that names a file.
    """
    if not storage.is_remote(parsed.output):
        folder = Path(parsed.output)
        return Target(folder, folder, "parquet")
    target = Target.of(parsed.output, None, parsed.work)
    if target.is_file:
        raise WrongOption("--output", f"{parsed.output} names a file", "name a folder")
    return target


def repository_of(parsed: argparse.Namespace) -> Path:
    """The model repository: the one named, or `models` here, or what the package brings."""
    chosen: Path | None = parsed.model_repository
    return or_bundled(chosen or Path("models"), is_chosen=chosen is not None)


def _written(target: Target) -> Callable[[Path], bool]:
    """What says whether a part is in its place, by the file that it would be here."""
    if target.url is None:
        return Path.is_file
    written = set(names(target.url))
    return lambda part: part.name in written


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
            ModelRepository(repository_of(parsed)),
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
