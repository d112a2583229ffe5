"""FastAPI and ONNX Runtime as most people would put them together, to compare with.

`uvicorn tools.bench.plain_server:create_app --factory`. Nothing bounds, batches, verifies or drains
here.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI, File, Request

from tools.bench.peer import Decoder, Model, Setting


async def _body(request: Request) -> bytes:
    return await request.body()


def create_app() -> FastAPI:
    """The application; loads the model at once."""
    setting = Setting.of()
    decode, infer = Decoder(setting), Model(setting)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if setting.pool:
            current_default_thread_limiter().total_tokens = setting.pool
        yield

    app = FastAPI(lifespan=lifespan)

    def classify(photos: Sequence[bytes]) -> dict[str, Any]:
        return {"results": infer([decode(photo) for photo in photos])}

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
