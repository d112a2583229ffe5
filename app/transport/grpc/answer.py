"""What a model answers -> the message."""

from collections.abc import Sequence

from app.selection.served_model import ServedModel
from app.transport.grpc.protocol.open_inference_pb2 import InferParameter, ModelInferResponse
from app.transport.open_inference.metadata import answer_parameters
from app.transport.open_inference.outputs import OutputTensor


def answer(
    model: ServedModel, request_id: str, tensors: Sequence[OutputTensor]
) -> ModelInferResponse:
    """Makes the answer; all tensors are in `raw_output_contents`.

    Args:
        model: what answered.
        request_id: what the client calls its request.
        tensors: the outputs.
    """
    return ModelInferResponse(
        model_name=model.name,
        model_version=model.version,
        id=request_id,
        parameters={
            name: InferParameter(string_param=value)
            for name, value in answer_parameters(model).items()
        },
        outputs=[
            ModelInferResponse.InferOutputTensor(
                name=tensor.name, datatype=tensor.datatype, shape=tensor.shape
            )
            for tensor in tensors
        ],
        raw_output_contents=[tensor.raw() for tensor in tensors],
    )
