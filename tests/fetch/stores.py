"""Stand-ins of the stores that models are fetched from, each as far as reading needs it."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

Answer = tuple[int, dict[str, str], bytes]
Store = Callable[[str, dict[str, list[str]]], Answer]
"""(path, query) -> what a GET of it is answered with."""

_ABSENT: Answer = (404, {}, b"")
_COMMIT = "0123456789abcdef0123456789abcdef01234567"


def contents(version: Path) -> dict[str, bytes]:
    """The files of a published version, by their paths in it."""
    return {
        file.relative_to(version).as_posix(): file.read_bytes()
        for file in sorted(version.rglob("*"))
        if file.is_file()
    }


def google(files: dict[str, bytes], folder: str) -> Store:
    """Google Cloud Storage's JSON API: `folder` of any bucket."""
    objects = {f"{folder}/{name}": data for name, data in files.items()}

    def answer(path: str, query: dict[str, list[str]]) -> Answer:
        if path.endswith("/o"):
            bucket = path.split("/")[-2]
            found = [
                {"name": name, "bucket": bucket, "size": str(len(data))}
                for name, data in objects.items()
                if name.startswith(query.get("prefix", [""])[0])
            ]
            listed = json.dumps({"kind": "storage#objects", "items": found})
            return 200, {"Content-Type": "application/json"}, listed.encode()
        data = objects.get(unquote(path.rpartition("/o/")[2]))
        return _ABSENT if data is None else (200, {}, data)

    return answer


def azure(files: dict[str, bytes], folder: str) -> Store:
    """Azure Blob Storage: `folder` of any container."""
    blobs = {f"{folder}/{name}": data for name, data in files.items()}

    def answer(path: str, query: dict[str, list[str]]) -> Answer:
        if query.get("comp") == ["list"]:
            prefix = query.get("prefix", [""])[0]
            found = "".join(
                f"<Blob><Name>{escape(name)}</Name><Properties><Content-Length>{len(data)}"
                "</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>"
                for name, data in blobs.items()
                if name.startswith(prefix)
            )
            listed = (
                '<?xml version="1.0" encoding="utf-8"?><EnumerationResults>'
                f"<Blobs>{found}</Blobs><NextMarker/></EnumerationResults>"
            )
            return 200, {"Content-Type": "application/xml"}, listed.encode()
        data = blobs.get(unquote(path.lstrip("/").partition("/")[2]))
        if data is None:
            return _ABSENT
        last = len(data) - 1
        ranges = {"Content-Range": f"bytes 0-{last}/{len(data)}", "ETag": '"1"'}
        return 206, ranges, data

    return answer


def hugging_face(files: dict[str, bytes], name: str) -> Store:
    """The hub with the repository `name`, whose root holds the version."""

    def answer(path: str, query: dict[str, list[str]]) -> Answer:
        if path.startswith(f"/api/models/{name}"):
            found = [{"rfilename": file} for file in files]
            shown = {"id": name, "sha": _COMMIT, "siblings": found}
            if "/tree/" in path:
                shown = [  # type: ignore[assignment]
                    {"type": "file", "path": file, "size": len(data), "oid": _digest(data)}
                    for file, data in files.items()
                ]
            headers = {"Content-Type": "application/json", "X-Repo-Commit": _COMMIT}
            return 200, headers, json.dumps(shown).encode()
        data = files.get(unquote(path.partition(f"/{name}/resolve/")[2].partition("/")[2]))
        if data is None:
            return _ABSENT
        return 200, {"ETag": f'"{_digest(data)}"', "X-Repo-Commit": _COMMIT}, data

    return answer


def registry(files: dict[str, bytes], folder: str) -> Store:
    """An OCI registry with an image whose one layer has `folder`, as of `models.Dockerfile`."""
    layer = archive({f"{folder}/{name}": data for name, data in files.items()})
    config = b"{}"
    blobs = {f"sha256:{_digest(data)}": data for data in (layer, config)}
    kind = "application/vnd.oci.image"

    def described(data: bytes, media_type: str) -> dict[str, object]:
        return {"mediaType": media_type, "digest": f"sha256:{_digest(data)}", "size": len(data)}

    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{kind}.manifest.v1+json",
            "config": described(config, f"{kind}.config.v1+json"),
            "layers": [described(layer, f"{kind}.layer.v1.tar+gzip")],
        }
    ).encode()

    def answer(path: str, query: dict[str, list[str]]) -> Answer:
        if "/manifests/" in path:
            return 200, {"Content-Type": f"{kind}.manifest.v1+json"}, manifest
        data = blobs.get(path.rpartition("/")[2])
        return _ABSENT if data is None else (200, {}, data)

    return answer


def web(files: dict[str, bytes], name: str) -> Store:
    """A web server with an archive of the version under `/name`."""

    def answer(path: str, query: dict[str, list[str]]) -> Answer:
        if path != f"/{name}":
            return _ABSENT
        return 200, {"Content-Type": "application/gzip"}, archive(files)

    return answer


def archive(files: dict[str, bytes]) -> bytes:
    """A compressed tar archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def handler(store: Store) -> type[BaseHTTPRequestHandler]:
    """What `http.server` needs to serve a store."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            status, headers, body = store(url.path, parse_qs(url.query))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    return Handler


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
