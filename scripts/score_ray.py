"""Scores images on a Ray cluster, without the service: `python -m scripts.score_ray --help`.

The same inputs and the same output folder as `senet-client score`, but each worker runs the
service's own preprocessing and engine. Ray Data hands out parts of the frozen list of inputs; a
worker writes its part whole or not at all, so that a part that is done twice, because a worker was
lost, is still there once. The journal notes what is done; a rerun does the rest.

Workers must see the model repository, the output folder and the inputs under the same names.
"""

import argparse
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray
from senet_client.score.failures import ScoreError, Stopped, WrongOption
from senet_client.score.journal import Commit
from senet_client.score.listing import list_inputs
from senet_client.score.lock import OutputLock
from senet_client.score.output import Output
from senet_client.score.rows import columns
from senet_client.score.target import Target

from app.contract.errors import ConfigurationError
from app.contract.repository import ModelRepository, select_variant
from app.engines.onnx_engine import OnnxEngines
from app.hardware import available_cores
from scripts.ray_worker import Options, PartScorer

# Ray plans each block on its own; more would only cost it memory.
_MOST_BLOCKS = 10_000


def main(arguments: list[str] | None = None) -> int:
    """Scores what the command line says. Returns 0; 3 if rows tell of errors; 1 or 2 if not."""
    parsed = _parser().parse_args(arguments)
    try:
        if parsed.address is None:
            _check_machine(parsed)
        else:
            _check_address(parsed.address)
        if "://" in parsed.output:
            raise WrongOption(
                "--output", f"{parsed.output} is a URL", "name a folder on a shared disk"
            )
        # First, so that whoever does not get it has changed nothing.
        with OutputLock(Path(parsed.output)):
            return _begin_and_run(parsed)
    except (ConfigurationError, WrongOption) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the command line's answer
        return 2
    except Stopped as error:
        print(f"stopped: {error}", file=sys.stderr)  # noqa: T201 - likewise
        return 1


def _begin_and_run(parsed: argparse.Namespace) -> int:
    output, options = _prepare(parsed)
    failure = _run(parsed, output, options)
    if failure is not None:
        print(f"stopped: {failure}; the same command goes on", file=sys.stderr)  # noqa: T201 - likewise
        return 1
    print(f"{output.rows} rows in {parsed.output}, {output.errors} with an error")  # noqa: T201 - likewise
    return 3 if output.errors else 0


def _run(parsed: argparse.Namespace, output: Output, options: Options) -> str | None:
    """Scores what is missing. Returns in one line what ended it early, if anything did."""
    try:
        _connect(parsed)
        _score(parsed, output, options)
        output.finish()
    except (ray.exceptions.RayError, ConnectionError, ScoreError) as error:
        # What a worker raised comes with its traceback before it.
        *_, told = ["Ray failed", *str(error).strip().splitlines()]
        return told.strip()
    finally:
        output.close()
        ray.shutdown()
    return None


def _check_machine(parsed: argparse.Namespace) -> None:
    """Refuses what this machine alone cannot give, for Ray would wait for it for ever.

    Raises:
        ConfigurationError: if ONNX Runtime lacks the provider.
        WrongOption: if a worker needs more cores than there are.
    """
    OnnxEngines(parsed.provider).providers()
    cores = available_cores()
    if parsed.cpus_per_worker > cores:
        raise WrongOption(
            "--cpus-per-worker",
            f"{parsed.cpus_per_worker} cores, and this machine has {cores}",
            "lower it, or name a cluster with --address",
        )


def _check_address(address: str) -> None:
    """Refuses a cluster that is not there, for which Ray would look for minutes.

    Raises:
        WrongOption: if nothing listens at `host:port`; `auto` is left to Ray, which knows at once.
    """
    host, colon, port = address.rpartition(":")
    if not (colon and port.isascii() and port.isdigit()):
        return
    try:
        socket.create_connection((host.removeprefix("ray://"), int(port)), 5).close()
    except (OSError, OverflowError) as error:
        raise WrongOption(
            "--address",
            f"nothing answers at {address} ({error})",
            "give the host and port of the cluster's head, or auto on one of its nodes",
        ) from error


def _connect(parsed: argparse.Namespace) -> None:
    """Joins the cluster, or starts one of this machine's cores.

    Raises:
        Stopped: if it cannot be joined or started, or what is started has no GPU for the workers.
    """
    # "local", for without an address Ray joins a cluster that happens to run here.
    local = {"address": "local", "num_cpus": available_cores()}
    try:
        ray.init(**({"address": parsed.address} if parsed.address else local), log_to_driver=False)
    except Exception as error:
        # A node that does not start in time raises no class of Ray's own.
        raise Stopped(" ".join(str(error).split())) from error
    if (
        parsed.address is None
        and parsed.provider == "cuda"
        and not ray.cluster_resources().get("GPU")
    ):
        raise Stopped("Ray finds no GPU on this machine")


def _prepare(parsed: argparse.Namespace) -> tuple[Output, Options]:
    """Freezes the inputs, or opens what an earlier run left.

    Raises:
        ConfigurationError: if there is no such model, or its file is damaged.
        WrongOption: if an argument is wrong, or the output was begun otherwise.
        Stopped: if the output cannot be begun.
    """
    name, version = _model(parsed.model)
    folder = Path(parsed.output)
    found = ModelRepository(parsed.model_repository).find(name, version)
    variant = select_variant(parsed.precision, parsed.provider, found.manifest)
    found.verified_file(variant)  # better refused here, once, than by every worker
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
    target = Target(folder, folder, "parquet")
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
        output=str(folder.resolve()),
    )
    return output, options


def _model(text: str) -> tuple[str, int | None]:
    """`name` or `name:version`."""
    name, colon, version = text.partition(":")
    if colon and not (version.isascii() and version.isdigit()):
        raise WrongOption("--model", f"{text!r} is not name:version", "give the version's number")
    return name, int(version) if colon else None


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
    # Not a Path, which would make a local name of a URL.
    add("--output", required=True, help="folder of Parquet parts, seen by all workers")
    add("--model-repository", type=Path, default=Path("models"), help="seen by all workers")
    add("--model", default="imagenette", help="name or name:version")
    add("--precision", choices=["auto", "fp32", "fp16", "int8"], default="auto")
    add("--provider", choices=["cpu", "cuda"], default="cpu", help="cuda takes a GPU a worker")
    add("--address", help="of a running cluster, e.g. auto; without it one is started here")
    add("--workers", type=_count, default=2, help="workers at once")
    add("--cpus-per-worker", type=_count, default=1, help="cores of a worker")
    add("--column", default="path", help="manifests' column of paths")
    add("--top-k", type=_count, default=5, help="classes a row")
    add("--rows-per-part", type=_count, default=1024, help="images that a worker takes at once")
    add("--batch-size", type=_count, default=8, help="images in a run of the engine")
    add("--max-image-bytes", type=_count, default=32 * 1024 * 1024, help="nothing larger is read")
    add("--max-image-pixels", type=_count, default=40_000_000, help="nothing larger is decoded")
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
