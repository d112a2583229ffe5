"""gRPC's server reflection, by which tools learn the protocol."""

from collections.abc import AsyncIterable, AsyncIterator, Sequence

import grpc
from grpc_reflection.v1alpha.reflection import SERVICE_NAME, aio
from grpc_reflection.v1alpha.reflection_pb2 import (
    ServerReflectionRequest,
    ServerReflectionResponse,
)

from app.contract.errors import RequestError
from app.transport.grpc.calls import Call, Context
from app.transport.grpc.receiving import Receiver
from app.transport.grpc.statuses import status_code, trailing
from app.transport.http.auth import address


class Reflection:
    """Reflection, in calls that are charged and end in time like all others.

    Args:
        names: of the services that the server has besides.
        receiver: charges them.
    """

    def __init__(self, names: Sequence[str], receiver: Receiver) -> None:
        self._library = aio.ReflectionServicer([*names, SERVICE_NAME])
        self._receiver = receiver

    def handlers(self) -> grpc.GenericRpcHandler:
        """Its method, for the server."""
        return grpc.method_handlers_generic_handler(
            SERVICE_NAME,
            {
                "ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(
                    self._answer,
                    request_deserializer=ServerReflectionRequest.FromString,
                    response_serializer=ServerReflectionResponse.SerializeToString,
                )
            },
        )

    async def _answer(
        self, requests: AsyncIterable[ServerReflectionRequest], context: Context
    ) -> AsyncIterator[ServerReflectionResponse]:
        try:
            async with self._receiver.charged(address(Call(context).scope)):
                async for answer in self._library.ServerReflectionInfo(requests, context):
                    yield answer
        except RequestError as error:
            await context.abort(status_code(error), str(error), tuple(trailing(error)))
