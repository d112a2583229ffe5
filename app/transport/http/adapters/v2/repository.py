"""`/v2/repository`: what there is, and what of it is loaded."""

from collections.abc import Sequence
from typing import Any, NotRequired

import orjson
from fastapi import Request
from fastapi.responses import Response
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from app.pace import Pace
from app.transport.http.adapters.adapter import PlainRoute
from app.transport.http.adapters.parts import Identify
from app.transport.http.small_body import read_small
from app.transport.open_inference.repository import Repository

_MODEL = "/v2/repository/models/{model}"
_NOTHING = b"{}"


class _Index(TypedDict):
    ready: NotRequired[bool | None]


class _Change(TypedDict):
    parameters: NotRequired[dict[str, Any] | None]


# Building them takes a thousand times as long as using them.
_INDEX = TypeAdapter(_Index)
_CHANGE = TypeAdapter(_Change)


class RepositoryRoutes:
    """Answers them.

    Args:
        repository: what is told and changed.
        admins: names who may change it, or refuses.
        pace: how slowly a body may come.
    """

    def __init__(self, repository: Repository, admins: Identify, pace: Pace) -> None:
        self._repository = repository
        self._admins = admins
        self._pace = pace

    def routes(self) -> Sequence[PlainRoute]:
        """All of them."""
        return [
            PlainRoute("/v2/repository/index", self._index, ("POST",)),
            # They ask for a key of their own, where the others may be open.
            PlainRoute(f"{_MODEL}/load", self._load, ("POST",), is_open=True),
            PlainRoute(f"{_MODEL}/unload", self._unload, ("POST",), is_open=True),
        ]

    async def _index(self, request: Request) -> Response:
        asked = await read_small(request, _INDEX, self._pace, _NOTHING)
        entries = await self._repository.index(only_ready=asked.get("ready") or False)
        return Response(orjson.dumps(entries), media_type="application/json")

    async def _load(self, request: Request) -> Response:
        caller = self._admins(request.scope)
        asked = await read_small(request, _CHANGE, self._pace, _NOTHING)
        parameters = asked.get("parameters") or {}
        await self._repository.load(request.path_params["model"], parameters, caller)
        return Response()

    async def _unload(self, request: Request) -> Response:
        caller = self._admins(request.scope)
        await read_small(request, _CHANGE, self._pace, _NOTHING)
        await self._repository.unload(request.path_params["model"], caller)
        return Response()
