"""Scores images on a Ray cluster, without the service: `python -m scripts.score_ray --help`.

The same inputs and the same output folder as `senet-client score`, but each worker runs the
service's own preprocessing and engine. Ray Data hands out parts of the frozen list of inputs; a
worker writes its part whole or not at all, so that a part that is done twice, because a worker was
lost, is still there once. The journal notes what is done; a rerun does the rest.

Workers must see the model repository, the output folder and the inputs under the same names.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import ray
from numpy.typing import NDArray
from senet_client.errors import BY_CODE, ImageError, SenetClientError
from senet_client.results import Model, Prediction
from senet_client.score.failures import ScoreError, WrongOption
from senet_client.score.formats import ParquetFormat
from senet_client.score.frozen import FrozenList, Stretch
from senet_client.score.journal import Commit
from senet_client.score.listing import Input, list_inputs
from senet_client.score.output import Output, Target, write_part
from senet_client.score.rows import Row, Sending, columns, row

from app.engines.onnx_engine import OnnxEngines
from app.errors import ConfigurationError
from app.errors import ImageError as ServiceImageError
from app.repository.models import ModelRepository, select_variant
from app.serving.loading import load_model
from app.serving.postprocess import postprocess
from app.serving.preprocess import preprocess

# As the service rounds them.
_SCORE_DIGITS = 7
# Ray plans each block on its own; more would only cost it memory.
_MOST_BLOCKS = 10_000


@dataclass(frozen=True, slots=True)
class Options:
    """What a worker must know.

    Attributes:
        repository: folder of the model repository.
        model: `name:version`.
        precision: fp32, fp16 or int8.
        provider: what runs the model.
        cpus: cores of a worker.
        top_k: classes a row.
        batch_size: images in a run of the engine.
        max_image_bytes: nothing larger is read.
        max_image_pixels: nothing larger is decoded.
        inputs: the frozen list of inputs.
        output: the folder of parts.
    """

    repository: str
    model: str
    precision: Literal["fp32", "fp16", "int8"]
    provider: Literal["cpu", "cuda"]
    cpus: int
    top_k: int
    batch_size: int
    max_image_bytes: int
    max_image_pixels: int
    inputs: str
    output: str


class PartScorer:
    """A worker: has the model loaded, verified and self-tested, and scores whole parts.

    Args:
        options: what to do.
    """

    def __init__(self, options: Options) -> None:
        engines = OnnxEngines(options.provider)
        loaded = load_model(
            ModelRepository(Path(options.repository)),
            engines,
            model=options.model,
            precision=options.precision,
            max_batch_size=options.batch_size,
            cores=options.cpus,
            inference_threads=options.cpus,
        )
        self._options = options
        self._engine = loaded.engine
        self._manifest = loaded.model.manifest
        calibration = self._manifest.calibration
        self._temperature = calibration.temperature if calibration else 1.0
        self._model = Model(
            loaded.model.name,
            loaded.model.version,
            options.precision,
            loaded.model.digest,
            self._manifest.preprocessing.digest,
        )
        self._decoders = ThreadPoolExecutor(options.cpus)

    def __call__(self, stretches: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
        """Scores and writes parts.

        Args:
            stretches: the fields of `Stretch`, each int64 [parts].

        Returns:
            The fields of `Commit`, each int64 [parts].
        """
        frozen = FrozenList(Path(self._options.inputs))
        form, shape = ParquetFormat(), columns(self._options.top_k)
        errors = []
        for values in zip(*(stretches[name] for name in Stretch.__slots__), strict=True):
            stretch = Stretch(*map(int, values))
            path = Path(self._options.output) / f"part-{stretch.part:06}.parquet"
            rows = list(self._rows(frozen.read(stretch)))
            errors.append(write_part(path, form, shape, rows))
        return {"part": stretches["part"], "rows": stretches["rows"], "errors": np.array(errors)}

    def _rows(self, inputs: list[tuple[int, Input]]) -> Iterator[Row]:
        """Decodes ahead in threads while the engine runs."""
        size = self._options.batch_size
        decoded = self._decoders.map(self._decode, (found for _, found in inputs))
        for start in range(0, len(inputs), size):
            began = time.monotonic()
            group = inputs[start : start + size]
            images = [next(decoded) for _ in group]
            answers = self._infer(images)
            sending = Sending(1, time.monotonic() - began)
            for (index, found), answer in zip(group, answers, strict=True):
                yield row(index, found.path, self._model, answer, sending, self._options.top_k)

    def _decode(self, found: Input) -> NDArray[np.uint8] | SenetClientError:
        options = self._options
        try:
            data = found.read(options.max_image_bytes)
            return preprocess(
                data, self._manifest.preprocessing, max_pixels=options.max_image_pixels
            )
        except ImageError as error:
            return error
        except ServiceImageError as error:
            return BY_CODE[error.code](str(error))

    def _infer(
        self, images: list[NDArray[np.uint8] | SenetClientError]
    ) -> list[list[Prediction] | SenetClientError]:
        good = [image for image in images if not isinstance(image, SenetClientError)]
        logits = iter(self._engine.infer(np.stack(good), ["logits"])["logits"] if good else ())
        return [
            image if isinstance(image, SenetClientError) else self._ranked(next(logits))
            for image in images
        ]

    def _ranked(self, logits: NDArray[np.float32]) -> list[Prediction]:
        ranked = postprocess(logits, temperature=self._temperature, top_k=self._options.top_k)
        labels = self._manifest.labels
        return [
            Prediction(
                rank,
                item.class_index,
                labels[item.class_index].id,
                labels[item.class_index].name,
                round(item.score, _SCORE_DIGITS),
            )
            for rank, item in enumerate(ranked, start=1)
        ]


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
