"""Throughput of other servers' protocols beside `/classify`: the same photos, in turn.

    python -m tools.bench.adapters [--photos DIR] [--rounds 6] [--seconds 3]

Ratios are of rates of the same round, so that what the machine does meanwhile is in both.
"""

import argparse
import asyncio
import struct
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import grpc
import orjson

from app.transport.grpc.protocol.open_inference_pb2 import InferParameter, ModelInferRequest
from tools.bench.rounds import interleave, median_ratio
from tools.loadtools.client import Wire, head
from tools.loadtools.command import run
from tools.loadtools.pictures import SMALL, drawn
from tools.loadtools.pictures import given as usual
from tools.loadtools.process import free_port, service

_MODEL = "imagenette"
_CLIENTS = 32
_CLASSES = 5
_WARM_SECONDS = 2.0
# Each has one HTTP/2 connection, on which calls share a flow.
_CHANNELS = 8

Send = Callable[[], Awaitable[bool]]
"""Sends the next request; whether its answer was good."""

Measure = Callable[[int, Sequence[bytes], float], Coroutine[None, None, float]]
"""Answers a second: of a port, for these requests, in so many seconds."""


def raw(path: str, photo: bytes) -> bytes:
    """A request whose body is the photo."""
    return head(path, len(photo), {"content-type": "image/jpeg"}) + photo


def rest(photo: bytes) -> bytes:
    """A request of the Open Inference Protocol, with the photo in binary."""
    tensor = {
        "name": "image", "shape": [1], "datatype": "BYTES",
        "parameters": {"binary_data_size": len(photo) + 4},
    }  # fmt: skip
    scores = {"name": "scores", "parameters": {"classification": _CLASSES}}
    text = orjson.dumps({"inputs": [tensor], "outputs": [scores]})
    body = text + struct.pack("<I", len(photo)) + photo
    fields = {"inference-header-content-length": str(len(text))}
    return head(f"/v2/models/{_MODEL}/infer", len(body), fields) + body


def message(photo: bytes) -> bytes:
    """The same over gRPC."""
    request = ModelInferRequest(
        model_name=_MODEL,
        inputs=[ModelInferRequest.InferInputTensor(name="image", datatype="BYTES", shape=[1])],
        outputs=[
            ModelInferRequest.InferRequestedOutputTensor(
                name="scores",
                parameters={"classification": InferParameter(int64_param=_CLASSES)},
            )
        ],
        raw_input_contents=[struct.pack("<I", len(photo)) + photo],
    )
    return bytes(request.SerializeToString())


async def over_http(port: int, requests: Sequence[bytes], seconds: float) -> float:
    """Answers a second over HTTP."""
    following = cycle(requests)
    wires = [await Wire.connect(port) for _ in range(_CLIENTS)]

    def sender(wire: Wire) -> Send:
        async def send() -> bool:
            arrived = asyncio.get_running_loop().create_future()
            wire.send(next(following))
            wire.expect(arrived.set_result)
            answer = await arrived
            return answer is not None and answer.status == 200

        return send

    try:
        return await _rate([sender(wire) for wire in wires], seconds)
    finally:
        for wire in wires:
            wire.close()


async def over_grpc(port: int, requests: Sequence[bytes], seconds: float) -> float:
    """Answers a second over gRPC."""
    following = cycle(requests)
    alone = [("grpc.use_local_subchannel_pool", 1)]
    channels = [
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=alone) for _ in range(_CHANNELS)
    ]

    def sender(channel: grpc.aio.Channel) -> Send:
        method: Any = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")

        async def send() -> bool:
            return bool(await method(next(following)))

        return send

    try:
        senders = [sender(channels[index % _CHANNELS]) for index in range(_CLIENTS)]
        return await _rate(senders, seconds)
    finally:
        for channel in channels:
            await channel.close()


async def _rate(senders: Sequence[Send], seconds: float) -> float:
    done = 0
    began = time.monotonic()

    async def send_on(send: Send) -> None:
        nonlocal done
        while time.monotonic() < began + seconds:
            if not await send():
                raise RuntimeError("a request was not answered with 200")
            done += 1

    await asyncio.gather(*map(send_on, senders))
    return done / (time.monotonic() - began)


def _measure(measure: Measure, port: int, requests: Sequence[bytes], seconds: float) -> float:
    return asyncio.run(measure(port, requests, seconds))


def main() -> int:
    """Measures, and prints rates and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=Path, help="folder of photos; drawn ones by default")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = usual(asked.photos)[0] if asked.photos else drawn(Path(folder), SMALL)
        photos = [file.read_bytes() for file in files]
    grpc_port = free_port()
    with service(["--access-log-share", "0", "--grpc-port", str(grpc_port)]) as server:
        ways: dict[str, tuple[Measure, int, list[bytes]]] = {
            "/classify": (over_http, server.port, [raw("/classify", photo) for photo in photos]),
            "/v2, BYTES": (over_http, server.port, [rest(photo) for photo in photos]),
            "Hugging Face": (over_http, server.port, [raw("/", photo) for photo in photos]),
            "gRPC": (over_grpc, grpc_port, [message(photo) for photo in photos]),
        }
        measures = {
            name: partial(_measure, measure, port, requests, asked.seconds)
            for name, (measure, port, requests) in ways.items()
        }
        for measure, port, requests in ways.values():
            _measure(measure, port, requests, _WARM_SECONDS)
        rates = interleave(measures, asked.rounds)
    print("| protocol | answers a second | to `/classify` | to `/v2` |")
    print("| --- | --- | --- | --- |")
    for name, own in rates.items():
        ratios = [median_ratio(own, rates[base]) for base in ("/classify", "/v2, BYTES")]
        print(f"| {name} | {median(own):.0f} | {ratios[0]:.3f} | {ratios[1]:.3f} |")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
