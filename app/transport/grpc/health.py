"""gRPC's own health protocol."""

import asyncio
from collections.abc import AsyncIterator

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1.health import SERVICE_NAME
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from app.contract.errors import RequestError
from app.inference.fair_share import FairShare
from app.inference.service import Service
from app.transport.grpc.calls import Call, Context
from app.transport.grpc.receiving import Receiver
from app.transport.grpc.service import NAME
from app.transport.grpc.statuses import status_code, trailing
from app.transport.http.auth import address

_MAX_WATCHING = 64
# A client that watches is told of a change within this.
_LOOK_SECONDS = 0.25
_WHOLE = ""


class Health:
    """Tells whether the service is ready. Nobody needs a key for that.

    Args:
        service: whose state it tells.
        receiver: takes messages in.
        look_seconds: how often those who watch have the service looked at.
    """

    def __init__(
        self, service: Service, receiver: Receiver, look_seconds: float = _LOOK_SECONDS
    ) -> None:
        self._service = service
        self._receiver = receiver
        self._look_seconds = look_seconds
        self._watching = FairShare(_MAX_WATCHING)

    def handlers(self) -> grpc.GenericRpcHandler:
        """Its methods, for the server."""
        return grpc.method_handlers_generic_handler(
            SERVICE_NAME,
            {
                "Check": grpc.stream_unary_rpc_method_handler(self._check),
                "Watch": grpc.stream_stream_rpc_method_handler(self._watch),
            },
        )

    async def _check(self, _: object, context: Context) -> bytes:
        if not await self._is_known(context):
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return bytes(HealthCheckResponse(status=self._status()).SerializeToString())

    async def _watch(self, _: object, context: Context) -> AsyncIterator[bytes]:
        client = address(Call(context).scope)
        is_known = await self._is_known(context)
        if not self._watching.fits(1, client):
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many calls watch already")
        told = None
        self._watching.take(1, client)
        try:
            while True:
                status = self._status() if is_known else HealthCheckResponse.SERVICE_UNKNOWN
                if status != told:
                    told = status
                    yield HealthCheckResponse(status=status).SerializeToString()
                await asyncio.sleep(self._look_seconds)
        finally:
            self._watching.give_back(1, client)

    async def _is_known(self, context: Context) -> bool:
        """Whether the call asks for a service that there is."""
        try:
            message = await self._receiver.receive(context, address(Call(context).scope))
            return HealthCheckRequest.FromString(message).service in (_WHOLE, NAME)
        except RequestError as error:
            await context.abort(status_code(error), str(error), tuple(trailing(error)))
        except DecodeError:
            detail = "the message is not a HealthCheckRequest"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, detail)
        return False

    def _status(self) -> int:
        try:
            self._service.check_serving()
        except RequestError:
            return int(HealthCheckResponse.NOT_SERVING)
        return int(HealthCheckResponse.SERVING)
