"""FastAPI and ONNX Runtime as most people would put them together, to compare with.

`uvicorn tools.bench.plain_server:create_app --factory`, with the model in the environment. It
shares the service's preprocessing, so that both do the same to a photo. Nothing bounds, batches,
verifies or drains here.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import onnxruntime
from fastapi import Depends, FastAPI, File, Request
from numpy.typing import NDArray

from app.contract.manifest import Manifest
from app.contract.preprocess import preprocess
from app.engines.engine import Provider
from app.engines.providers import check_loaded, session_providers

FOLDER, MODEL_FILE = "PLAIN_FOLDER", "PLAIN_MODEL_FILE"
PROVIDER, THREADS = "PLAIN_PROVIDER", "PLAIN_THREADS"
"""The environment variables: the model version's folder, its ONNX file's name, the execution
provider, and the threads of one run (0, ONNX Runtime's default, for all cores)."""

_MAX_PIXELS = 40_000_000
_TOP = 5


async def _body(request: Request) -> bytes:
    return await request.body()


def create_app() -> FastAPI:
    """The application; loads the model at once."""
    folder = Path(os.environ[FOLDER])
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    signature = manifest.signature
    provider = cast("Provider", os.environ.get(PROVIDER, "cpu"))
    if provider != "cpu":
        onnxruntime.preload_dlls()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get(THREADS, "0"))
    session = onnxruntime.InferenceSession(
        folder / os.environ[MODEL_FILE], options, providers=session_providers(provider)
    )
    check_loaded(provider, session.get_providers())
    app = FastAPI()

    def classify(photos: Sequence[bytes]) -> dict[str, Any]:
        images = [
            preprocess(photo, manifest.preprocessing, max_pixels=_MAX_PIXELS) for photo in photos
        ]
        [logits] = session.run([signature.logits.name], {signature.image.name: np.stack(images)})
        return {"results": [_predictions(row, manifest) for row in logits]}

    @app.get("/readyz")
    def readyz() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/classify")
    def classify_body(photo: Annotated[bytes, Depends(_body)]) -> dict[str, Any]:
        return classify([photo])

    @app.post("/upload")
    def classify_files(files: Annotated[list[bytes], File()]) -> dict[str, Any]:
        return classify(files)

    return app


def _predictions(logits: NDArray[np.float32], manifest: Manifest) -> list[dict[str, Any]]:
    scores = np.exp(logits - logits.max())
    scores /= scores.sum()
    best = np.argsort(-scores)[:_TOP]
    return [{"label": manifest.labels[i].name, "score": float(scores[i])} for i in best]
