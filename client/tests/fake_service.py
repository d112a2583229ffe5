"""A service that speaks the wire format over any transport, and fails on demand.

The real service is in tests/test_real_service.py; this one is for what cannot be had from it at
will: overload, broken connections, other API versions. Its "classes" follow from the bytes of the
image alone, so that every answer can be checked.
"""

import hashlib
import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

CLASSES = 10
SET_MEMBER = ("class_index", "id", "label", "score")


@dataclass(frozen=True)
class Reply:
    """One HTTP response; status 0 breaks the connection instead, status -1 refuses it."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def problem(status: int, code: str, **headers: str) -> Reply:
    """A problem+json answer."""
    body = {"title": code.title(), "status": status, "detail": "so it is", "code": code}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body, {"content-type": "application/problem+json", **named})


def scores(data: bytes) -> list[float]:
    """The fake network: scores of all classes for an image."""
    digest = hashlib.sha256(data).digest()[:CLASSES]
    total = sum(digest) + CLASSES
    return [(byte + 1) / total for byte in digest]


def best_class(data: bytes) -> int:
    """The class that the service puts first for an image."""
    values = scores(data)
    return values.index(max(values))


@dataclass
class FakeService:
    """Answers requests; those scripted first, then honestly.

    Attributes:
        script: answers to give to the next classifications, whatever they ask.
        digest: of the model.
        api_key: refused without it.
        max_images: most images in a request.
        on_classify: called with each request's images before they are answered.
        server_timing: header of that name in honest answers; none if empty.
        requests: (path, query, headers) of every request.
    """

    script: deque[Reply] = field(default_factory=deque)
    digest: str = "sha256:" + "0" * 64
    api_key: str | None = None
    max_images: int = 64
    on_classify: Callable[[list[bytes]], None] = lambda images: None
    server_timing: str = ""
    requests: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)

    def answer(self, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """The response to one request."""
        url = urlsplit(target)
        query = dict(parse_qsl(url.query))
        self.requests.append((url.path, query, dict(headers)))
        identity = {"x-request-id": headers.get("x-request-id", "")}
        if url.path == "/readyz":
            return Reply(200, {"status": "ready"}, identity)
        if url.path == "/models":
            return Reply(200, {"models": [self._loaded()]}, identity)
        if gates := re.fullmatch(r"/models/fake/versions/1/gates/(\d+)", url.path):
            return self._class_gates(int(gates[1]), identity)
        if url.path == "/feedback":
            return self._feedback(json.loads(body), identity)
        if url.path != "/classify":
            return problem(404, "not_found")
        if self.script:
            return self.script.popleft()
        if self.api_key and headers.get("authorization") != f"Bearer {self.api_key}":
            return problem(401, "unauthenticated")
        images = _images(headers.get("content-type", ""), body)
        if len(images) > self.max_images:
            return problem(413, "too_many_images")
        self.on_classify(images)
        items = [self._item(index, data, query) for index, data in enumerate(images)]
        if len(items) == 1 and "error" in items[0]:
            return problem(422, items[0]["error"]["code"], x_request_id="")
        if self.server_timing:
            identity["server-timing"] = self.server_timing
        return Reply(200, {"model": self._model(), "results": items}, identity)

    def _class_gates(self, class_index: int, identity: Mapping[str, str]) -> Reply:
        """The photos had two classes, and the first block two channels."""
        if class_index >= 2:
            return problem(422, "output_not_available", x_request_id=identity["x-request-id"])
        blocks = {
            "layer1.0": {"mean": [0.25, 0.5], "spread": [0.1, 0]},
            "layer2.0": {"mean": [1], "spread": [0.0]},
        }
        told = {"class_index": class_index, "label": f"class {class_index}", "dataset": "photos"}
        return Reply(200, told | {"photos": 7, "blocks": blocks}, identity)

    def _feedback(self, labels: list[dict[str, Any]], identity: Mapping[str, str]) -> Reply:
        """Class 1 is right, 2 is wrong; no answer is kept for 3, and others are not accepted."""
        told: list[dict[str, Any]] = []
        for label in labels:
            failed = {"code": "feedback_conflict", "title": "Again", "detail": "it has a label"}
            if label["class_index"] == 3:
                failed = {"code": "feedback_not_found", "title": "Gone", "detail": "no answer"}
            known = label["class_index"] in (1, 2)
            told.append({"right": label["class_index"] == 1} if known else {"error": failed})
        if len(told) == 1 and "error" in told[0]:
            code = told[0]["error"]["code"]
            status = 404 if code == "feedback_not_found" else 409
            return problem(status, code, x_request_id=identity["x-request-id"])
        accepted = sum("right" in own for own in told)
        return Reply(200, {"accepted": accepted, "results": told}, identity)

    def _model(self) -> dict[str, Any]:
        return {
            "name": "fake",
            "version": "1",
            "precision": "fp32",
            "digest": self.digest,
            "preprocessing": "sha256:" + "1" * 64,
        }

    def _loaded(self) -> dict[str, Any]:
        size = {"height": 64, "width": 32}
        return {
            **self._model(),
            "architecture": "tiny",
            "provider": "cpu",
            "input": size,
            "labels": CLASSES,
        }

    def _item(self, index: int, data: bytes, query: Mapping[str, str]) -> dict[str, Any]:
        item: dict[str, Any] = {"index": index, "name": None}
        if data.startswith(b"corrupt"):
            item["error"] = {"code": "invalid_image", "title": "Corrupt", "detail": "truncated"}
            return item
        if data.startswith(b"slow"):
            item["error"] = {"code": "deadline_exceeded", "title": "Late", "detail": "too late"}
            return item
        values = scores(data)
        ranked = sorted(range(CLASSES), key=lambda index: (-values[index], index))
        include = query.get("include", "").split(",")
        item["predictions"] = [
            {
                "rank": rank,
                "class_index": index,
                "id": f"n{index:02}",
                "label": f"class {index}",
                "score": values[index],
                **(
                    {"cam": [[1.0, 2.0, 3.0], [4.0, 5.0, float(index)]]} if "cam" in include else {}
                ),
            }
            for rank, index in enumerate(ranked[: int(query.get("top_k", "5"))], start=1)
        ]
        if "embedding" in include:
            item["embedding"] = values
        if "coverage" in query:
            item["prediction_set"] = [
                {key: value for key, value in own.items() if key in SET_MEMBER}
                for own in item["predictions"][: 0 if data.startswith(b"strange") else 2]
            ]
        if data.startswith(b"strange"):
            item |= {"rejected": True, "reason": "unlike the training photos"}
        if "excitations" in include:
            item["excitations"] = {"layer1.0": [0.25, 0.5], "layer2.0": [1.0]}
        return item


def _images(content_type: str, body: bytes) -> list[bytes]:
    match = re.fullmatch(r"multipart/form-data; boundary=(\w+)", content_type)
    if match is None:
        return [body]
    boundary = b"--" + match[1].encode()
    parts = body.split(boundary)
    if parts[0] or parts[-1] != b"--\r\n":
        raise ValueError("not a multipart body")
    return [part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for part in parts[1:-1]]


def transport(service: FakeService) -> httpx.MockTransport:
    """The service without a network, for both clients."""

    def handle(request: httpx.Request) -> httpx.Response:
        target = request.url.raw_path.decode()
        reply = service.answer(target, request.headers, request.content)
        if reply.status == 0:
            raise httpx.ReadError("connection reset")
        if reply.status == -1:
            raise httpx.ConnectError("connection refused")
        if isinstance(reply.body, str):
            return httpx.Response(reply.status, text=reply.body, headers=reply.headers)
        return httpx.Response(reply.status, json=reply.body, headers=reply.headers)

    return httpx.MockTransport(handle)


@contextmanager
def listening(service: FakeService, port: int = 0) -> Iterator[ThreadingHTTPServer]:
    """The service on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = service.answer(self.path, headers, body)
            if reply.status == 0:
                self.close_connection = True
                return
            text = json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = handle_request  # noqa: N815 - the base class's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - likewise
            del format, args

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that was killed leaves broken connections; nobody need hear of them."""

    with Server(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def url_of(server: ThreadingHTTPServer) -> str:
    """Where a listening service is."""
    return f"http://127.0.0.1:{server.server_address[1]}"
