"""Scores images on a Ray cluster, without the service: `senet score-ray --help`.

The same inputs and the same output folder as `senet-client score`, but each worker runs the
service's own preprocessing and engine. Ray Data hands out parts of the frozen list of inputs; a
worker writes its part whole or not at all, so that a part that is done twice, because a worker was
lost, is still there once. The journal notes what is done; a rerun does the rest.

Workers must see the model repository, the output folder and the inputs under the same names; an
output that is a URL, inputs at URLs and the package's own model are seen from everywhere.
"""

import argparse
import json
import math
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray
from senet_client.score.failures import ScoreError, Stopped, WrongOption
from senet_client.score.journal import Commit
from senet_client.score.lock import OutputLock
from senet_client.score.output import Output
from senet_client.score.target import LIST
from senet_client.score.upload import remove

from app.contract.errors import ConfigurationError
from scripts.ray_cluster import check_cluster, connect
from scripts.ray_plan import prepare, target_of
from scripts.ray_worker import Options, PartScorer

# Ray plans each block on its own; more would only cost it memory.
_MOST_BLOCKS = 10_000


def main(arguments: list[str] | None = None) -> int:
    """Scores what the command line says. Returns 0; 3 if rows tell of errors; 1 or 2 if not."""
    parsed = _parser().parse_args(arguments)
    try:
        check_cluster(parsed)
        # First, so that whoever does not get it has changed nothing.
        with OutputLock(target_of(parsed).folder):
            return _begin_and_run(parsed)
    except (ConfigurationError, WrongOption) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Stopped as error:
        print(f"stopped: {error}", file=sys.stderr)
        return 1


def _begin_and_run(parsed: argparse.Namespace) -> int:
    output, options = prepare(parsed)
    failure = _run(parsed, output, options)
    if failure is not None:
        print(f"stopped: {failure}; the same command goes on", file=sys.stderr)
        return 1
    print(f"{output.rows} rows in {parsed.output}, {output.errors} with an error")
    return 3 if output.errors else 0


def _run(parsed: argparse.Namespace, output: Output, options: Options) -> str | None:
    """Scores what is missing. Returns in one line what ended it early, if anything did."""
    try:
        connect(parsed)
        _score(parsed, output, options)
        _finish(output)
    except (ray.exceptions.RayError, ConnectionError, ScoreError) as error:
        # What a worker raised comes with its traceback before it.
        *_, told = ["Ray failed", *str(error).strip().splitlines()]
        return told.strip()
    finally:
        output.close()
        ray.shutdown()
    return None


def _finish(output: Output) -> None:
    """At a URL the workers have put the parts in their place already."""
    url = output.target.url
    if url is None:
        output.finish()
        return
    remove(url, [LIST])
    output.close()
    if not output.errors:
        shutil.rmtree(output.target.folder)


def _score(parsed: argparse.Namespace, output: Output, options: Options) -> None:
    done = output.journal.commits
    stretches = output.inputs.stretches(parsed.rows_per_part)
    missing = [
        {**asdict(stretch), "retry": int(stretch.part in done)}
        for stretch in stretches
        if stretch.part not in done or (parsed.retry_errors and done[stretch.part].errors)
    ]
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
    parser = argparse.ArgumentParser(prog="senet score-ray", description=__doc__)
    add: Any = parser.add_argument
    add("input", nargs="+", help="as of `senet-client score`")
    # Not a Path, which would make a local name of a URL.
    add("--output", required=True, help="folder of Parquet parts, seen by all workers, or a URL")
    add("--work", default=".", help="folder for the journal of an output that is a URL")
    add("--retry-errors", action="store_true", help="go on, and score again rows with an error")
    add(
        "--model-repository",
        type=Path,
        help="seen by all workers; by default models here, or what the package brings",
    )
    add("--model", default="imagenette", help="name or name:version")
    add("--precision", choices=["auto", "fp32", "fp16", "int8"], default="auto")
    add(
        "--max-accuracy-drop",
        type=_points,
        default=0.5,
        metavar="POINTS",
        help="of top-1 accuracy that precision auto may give up for speed (default %(default)s)",
    )
    add("--provider", choices=["cpu", "cuda"], default="cpu", help="cuda takes a GPU a worker")
    add("--address", help="of a running cluster, e.g. auto; without it one is started here")
    add("--send-code", action="store_true", help="the cluster's machines need not have this code")
    add(
        "--runtime-env",
        type=_runtime_env,
        default={},
        metavar="FILE",
        help="JSON file of Ray's runtime_env, for packages and variables of the workers",
    )
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


def _runtime_env(text: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(text).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text} is not a file of JSON ({error})") from error
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"{text} does not hold a JSON object")
    return found


def _points(text: str) -> float:
    try:
        points = float(text)
    except ValueError:
        points = math.nan
    # Written so that NaN, which compares false, is refused.
    if not 0 <= points <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 100")
    return points


if __name__ == "__main__":
    sys.exit(main())
