"""`python -m benchmarks.null_service PORT`: answers as the service does, at once, without looking.

What is left is the client's own work.
"""

import asyncio
import json
import sys

_DIGEST = "sha256:" + "0" * 64
_MODEL = {
    "name": "null", "version": "1", "precision": "fp32", "digest": _DIGEST,
    "preprocessing": _DIGEST,
}  # fmt: skip
_LOADED = _MODEL | {
    "architecture": "none", "provider": "cpu", "input": {"height": 160, "width": 160}, "labels": 10,
}  # fmt: skip
_PREDICTIONS = [
    {"rank": rank, "class_index": rank, "id": f"n{rank:08}", "label": f"class {rank}", "score": 0.2}
    for rank in range(1, 6)
]


def answer(head: bytes, body: bytes) -> bytes:
    """The JSON body of an answer."""
    if head.startswith(b"GET"):
        return json.dumps({"models": [_LOADED]}).encode()
    images = max(1, body.count(b"Content-Disposition: form-data"))
    results = [{"index": index, "predictions": _PREDICTIONS} for index in range(images)]
    return json.dumps({"model": _MODEL, "results": results}).encode()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers the requests of one connection."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
            length = next((int(size) for name, _, size in lines if name == b"content-length"), 0)
            text = answer(head, await reader.readexactly(length))
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(text), text)
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Serves until it is stopped."""
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), limit=2**20)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
