"""Requests and what their answers must look like."""

import base64
import json
import socket
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import httpx

from tests.support.waiting import BOUND_SECONDS

Image = tuple[str, bytes]
"""A name and the encoded picture."""

Parameters = Mapping[str, str | int | float] | str | None


def post_image(
    client: httpx.Client,
    data: bytes,
    *,
    params: Parameters = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> httpx.Response:
    """Posts one image as the raw body."""
    kind = {"content-type": "application/octet-stream"}
    return client.post("/classify", content=data, params=params, headers=kind | dict(headers))


def post_multipart(client: httpx.Client, images: Sequence[Image]) -> httpx.Response:
    """Posts images as the parts of one multipart request."""
    return client.post("/classify", files=[("image", image) for image in images])


def post_json(client: httpx.Client, images: Sequence[Image]) -> httpx.Response:
    """Posts images as base64 in JSON."""
    items = [{"name": name, "data": base64.b64encode(data).decode()} for name, data in images]
    return client.post("/classify", json={"images": items})


def top_classes(response: httpx.Response) -> list[int]:
    """The best class of each image of a successful answer."""
    assert response.status_code == 200, response.text
    return [item["predictions"][0]["class_index"] for item in response.json()["results"]]


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Checks that the answer is this problem with every RFC 9457 field; returns the problem."""
    assert response.status_code == status, response.text
    return _checked(response.json(), dict(response.headers), status, code)


def assert_raw_problem(answer: bytes, status: int, code: str) -> dict[str, Any]:
    """The same for an answer read from a bare socket."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    assert first.split()[1] == str(status), answer
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return _checked(json.loads(body), headers, status, code)


def _checked(
    problem: dict[str, Any], headers: dict[str, str], status: int, code: str
) -> dict[str, Any]:
    assert headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail", "code", "request_id"}
    assert problem["code"] == code
    assert problem["type"] == f"/problems/{code}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == headers["x-request-id"]
    return problem


class RawConnection:
    """A bare socket, for what a well-behaved client would never send.

    Args:
        port: of the server, on 127.0.0.1.
        source: the client's own address; all of 127.0.0.0/8 are this machine.
    """

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection(
            ("127.0.0.1", port), timeout=BOUND_SECONDS, source_address=(source, 0)
        )

    def __enter__(self) -> "RawConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send_head(self, *headers: str, path: str = "/classify") -> None:
        """Sends the request line and headers of a POST."""
        lines = [f"POST {path} HTTP/1.1", "host: localhost", *headers, "", ""]
        self.send("\r\n".join(lines).encode())

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send_chunk(self, data: bytes) -> None:
        """Sends one chunk of a chunked body."""
        self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def read_answer(self) -> bytes:
        """Reads one answer whose Content-Length is given."""
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._receive()
        head, _, body = answer.partition(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        while len(body) < length:
            body += self._receive()
        return head + b"\r\n\r\n" + body

    def read_interim(self) -> bytes:
        """Reads one answer that has no body, such as 100 Continue."""
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self._receive()
        return answer

    def read_to_end(self) -> bytes:
        """Reads until the server closes the connection."""
        data = b""
        while part := self._socket.recv(65536):
            data += part
        return data

    def is_closed_by_server(self) -> bool:
        """Waits for the server's next byte or its end of the connection."""
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _receive(self) -> bytes:
        data = self._socket.recv(65536)
        assert data, "the server closed the connection without an answer"
        return data
