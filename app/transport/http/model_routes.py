"""What is loaded, and changes of that (scope `admin`)."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from app.contract.errors import InvalidParameter
from app.contract.manifest import MODEL_NAME
from app.inference.jobs import Job
from app.inference.service import Service
from app.inference.table import VersionLabel
from app.pace import Pace
from app.transport.http.drift_body import drift_body
from app.transport.http.model_bodies import class_gates_body, job_body, model_body, status_body
from app.transport.http.openapi import problem_responses
from app.transport.http.schemas import (
    ClassGatesBody,
    DriftBody,
    JobStartedBody,
    ModelsBody,
    ModelStatusBody,
)
from app.transport.http.small_body import read_small

_Authorise = Callable[..., Awaitable[str]]

_VERSION = r"^[1-9][0-9]{0,17}$"
_Name = Annotated[str, Path(pattern=MODEL_NAME)]
_Version = Annotated[str, Path(pattern=_VERSION)]
_ClassIndex = Annotated[int, Path(ge=0)]
_VersionKey = Annotated[str, Field(pattern=_VERSION)]
_HUNDRED = 100


class _LabelChange(BaseModel):
    """The version that a label shall point to, as text or as a number."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[
        _VersionKey, BeforeValidator(lambda value: str(value) if type(value) is int else value)
    ]


_Weight = Annotated[int, Field(ge=0, le=_HUNDRED, strict=True)]


class _ShadowChange(_LabelChange):
    """The version that is tried, and how many requests in a hundred it sees; 0 ends it."""

    share: _Weight


_SHADOW = TypeAdapter(_ShadowChange)
_LABEL_CHANGE = TypeAdapter(_LabelChange)
_SPLIT = TypeAdapter(Annotated[dict[_VersionKey, _Weight], Field(min_length=1)])


def models_router(service: Service, authorise: _Authorise | None) -> APIRouter:
    """What is loaded.

    Args:
        service: whose models they tell.
        authorise: dependency that refuses callers; None leaves the routes open.
    """
    router = APIRouter(dependencies=[Depends(authorise)] if authorise else [])

    @router.get("/models", summary="The models that are loaded", responses=problem_responses(503))
    async def models() -> ModelsBody:
        return ModelsBody(models=[model_body(host) for host in service.hosts])

    @router.get(
        "/models/{name}",
        summary="One model: its versions, labels, split and jobs",
        responses=problem_responses(404, 422),
    )
    async def model(name: _Name) -> ModelStatusBody:
        return status_body(service.models, name)

    @router.get(
        "/models/{name}/drift",
        summary="How far the last images are from the model's reference",
        responses=problem_responses(404, 422),
    )
    async def drift(name: _Name) -> DriftBody:
        return drift_body(service.table, name)

    @router.get(
        "/models/{name}/versions/{version}/gates/{class_index}",
        summary="What the gates did over the photos of a class when the model was exported",
        responses=problem_responses(404, 422, 503),
    )
    async def gates(
        name: _Name, version: VersionLabel | _Version, class_index: _ClassIndex
    ) -> ClassGatesBody:
        return class_gates_body(service.table.find(name, version).model, class_index)

    return router


def changes_router(
    service: Service, authorise: Callable[..., Awaitable[str]], pace: Pace
) -> APIRouter:
    """Changes of what is loaded.

    Args:
        service: whose models they change.
        authorise: dependency that names the caller, or refuses.
        pace: how slowly a body may come.
    """
    router = APIRouter(responses=problem_responses(400, 401, 403, 404, 408, 409, 413, 422, 503))
    caller_of = Depends(authorise)

    @router.post(
        "/models/{name}/versions/{version}:load",
        status_code=HTTPStatus.ACCEPTED,
        summary="Load a version: verify, warm and test it",
    )
    async def load(
        name: _Name, version: _Version, caller: Annotated[str, caller_of]
    ) -> JobStartedBody:
        return _started(await service.models.load(name, int(version), caller))

    @router.post(
        "/models/{name}/versions/{version}:unload",
        status_code=HTTPStatus.ACCEPTED,
        summary="Unload a version, once its last request is answered",
    )
    async def unload(
        name: _Name, version: _Version, caller: Annotated[str, caller_of]
    ) -> JobStartedBody:
        return _started(service.models.unload(name, version, caller))

    @router.put(
        "/models/{name}/labels/{label}",
        status_code=HTTPStatus.ACCEPTED,
        summary="Let a label point to a version that is ready",
        openapi_extra=_body_of(_LABEL_CHANGE),
    )
    async def label(
        name: _Name, label: VersionLabel, request: Request, caller: Annotated[str, caller_of]
    ) -> JobStartedBody:
        change = await read_small(request, _LABEL_CHANGE, pace)
        return _started(service.models.set_label(name, label, change.version, caller))

    @router.put(
        "/models/{name}/split",
        status_code=HTTPStatus.ACCEPTED,
        summary="Divide the requests that are for no version: weights that sum to 100",
        openapi_extra=_body_of(_SPLIT),
    )
    async def split(
        name: _Name, request: Request, caller: Annotated[str, caller_of]
    ) -> JobStartedBody:
        weights = await read_small(request, _SPLIT, pace)
        if sum(weights.values()) != _HUNDRED:
            raise InvalidParameter(
                f"the weights sum to {sum(weights.values())}, they must sum to {_HUNDRED}"
            )
        return _started(service.models.set_split(name, weights, caller))

    @router.put(
        "/models/{name}/shadow",
        status_code=HTTPStatus.ACCEPTED,
        summary="Let a version classify too what others answer, on a share of the requests",
        openapi_extra=_body_of(_SHADOW),
    )
    async def shadow(
        name: _Name, request: Request, caller: Annotated[str, caller_of]
    ) -> JobStartedBody:
        change = await read_small(request, _SHADOW, pace)
        return _started(service.models.set_shadow(name, change.version, change.share, caller))

    return router


def _started(job: Job) -> JobStartedBody:
    return JobStartedBody(job=job_body(job))


def _body_of(content: TypeAdapter[Any]) -> dict[str, Any]:
    """The `requestBody` of an operation in the OpenAPI document."""
    schema = {"application/json": {"schema": content.json_schema()}}
    return {"requestBody": {"required": True, "content": schema}}
