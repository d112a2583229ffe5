"""Top-1 of a running service over HTTP, beside the same model run directly, photo by photo.

The two must agree on every photo: they share preprocessing and model file, and nothing that lies
between (transport, decoding threads, batching) may change an answer.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.contract.errors import ConfigurationError
from app.contract.repository import ModelRepository
from app.engines.onnx_engine import OnnxEngines
from app.hardware import available_cores
from app.selection.loading import load_model
from senet.evaluation import evaluate, list_photos, load_photos
from senet.shapes import shapes_of, warnings_on


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluates what the command line says. Returns 0 if both agree on every photo, else 1."""
    options = _parser().parse_args(arguments)
    try:
        return _compare(options)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _compare(options: argparse.Namespace) -> int:
    served = httpx.get(f"{options.url}/models", trust_env=False).raise_for_status().json()
    reference = served["models"][0]
    loaded = load_model(
        ModelRepository(options.model_repository),
        OnnxEngines("cpu"),
        model=f"{reference['name']}:{reference['version']}",
        precision=reference["precision"],
        max_batch_size=8,
        cores=available_cores(),
        inference_threads=available_cores(),
    )
    manifest = loaded.model.manifest
    logits = manifest.signature.logits.name
    slot = loaded.engine.open_slots()[0]
    listing = list_photos("--photos", options.photos, manifest.labels)
    files = [path for path, _ in listing.photos]
    targets = np.array([index for _, index in listing.photos])
    over_http = asyncio.run(_classify_all(options.url, files, options.connections))
    direct = evaluate(
        lambda images: slot.run(list(images), [logits])[logits],
        load_photos("--photos", options.photos, manifest.labels, manifest.preprocessing),
    ).predictions

    failed = int((over_http < 0).sum())
    different = int((over_http != direct).sum())
    print(f"model        {reference['name']}:{reference['version']} {reference['precision']}")
    print(f"photos       {len(files)}, {options.connections} connections, {failed} failed")
    print(f"over HTTP    top-1 {np.mean(over_http == targets):.4%}")
    print(f"directly     top-1 {np.mean(direct == targets):.4%}")
    print(f"different    {different} photos")
    shapes = shapes_of("accuracy", files)
    print(f"not square   {shapes.not_square} photos")
    for warning in (*listing.notes, *warnings_on([shapes])):
        print(warning)
    return int(different > 0)


async def _classify_all(url: str, files: Sequence[Path], connections: int) -> NDArray[np.int64]:
    """The best class of each photo, or -1 where the request failed."""
    answers = np.full(len(files), -1, np.int64)
    waiting = iter(enumerate(files))
    limits = httpx.Limits(max_connections=connections)
    with tqdm(total=len(files), unit="photo") as progress:
        async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:

            async def work() -> None:
                for index, path in waiting:
                    response = await client.post(
                        f"{url}/classify",
                        params={"top_k": 1},
                        content=path.read_bytes(),
                        headers={"content-type": "application/octet-stream"},
                    )
                    if response.is_success:
                        prediction = response.json()["results"][0]["predictions"][0]
                        answers[index] = prediction["class_index"]
                    progress.update()

            await asyncio.gather(*(work() for _ in range(connections)))
    return answers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.evaluate_service",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="default %(default)s")
    parser.add_argument("--photos", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--model-repository", type=Path, default=Path("models"))
    parser.add_argument("--connections", type=int, default=64, help="default %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
