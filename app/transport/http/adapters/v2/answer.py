"""The body of an inference answer: JSON, which tensors in binary may follow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from fastapi.responses import Response

from app.selection.served_model import ServedModel
from app.transport.http.adapters.v2.request import HEADER_LENGTH
from app.transport.open_inference.metadata import answer_parameters
from app.transport.open_inference.outputs import OutputTensor


def answer(
    model: ServedModel,
    request_id: str | None,
    tensors: Sequence[OutputTensor],
    are_binary: Sequence[bool],
    headers: dict[str, str],
) -> Response:
    """Makes the response.

    Args:
        model: what answered.
        request_id: what the client calls its request; None if it doesn't.
        tensors: the outputs.
        are_binary: for each, whether it is wanted in binary.
        headers: further headers.
    """
    binary: list[bytes] = []
    outputs = []
    for tensor, is_binary in zip(tensors, are_binary, strict=True):
        output: dict[str, Any] = {
            "name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape,
        }  # fmt: skip
        if is_binary:
            binary.append(data := tensor.raw())
            output["parameters"] = {"binary_data_size": len(data)}
        elif isinstance(tensor.values, list):
            output["data"] = [text.decode() for text in tensor.values]
        else:
            output["data"] = np.ascontiguousarray(tensor.values).reshape(-1)
        outputs.append(output)
    head = orjson.dumps(
        {
            "model_name": model.name,
            "model_version": model.version,
            **({"id": request_id} if request_id else {}),
            "parameters": answer_parameters(model),
            "outputs": outputs,
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )
    if not any(are_binary):
        return Response(head, headers=headers, media_type="application/json")
    return Response(
        b"".join((head, *binary)),
        headers=headers | {HEADER_LENGTH: str(len(head))},
        media_type="application/octet-stream",
    )
