"""A client of the Open Inference Protocol over gRPC, made by hand."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import grpc
import numpy as np
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from numpy.typing import NDArray

from app.transport.grpc.protocol import open_inference_pb2 as protocol
from tests.support.foreign import elements
from tests.support.waiting import BOUND_SECONDS

SERVICE = "inference.GRPCInferenceService"
Metadata = Sequence[tuple[str, str]]


class GrpcClient:
    """Calls a service on 127.0.0.1.

    Args:
        port: the service's.
        credentials: of TLS, if it speaks that.
        name: whom its certificate must belong to then.
    """

    def __init__(
        self, port: int, credentials: grpc.ChannelCredentials | None = None, name: str = ""
    ) -> None:
        # Of its own, so that no connection of another test is taken.
        options: list[tuple[str, Any]] = [("grpc.use_local_subchannel_pool", 1)]
        if name:
            options.append(("grpc.ssl_target_name_override", name))
        place = f"127.0.0.1:{port}"
        self.channel = (
            grpc.insecure_channel(place, options)
            if credentials is None
            else grpc.secure_channel(place, credentials, options)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def method(self, name: str) -> "grpc.UnaryUnaryMultiCallable[Any, Any]":
        """A method of the protocol, by the name of its request."""
        answer = getattr(protocol, f"{name}Response")
        return self.channel.unary_unary(
            f"/{SERVICE}/{name}",
            request_serializer=_serialise,
            response_deserializer=answer.FromString,
        )

    def call(
        self,
        name: str,
        request: Message | bytes | None = None,
        *,
        metadata: Metadata = (),
        timeout: float = BOUND_SECONDS,
    ) -> Any:  # noqa: ANN401 - the answer is of the method's own type
        """Calls a method; `request` is an empty one by default."""
        request = getattr(protocol, f"{name}Request")() if request is None else request
        return self.method(name)(request, timeout=timeout, metadata=tuple(metadata))

    def infer(
        self,
        request: Message | bytes,
        *,
        metadata: Metadata = (),
        timeout: float = BOUND_SECONDS,
    ) -> protocol.ModelInferResponse:
        answer: protocol.ModelInferResponse = self.call(
            "ModelInfer", request, metadata=metadata, timeout=timeout
        )
        return answer

    def unary(self, path: str, message: bytes) -> bytes:
        """Calls any method."""
        method: Any = self.channel.unary_unary(path)
        answer: bytes = method(message, timeout=BOUND_SECONDS)
        return answer

    def stream(self, path: str, messages: Iterable[bytes]) -> bytes:
        """Calls a method with a stream of messages."""
        method: Any = self.channel.stream_unary(path)
        answer: bytes = method(iter(messages), timeout=BOUND_SECONDS)
        return answer

    def watch(self, service: str = "") -> Any:  # noqa: ANN401 - an iterator that can be cancelled
        """Watches health: an iterator of messages, with `cancel`."""
        method: Any = self.channel.unary_stream("/grpc.health.v1.Health/Watch")
        return method(health_pb2.HealthCheckRequest(service=service).SerializeToString())

    def reflect(self, *questions: bytes) -> Any:  # noqa: ANN401 - likewise
        """Asks the reflection service."""
        path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        method: Any = self.channel.stream_stream(path)
        return method(iter(questions))


def _serialise(request: Message | bytes) -> bytes:
    return request if isinstance(request, bytes) else request.SerializeToString()


def encoded_request(images: Sequence[bytes], **more: object) -> protocol.ModelInferRequest:
    """A request whose images are encoded files in `raw_input_contents`."""
    tensor = protocol.ModelInferRequest.InferInputTensor(
        name="image", datatype="BYTES", shape=[len(images)]
    )
    return _request(tensor, elements(images), more)


def pixel_request(pixels: NDArray[np.uint8], **more: object) -> protocol.ModelInferRequest:
    """The same of pixels."""
    tensor = protocol.ModelInferRequest.InferInputTensor(
        name="images", datatype="UINT8", shape=pixels.shape
    )
    return _request(tensor, pixels.tobytes(), more)


def _request(
    tensor: protocol.ModelInferRequest.InferInputTensor, raw: bytes, more: Mapping[str, object]
) -> protocol.ModelInferRequest:
    fields: dict[str, Any] = {
        "model_name": "colours", "inputs": [tensor], "raw_input_contents": [raw]
    }  # fmt: skip
    return protocol.ModelInferRequest(**fields | dict(more))


def output(name: str, **parameters: int) -> protocol.ModelInferRequest.InferRequestedOutputTensor:
    """An output that is asked for."""
    return protocol.ModelInferRequest.InferRequestedOutputTensor(
        name=name,
        parameters={
            key: protocol.InferParameter(int64_param=value) for key, value in parameters.items()
        },
    )


def arrays(answer: protocol.ModelInferResponse) -> dict[str, NDArray[np.float32]]:
    """The outputs of numbers by name."""
    return {
        tensor.name: np.frombuffer(raw, "<f4").reshape(tuple(tensor.shape))
        for tensor, raw in zip(answer.outputs, answer.raw_output_contents, strict=True)
        if tensor.datatype == "FP32"
    }


def refusal(call: Callable[[], object]) -> tuple[grpc.StatusCode, str, str]:
    """Status, error code of ours ("" for none) and text of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    fields = dict(error.trailing_metadata() or ())
    return error.code(), str(fields.get("x-error-code", "")), error.details()
