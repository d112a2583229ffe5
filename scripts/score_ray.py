"""Scores images on a Ray cluster, without the service: `python -m scripts.score_ray --help`.

The same inputs and the same output folder as `senet-client score`, but each worker runs the
service's own preprocessing and engine. Ray Data hands out parts of the frozen list of inputs; a
worker writes its part whole or not at all, so that a part that is done twice, because a worker was
lost, is still there once. The journal notes what is done; a rerun does the rest.

Workers must see the model repository, the output folder and the inputs under the same names.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray
from senet_client.score.failures import ScoreError, WrongOption
from senet_client.score.journal import Commit
from senet_client.score.listing import list_inputs
from senet_client.score.output import Output
from senet_client.score.rows import columns
from senet_client.score.target import Target

from app.errors import ConfigurationError
from app.repository.models import ModelRepository, select_variant
from scripts.ray_worker import Options, PartScorer

# Ray plans each block on its own; more would only cost it memory.
_MOST_BLOCKS = 10_000


def main(arguments: list[str] | None = None) -> int:
    """Scores what the command line says. Returns 0; 3 if rows tell of errors; 1 or 2 if not."""
    parsed = _parser().parse_args(arguments)
    try:
        output, options = _prepare(parsed)
    except (ConfigurationError, WrongOption) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the command line's answer
        return 2
    try:
        # None starts a cluster of this machine's cores.
        ray.init(address=parsed.address, log_to_driver=False)
        _score(parsed, output, options)
    except (ray.exceptions.RayError, ConnectionError, ScoreError) as error:
        print(f"stopped: {error}; the same command goes on", file=sys.stderr)  # noqa: T201 - likewise
        return 1
    finally:
        output.close()
        ray.shutdown()
    print(f"{output.rows} rows in {parsed.output}, {output.errors} with an error")  # noqa: T201 - likewise
    return 3 if output.errors else 0


def _prepare(parsed: argparse.Namespace) -> tuple[Output, Options]:
    """Freezes the inputs, or opens what an earlier run left.

    Raises:
        ConfigurationError: if there is no such model.
        WrongOption: if an argument is wrong, or the output was begun otherwise.
    """
    name, _, version = parsed.model.partition(":")
    found = ModelRepository(parsed.model_repository).find(name, int(version) if version else None)
    variant = select_variant(parsed.precision, parsed.provider, found.manifest)
    header = {
        "journal": 1,
        "engine": "ray",
        "inputs": parsed.input,
        "column": parsed.column,
        "top_k": parsed.top_k,
        "rows_per_part": parsed.rows_per_part,
        "max_image_bytes": parsed.max_image_bytes,
        "model": found.manifest.name,
        "version": found.manifest.version,
        "digest": variant.sha256,
        "preprocessing": found.manifest.preprocessing.digest,
    }
    target = Target(parsed.output, parsed.output, "parquet")
    shape = columns(parsed.top_k)
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
        output=str(parsed.output.resolve()),
    )
    return output, options


def _score(parsed: argparse.Namespace, output: Output, options: Options) -> None:
    done = output.journal.commits
    stretches = output.inputs.stretches(parsed.rows_per_part)
    missing = [asdict(stretch) for stretch in stretches if stretch.part not in done]
    if not missing:
        return
    commits = ray.data.from_items(
        missing, override_num_blocks=min(len(missing), _MOST_BLOCKS)
    ).map_batches(
        PartScorer,
        fn_constructor_args=(options,),
        batch_size=1,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=parsed.workers),
        num_cpus=parsed.cpus_per_worker,
        num_gpus=1 if parsed.provider == "cuda" else 0,
    )
    for values in commits.iter_rows():
        output.journal.append(
            Commit(int(values["part"]), int(values["rows"]), int(values["errors"]))
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.score_ray", description=__doc__)
    add: Any = parser.add_argument
    add("input", nargs="+", help="as of `senet-client score`")
    add("--output", type=Path, required=True, help="folder of Parquet parts, seen by all workers")
    add("--model-repository", type=Path, default=Path("models"), help="seen by all workers")
    add("--model", default="imagenette", help="name or name:version")
    add("--precision", choices=["auto", "fp32", "fp16", "int8"], default="auto")
    add("--provider", choices=["cpu", "cuda"], default="cpu", help="cuda takes a GPU a worker")
    add("--address", help="of a running cluster, e.g. auto; without it one is started here")
    add("--workers", type=int, default=2, help="workers at once")
    add("--cpus-per-worker", type=int, default=1, help="cores of a worker")
    add("--column", default="path", help="manifests' column of paths")
    add("--top-k", type=int, default=5, help="classes a row")
    add("--rows-per-part", type=int, default=1024, help="images that a worker takes at once")
    add("--batch-size", type=int, default=8, help="images in a run of the engine")
    add("--max-image-bytes", type=int, default=32 * 1024 * 1024)
    add("--max-image-pixels", type=int, default=40_000_000)
    return parser


if __name__ == "__main__":
    sys.exit(main())
