"""A service for tests: no network, no model, the same answer to the same image every time.

    fake = FakeService(labels=["cat", "dog"])
    fake.answers[b"..."] = "dog"
    client = fake.client()

What is asked goes through the client as in production: its options are checked, and its retries
and errors are those of the service.
"""

import hashlib
import json
import re
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import httpx

from senet_client.async_client import AsyncClient
from senet_client.client import Client

_REJECTED = {"invalid_image": 422, "unsupported_image_format": 415, "image_too_large": 422}
_REFUSED = {
    "unauthenticated": 401, "forbidden": 403, "model_not_found": 404, "too_many_images": 413,
    "body_too_large": 413, "overloaded": 429, "inference_failed": 500, "not_ready": 503,
    "draining": 503, "deadline_exceeded": 504,
}  # fmt: skip
_EMBEDDING_SIZE = 8
_BEST_SCORE = 0.9


class FakeService:
    """Answers classifications of both clients.

    Args:
        labels: the classes, in order of their index.
        name: the model's name.
        version: its version.

    Attributes:
        answers: for the bytes of an image, the label that comes first, or the code of its error
            (`invalid_image`, `unsupported_image_format`, `image_too_large`). Other images get a
            label that follows from their bytes.
        failures: codes of errors, or `connection_failed`, that the next requests end with.
        seen: the images of each classification that was answered, request by request.
    """

    def __init__(
        self, labels: Sequence[str] = ("cat", "dog"), *, name: str = "fake", version: str = "1"
    ) -> None:
        self.labels = tuple(labels)
        self.answers: dict[bytes, str] = {}
        self.failures: deque[str] = deque()
        self.seen: list[list[bytes]] = []
        digest = (
            "sha256:" + hashlib.sha256(json.dumps([name, version, labels]).encode()).hexdigest()
        )
        self._model = {
            "name": name,
            "version": version,
            "precision": "fp32",
            "digest": digest,
            "preprocessing": digest,
        }

    def client(self, **options: Any) -> Client:  # noqa: ANN401 - those of `Client`
        """A client of this service, which pauses for no time."""
        return Client(
            "http://fake", transport=self.transport(), sleep=lambda seconds: None, **options
        )

    def async_client(self, **options: Any) -> AsyncClient:  # noqa: ANN401 - those of `AsyncClient`
        """The same for asyncio."""

        async def sleep(seconds: float) -> None:
            del seconds

        return AsyncClient("http://fake", transport=self.transport(), sleep=sleep, **options)

    def transport(self) -> httpx.MockTransport:
        """The service as httpx's clients take it."""
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        headers = {"x-request-id": request.headers.get("x-request-id", "")}
        if self.failures:
            code = self.failures.popleft()
            if code == "connection_failed":
                raise httpx.ReadError("the connection broke")
            return _problem(code, _REFUSED.get(code, 500), headers)
        if request.url.path == "/readyz":
            return httpx.Response(200, json={"status": "ready"}, headers=headers)
        if request.url.path == "/models":
            size = {"height": 224, "width": 224}
            loaded = {"architecture": "fake", "provider": "cpu", "labels": len(self.labels)}
            found = {**self._model, **loaded, "input": size}
            return httpx.Response(200, json={"models": [found]}, headers=headers)
        if request.url.path != "/classify":
            return _problem("not_found", HTTPStatus.NOT_FOUND, headers)
        images = _images(request)
        self.seen.append(images)
        asked = dict(parse_qsl(request.url.query.decode()))
        items = [{"index": index, **self._item(data, asked)} for index, data in enumerate(images)]
        if len(items) == 1 and "error" in items[0]:
            code = items[0]["error"]["code"]
            return _problem(code, _REJECTED[code], headers)
        return httpx.Response(200, json={"model": self._model, "results": items}, headers=headers)

    def _item(self, data: bytes, asked: dict[str, str]) -> dict[str, Any]:
        digest = hashlib.sha256(data).digest()
        best = self.answers.get(data, self.labels[digest[0] % len(self.labels)])
        if best in _REJECTED:
            return {"error": {"code": best, "title": best, "detail": "as the test has it"}}
        others = [label for label in self.labels if label != best]
        score = _BEST_SCORE if others else 1.0
        ranked = [(best, score), *((label, (1 - score) / len(others)) for label in others)]
        include = asked.get("include", "").split(",")
        predictions = [
            {
                "rank": rank,
                "class_index": self.labels.index(label),
                "id": label,
                "label": label,
                "score": share,
                **({"cam": [[share, 0.0], [0.0, share]]} if "cam" in include else {}),
            }
            for rank, (label, share) in enumerate(ranked[: int(asked.get("top_k", "5"))], start=1)
            if share >= float(asked.get("min_score", "0"))
        ]
        embedding = [byte / 255 for byte in digest[:_EMBEDDING_SIZE]]
        return {
            "predictions": predictions,
            **({"embedding": embedding} if "embedding" in include else {}),
        }


def _problem(code: str, status: int, headers: dict[str, str]) -> httpx.Response:
    body = {"title": code, "status": status, "detail": "as the test has it", "code": code}
    return httpx.Response(status, json=body, headers=headers)


def _images(request: httpx.Request) -> list[bytes]:
    found = re.fullmatch(
        r"multipart/form-data; boundary=(\w+)", request.headers.get("content-type", "")
    )
    if found is None:
        return [request.content]
    parts = request.content.split(b"--" + found[1].encode())[1:-1]
    return [part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for part in parts]
