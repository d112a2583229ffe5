"""Classifies a photo with KServe's own clients, and prints what they got as JSON.

A process of its own: its module of the protocol and Triton's cannot be in one.
"""

import asyncio
import base64
import json
import sys

import numpy as np
from kserve import (
    InferenceGRPCClient,
    InferenceRESTClient,
    InferInput,
    InferRequest,
    InferResponse,
    RESTConfig,
)

MODEL = "imagenette"


def request(photo: bytes) -> InferRequest:
    tensor = InferInput("image", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([photo], dtype=object), binary_data=True)
    return InferRequest(model_name=MODEL, infer_inputs=[tensor])


def tensors(response: InferResponse) -> dict[str, object]:
    return {output.name: output.as_numpy().tolist() for output in response.outputs}


async def main(base: str, grpc_url: str) -> dict[str, object]:
    photo = sys.stdin.buffer.read()
    second = InferenceRESTClient(RESTConfig(protocol="v2"))
    first = InferenceRESTClient(RESTConfig(protocol="v1"))
    grpc = InferenceGRPCClient(grpc_url)
    ready = [
        await second.is_server_live(base),
        await second.is_server_ready(base),
        await second.is_model_ready(base, MODEL),
        await first.is_model_ready(base, MODEL),
        await grpc.is_server_live(),
        await grpc.is_server_ready(),
        await grpc.is_model_ready(MODEL),
    ]
    body = {"instances": [{"b64": base64.b64encode(photo).decode()}]}
    found = {
        "ready": ready,
        "v2": tensors(await second.infer(base, request(photo), model_name=MODEL)),
        "grpc": tensors(await grpc.infer(request(photo))),
        "v1": await first.infer(base, body, model_name=MODEL),
    }
    for client in (first, second, grpc):
        await client.close()
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))  # noqa: T201 - for the test
