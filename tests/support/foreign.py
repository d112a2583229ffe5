"""Requests as other servers' clients send them, made by hand."""

import base64
import json
import struct
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

INFER = "/v2/models/colours/infer"


def as_text(data: bytes) -> str:
    """Base64."""
    return base64.b64encode(data).decode()


def elements(images: Sequence[bytes]) -> bytes:
    """The binary form of a tensor of BYTES."""
    return b"".join(struct.pack("<I", len(image)) + image for image in images)


def post_binary(
    client: httpx.Client,
    head: object,
    binary: bytes = b"",
    *,
    path: str = INFER,
    length: int | str | None = None,
) -> httpx.Response:
    """Posts an inference request with the tensors' bytes after its JSON."""
    text = json.dumps(head).encode()
    size = len(text) if length is None else length
    headers = {"inference-header-content-length": str(size)}
    return client.post(path, content=text + binary, headers=headers)


def encoded_head(images: Sequence[bytes], **more: object) -> dict[str, Any]:
    """The JSON of a request whose images follow it."""
    size = len(elements(images))
    tensor = {
        "name": "image", "datatype": "BYTES", "shape": [len(images)],
        "parameters": {"binary_data_size": size},
    }  # fmt: skip
    return {"inputs": [tensor], **more}


def post_encoded(client: httpx.Client, images: Sequence[bytes], **more: object) -> httpx.Response:
    """Posts encoded images in binary; `more` goes into the JSON."""
    return post_binary(client, encoded_head(images, **more), elements(images))


def pixel_head(pixels: NDArray[np.uint8], **more: object) -> dict[str, Any]:
    """The JSON of a request whose pixels follow it."""
    tensor = {
        "name": "images", "datatype": "UINT8", "shape": list(pixels.shape),
        "parameters": {"binary_data_size": pixels.nbytes},
    }  # fmt: skip
    return {"inputs": [tensor], **more}


def tensors(response: httpx.Response) -> dict[str, Any]:
    """The outputs of an answer by name: float32 arrays of their shape, or lists of texts."""
    assert response.status_code == 200, response.text
    size = response.headers.get("inference-header-content-length")
    head = json.loads(response.content[: int(size) if size else None])
    rest = response.content[int(size) :] if size else b""
    found: dict[str, Any] = {}
    for output in head["outputs"]:
        if "parameters" in output:
            part = rest[: output["parameters"]["binary_data_size"]]
            rest = rest[len(part) :]
        else:
            part = None
        found[output["name"]] = _values(output, part)
    assert not rest
    return found


def _values(output: dict[str, Any], part: bytes | None) -> NDArray[np.float32] | list[str]:
    if output["datatype"] == "BYTES":
        return _texts(part) if part is not None else list(output["data"])
    assert output["datatype"] == "FP32"
    flat = np.array(output["data"], np.float32) if part is None else np.frombuffer(part, "<f4")
    return flat.reshape(output["shape"])


def _texts(part: bytes) -> list[str]:
    texts = []
    while part:
        [size] = struct.unpack("<I", part[:4])
        texts.append(part[4 : 4 + size].decode())
        part = part[4 + size :]
    return texts
