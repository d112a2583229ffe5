"""`GET /ping`, by which SageMaker and TorchServe ask for health."""

from fastapi import Request
from fastapi.responses import Response

from app.inference.service import Service
from app.transport.http.adapters.adapter import PlainRoute


def ping_route(service: Service) -> PlainRoute:
    """Answers 200 while there is something to serve from, and else 503.

    Args:
        service: whose health is told.
    """

    async def ping(_: Request) -> Response:
        service.check_serving()
        return Response(b'{"status":"Healthy"}', media_type="application/json")

    return PlainRoute("/ping", ping, is_open=True)
