"""Stand-ins of Google Cloud Storage and Azure Blob Storage, as far as their libraries ask them."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

Objects = dict[str, bytes]
"""The content of a bucket, by the objects' names."""
Answer = tuple[HTTPStatus, dict[str, str], bytes]
Stand = Callable[["Asked", Objects], Answer]

_ABSENT: Answer = (HTTPStatus.NOT_FOUND, {}, b"")


class Asked:
    """A request: its path and query, without the first folder of the path."""

    def __init__(self, target: str, ranges: str) -> None:
        url = urlsplit(target)
        self.path = unquote(url.path)
        self.query = {key: values[0] for key, values in parse_qs(url.query).items()}
        first, _, last = ranges.removeprefix("bytes=").partition("-")
        self.ranges = (int(first), int(last) + 1 if last else None) if ranges else None

    def cut(self, data: bytes) -> Answer:
        """The answer with the bytes that are asked for."""
        if self.ranges is None:
            return HTTPStatus.OK, _described(data), data
        part = data[self.ranges[0] : self.ranges[1]]
        end = self.ranges[0] + len(part) - 1
        told = {"Content-Range": f"bytes {self.ranges[0]}-{end}/{len(data)}"}
        told["Content-Length"] = str(len(part))
        return HTTPStatus.PARTIAL_CONTENT, _described(data) | told, part


def google(asked: Asked, objects: Objects) -> Answer:
    """Google's JSON API, of any bucket."""
    _, is_object, name = asked.path.partition("/o/")
    if is_object:
        if name not in objects:
            return _ABSENT
        if asked.query.get("alt") == "media":
            return asked.cut(objects[name])
        return _json(_google_item(name, objects[name]))
    if not asked.path.endswith("/o"):
        return _ABSENT
    names, folders = _listed(objects, asked.query.get("prefix", ""), asked.query.get("delimiter"))
    items = [_google_item(name, objects[name]) for name in names]
    return _json({"kind": "storage#objects", "items": items, "prefixes": folders})


def azure(asked: Asked, objects: Objects) -> Answer:
    """Azure's Blob service, of any container of the account `stand`."""
    if asked.query.get("comp") == "list":
        prefix = asked.query.get("prefix", "")
        names, folders = _listed(objects, prefix, asked.query.get("delimiter"))
        blobs = "".join(
            f"<Blob><Name>{escape(name)}</Name><Properties><Content-Length>{len(objects[name])}"
            f"</Content-Length><Etag>{_digest(objects[name])}</Etag><BlobType>BlockBlob</BlobType>"
            "</Properties></Blob>"
            for name in names
        )
        blobs += "".join(
            f"<BlobPrefix><Name>{escape(name)}</Name></BlobPrefix>" for name in folders
        )
        text = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="models">'
            f"<Prefix>{escape(prefix)}</Prefix><Delimiter>/</Delimiter>"
            f"<Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>"
        )
        return HTTPStatus.OK, {"Content-Type": "application/xml"}, text.encode()
    data = objects.get(asked.path.removeprefix("/stand/").partition("/")[2])
    return _ABSENT if data is None else asked.cut(data)


@contextmanager
def standing(stand: Stand, objects: Objects) -> Iterator[int]:
    """Serves objects; gives the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            ranges = self.headers.get("x-ms-range") or self.headers.get("range") or ""
            status, headers, body = stand(Asked(self.path, ranges), objects)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            with suppress(ConnectionError):  # who has read enough closes
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the base's name

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _listed(objects: Objects, prefix: str, delimiter: str | None) -> tuple[list[str], list[str]]:
    names = [name for name in sorted(objects) if name.startswith(prefix)]
    if delimiter is None:
        return names, []
    rests = {name: name.removeprefix(prefix) for name in names}
    folders = {
        prefix + rest.partition(delimiter)[0] + delimiter
        for rest in rests.values()
        if delimiter in rest
    }
    return [name for name in names if delimiter not in rests[name]], sorted(folders)


def _google_item(name: str, data: bytes) -> dict[str, str]:
    return {"kind": "storage#object", "name": name, "bucket": "models", "size": str(len(data)),
            "etag": _digest(data), "generation": "1"}  # fmt: skip


def _described(data: bytes) -> dict[str, str]:
    """Headers that tell of an object."""
    return {"Content-Length": str(len(data)), "ETag": f'"{_digest(data)}"',
            "Last-Modified": formatdate(0, usegmt=True), "x-ms-blob-type": "BlockBlob",
            "Content-Type": "application/octet-stream"}  # fmt: skip


def _json(content: object) -> Answer:
    return HTTPStatus.OK, {"Content-Type": "application/json"}, json.dumps(content).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
