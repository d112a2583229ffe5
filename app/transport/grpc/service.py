"""The methods of the Open Inference Protocol."""

from collections.abc import Mapping

import grpc
from google.protobuf.message import DecodeError, Message

from app.contract.errors import MalformedRequest, RequestError
from app.inference.service import State
from app.inference.visit import Visit
from app.telemetry.log import annotate
from app.transport.grpc.answer import answer
from app.transport.grpc.calls import Call, Calls, Handle
from app.transport.grpc.protocol import open_inference_pb2 as protocol
from app.transport.grpc.receiving import Receiver
from app.transport.grpc.request import read_request
from app.transport.http.adapters.parts import Parts
from app.transport.http.auth import address
from app.transport.http.parameters import ClassifyParameters
from app.transport.open_inference.inputs import Images, read_images
from app.transport.open_inference.metadata import model_config, model_metadata, server_metadata
from app.transport.open_inference.outputs import RAW_BYTES_PER_NUMBER, AskedOutputs
from app.transport.open_inference.repository import find_model

NAME = protocol.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
"""Of the service, as health and reflection know it."""

# Of the names of models and versions that every other request holds.
_MAX_SMALL_BYTES = 16 * 1024


class OpenInference:
    """Answers them.

    Args:
        parts: what adapters are made of.
        receiver: takes images in.
        small: takes other messages in.
    """

    def __init__(self, parts: Parts, receiver: Receiver, small: Receiver) -> None:
        self._parts = parts
        self._receiver = receiver
        self._small = small

    def handlers(self) -> grpc.GenericRpcHandler:
        """All methods, for the server."""
        calls = Calls(self._parts.log)
        methods: Mapping[str, tuple[Handle, bool]] = {
            "ServerLive": (self._live, False),
            "ServerReady": (self._ready, False),
            "ModelReady": (self._model_ready, False),
            "ServerMetadata": (self._server, False),
            "ModelMetadata": (self._model, False),
            "ModelConfig": (self._config, False),
            "ModelInfer": (self._infer, True),
            "RepositoryIndex": (self._index, False),
            "RepositoryModelLoad": (self._load, True),
            "RepositoryModelUnload": (self._unload, True),
        }
        return grpc.method_handlers_generic_handler(
            NAME,
            {
                name: calls.handler(f"/{NAME}/{name}", handle, is_post=is_post)
                for name, (handle, is_post) in methods.items()
            },
        )

    async def _live(self, _: Call) -> Message:
        return protocol.ServerLiveResponse(live=self._parts.service.state is not State.FAILED)

    async def _ready(self, _: Call) -> Message:
        try:
            self._parts.service.check_serving()
        except RequestError:
            return protocol.ServerReadyResponse(ready=False)
        return protocol.ServerReadyResponse(ready=True)

    async def _model_ready(self, call: Call) -> Message:
        self._authorise(call)
        request = protocol.ModelReadyRequest()
        await self._read(call, request)
        try:
            find_model(self._parts.service, request.name, request.version)
        except RequestError:
            return protocol.ModelReadyResponse(ready=False)
        return protocol.ModelReadyResponse(ready=True)

    async def _server(self, call: Call) -> Message:
        self._authorise(call)
        return protocol.ServerMetadataResponse(**server_metadata())

    async def _model(self, call: Call) -> Message:
        self._authorise(call)
        request = protocol.ModelMetadataRequest()
        await self._read(call, request)
        model = find_model(self._parts.service, request.name, request.version)
        versions = self._parts.service.table.routes[model.name].versions
        return protocol.ModelMetadataResponse(**model_metadata(model, list(versions)))

    async def _config(self, call: Call) -> Message:
        self._authorise(call)
        request = protocol.ModelConfigRequest()
        await self._read(call, request)
        model = find_model(self._parts.service, request.name, request.version)
        return protocol.ModelConfigResponse(config=protocol.ModelConfig(**model_config(model)))

    async def _index(self, call: Call) -> Message:
        self._authorise(call)
        request = protocol.RepositoryIndexRequest()
        await self._read(call, request)
        entries = await self._parts.repository.index(only_ready=request.ready)
        return protocol.RepositoryIndexResponse(
            models=[protocol.RepositoryIndexResponse.ModelIndex(**entry) for entry in entries]
        )

    async def _load(self, call: Call) -> Message:
        caller = self._parts.admins(call.scope)
        request = protocol.RepositoryModelLoadRequest()
        await self._read(call, request)
        await self._parts.repository.load(request.model_name, request.parameters, caller)
        return protocol.RepositoryModelLoadResponse()

    async def _unload(self, call: Call) -> Message:
        caller = self._parts.admins(call.scope)
        request = protocol.RepositoryModelUnloadRequest()
        await self._read(call, request)
        await self._parts.repository.unload(request.model_name, caller)
        return protocol.RepositoryModelUnloadResponse()

    async def _infer(self, call: Call) -> Message:
        # Who may not, or has come too early, does not upload for nothing.
        self._parts.callers(call.scope)
        self._parts.service.check_serving()
        message = await self._receiver.receive(call.context, address(call.scope))
        call.scope["headers"].append((b"content-length", b"%d" % len(message)))
        inference = self._parts.inference
        asked = read_request(message, inference.max_images)
        del message
        parameters = ClassifyParameters(model=asked.model, version=asked.version)
        arrival = self._parts.arrivals.of(call.scope, lambda _: parameters)
        annotate(**arrival.fields)
        outputs: AskedOutputs

        async def read(visit: Visit) -> Images:
            nonlocal outputs
            model = visit.host.model
            images = read_images(model.signature, asked.inputs, inference.max_images)
            asked.inputs.clear()
            outputs = AskedOutputs(model, asked.outputs)
            outputs.check_weight(len(images), RAW_BYTES_PER_NUMBER, inference.max_answer_bytes)
            visit.options = outputs.options
            if call.deadline is not None:
                visit.deadline = min(visit.deadline, call.deadline)
            if asked.timeout_us:
                visit.deadline = min(visit.deadline, call.started + asked.timeout_us / 1e6)
            return images

        try:
            done = await inference.classify(arrival, read)
        finally:
            arrival.close()
            asked.inputs.clear()  # an error that the arrival holds leads here
        fields = {"x-request-id": call.id, **done.headers}
        call.context.set_trailing_metadata(tuple(fields.items()))
        return answer(done.model, asked.id, outputs.tensors(done.results))

    def _authorise(self, call: Call) -> None:
        if self._parts.operators is not None:
            self._parts.operators(call.scope)

    async def _read(self, call: Call, request: Message) -> None:
        """Reads a small message."""
        message = await self._small.receive(call.context, address(call.scope))
        if len(message) > _MAX_SMALL_BYTES:
            raise MalformedRequest(f"{len(message)} bytes; at most {_MAX_SMALL_BYTES} are accepted")
        try:
            request.ParseFromString(message)
        except DecodeError as error:
            name = request.DESCRIPTOR.name
            raise MalformedRequest(f"the message is not a {name}") from error
