"""Each mistake that a call can make: one clear status, and nothing else suffers."""

from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np
import pytest

from app.transport.grpc.protocol import open_inference_pb2 as protocol
from tests.support.colours import COLOURS, INPUT_SIDE
from tests.support.foreign import elements
from tests.support.grpc_client import (
    SERVICE,
    GrpcClient,
    encoded_request,
    output,
    pixel_request,
    refusal,
)
from tests.support.images import encode, photo, truncated_jpeg

PICTURE = encode(photo(COLOURS[9]))
RAW = elements([PICTURE])
PIXELS = np.zeros((1, INPUT_SIDE, INPUT_SIDE, 3), np.uint8)
Tensor = protocol.ModelInferRequest.InferInputTensor
Contents = protocol.InferTensorContents
Parameter = protocol.InferParameter
ENCODED: Mapping[str, Any] = {"name": "image", "datatype": "BYTES", "shape": [1]}
WHOLE: Mapping[str, Any] = {"name": "images", "datatype": "UINT8", "shape": PIXELS.shape}
REGION = {"shared_memory_region": Parameter(string_param="x")}
INVALID = grpc.StatusCode.INVALID_ARGUMENT
MALFORMED = "malformed_request"


def of(
    tensor: Mapping[str, Any], raw: bytes | None = None, **change: object
) -> protocol.ModelInferRequest:
    """A request of one input, changed."""
    given = [raw] if raw is not None else []
    fields: dict[str, Any] = {**tensor, **change}
    inputs = [Tensor(**fields)]
    return protocol.ModelInferRequest(model_name="colours", inputs=inputs, raw_input_contents=given)


def two(first: Tensor, second: Tensor) -> protocol.ModelInferRequest:
    return protocol.ModelInferRequest(
        model_name="colours", inputs=[first, second], raw_input_contents=[RAW, RAW]
    )


def typed(tensor: Mapping[str, Any], **contents: object) -> protocol.ModelInferRequest:
    fields: dict[str, Any] = contents
    return of(tensor, contents=Contents(**fields))


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        pytest.param(of(ENCODED, RAW, shape=[2]), "there are 1", id="fewer elements"),
        pytest.param(of(ENCODED, RAW, shape=[]), "not [N]", id="no size"),
        pytest.param(of(ENCODED, RAW, shape=[1, 2]), "not [N]", id="second size"),
        pytest.param(of(ENCODED, RAW, shape=[-1]), "a batch of -1", id="negative batch"),
        pytest.param(of(ENCODED, RAW, shape=[2**62]), "at most", id="endless batch"),
        pytest.param(of(ENCODED, RAW, datatype="UINT8"), "BYTES [N]", id="type of files"),
        pytest.param(of(ENCODED, RAW, name="photo"), "'photo'", id="name"),
        pytest.param(of(ENCODED, RAW, name="x" * 10_000), "xxx", id="endless name"),
        pytest.param(of(ENCODED, RAW[:-1]), "cut short", id="byte missing"),
        pytest.param(of(ENCODED, RAW + b"x"), "cut short", id="byte left over"),
        pytest.param(of(ENCODED, PICTURE), "cut short", id="photo without its length"),
        pytest.param(of(ENCODED), "bytes_contents, not nothing", id="no contents"),
        pytest.param(
            of(ENCODED, RAW, contents=Contents(bytes_contents=[PICTURE])), "both", id="both"
        ),
        pytest.param(typed(ENCODED, uint_contents=[1]), "not uint_contents", id="numbers as files"),
        pytest.param(typed(WHOLE, bytes_contents=[b"x"]), "not bytes_", id="files as numbers"),
        pytest.param(typed(WHOLE, int_contents=[1] * 192), "not int_contents", id="signed"),
        pytest.param(typed(WHOLE, uint_contents=[256] * 192), "0 to 255", id="above 255"),
        pytest.param(typed(WHOLE, uint_contents=[1] * 191), "there are 191", id="one missing"),
        pytest.param(of(ENCODED, parameters=REGION), "shared memory", id="shared memory"),
        pytest.param(of(WHOLE, PIXELS.tobytes(), shape=[1, 3, 8, 8]), "not [N, 8", id="channels"),
        pytest.param(of(WHOLE, PIXELS.tobytes(), shape=[-1, 8, 8, -3]), "not [N", id="negative"),
        pytest.param(of(WHOLE, PIXELS.tobytes(), datatype="FP32"), "UINT8 [N", id="floats"),
        pytest.param(of(WHOLE, PIXELS.tobytes()[:-1]), "192 bytes", id="pixel bytes missing"),
        pytest.param(two(Tensor(**ENCODED), Tensor(**ENCODED)), "exactly one", id="twice"),
        pytest.param(two(Tensor(**ENCODED), Tensor(**WHOLE)), "exactly one", id="both inputs"),
        pytest.param(protocol.ModelInferRequest(model_name="colours"), "none", id="no input"),
        pytest.param(
            encoded_request([PICTURE], raw_input_contents=[RAW, RAW]), "holds 2", id="raw twice"
        ),
        pytest.param(
            encoded_request([PICTURE], outputs=[output("scores")] * 2), "twice", id="output twice"
        ),
        pytest.param(
            encoded_request([PICTURE], outputs=[output("cam", classification=1)]),
            "only scores",
            id="classes of maps",
        ),
        pytest.param(
            encoded_request([PICTURE], outputs=[output("scores", classification=-1)]),
            "classification",
            id="negative classes",
        ),
        pytest.param(
            encoded_request([PICTURE], parameters={"timeout": Parameter(string_param="soon")}),
            "timeout",
            id="timeout as text",
        ),
    ],
)
def test_requests_that_do_not_agree_with_themselves(
    client: GrpcClient, request_: protocol.ModelInferRequest, words: str
) -> None:
    status, code, text = refusal(lambda: client.infer(request_))
    assert status is INVALID
    assert code in (MALFORMED, "too_many_images")
    assert words in text
    assert len(text) < 500


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (encoded_request([PICTURE], model_name="nobody"), "NOT_FOUND", "model_not_found"),
        (encoded_request([PICTURE], model_version="9"), "NOT_FOUND", "model_not_found"),
        (
            encoded_request([PICTURE], outputs=[output("nothing")]),
            "INVALID_ARGUMENT",
            "output_not_available",
        ),
        (encoded_request([PICTURE] * 65), "INVALID_ARGUMENT", "too_many_images"),
        (encoded_request([b"junk"]), "INVALID_ARGUMENT", "unsupported_image_format"),
        (encoded_request([truncated_jpeg()]), "INVALID_ARGUMENT", "invalid_image"),
        (encoded_request([]), "INVALID_ARGUMENT", MALFORMED),
    ],
)
def test_errors_have_the_codes_of_classify(
    client: GrpcClient, request_: protocol.ModelInferRequest, status: str, code: str
) -> None:
    found, own, _ = refusal(lambda: client.infer(request_))
    assert (found.name, own) == (status, code)


def test_one_bad_image_of_several_is_named(client: GrpcClient) -> None:
    _, code, text = refusal(lambda: client.infer(encoded_request([PICTURE, b"junk"])))
    assert code == "unsupported_image_format"
    assert text.startswith("image 1: ")


@pytest.mark.parametrize(
    "message", [b"", b"\xff" * 40, b"\x2a\xff\xff\xff\xff\x0f", b"\x0b", PICTURE, b"\x0d\0\0\0\0"]
)
def test_bytes_that_are_no_request(client: GrpcClient, message: bytes) -> None:
    status, code, _ = refusal(lambda: client.infer(message))
    assert (status, code) == (INVALID, MALFORMED)


def test_a_message_of_very_many_fields_is_refused_before_it_is_parsed(client: GrpcClient) -> None:
    empty_inputs = b"\x2a\0" * 1_000_000
    status, _, text = refusal(lambda: client.infer(empty_inputs))
    assert status is INVALID
    assert "fields" in text


def test_many_numbers_belong_into_raw_contents(client: GrpcClient) -> None:
    request = typed(WHOLE, uint_contents=[1] * 500_001)
    status, _, text = refusal(lambda: client.infer(request))
    assert status is INVALID
    assert "raw_input_contents" in text


def test_a_message_over_the_limit(client: GrpcClient) -> None:
    request = pixel_request(np.zeros((1, 33 << 20), np.uint8))
    status, _, text = refusal(lambda: client.infer(request))
    assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in text


def test_compressed_messages_are_refused(client: GrpcClient) -> None:
    bomb = encoded_request([b"\0" * 1_000_000])
    with pytest.raises(grpc.RpcError) as caught:
        client.method("ModelInfer")(bomb, compression=grpc.Compression.Gzip)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_call_without_a_message(client: GrpcClient) -> None:
    status, code, _ = refusal(lambda: client.stream(f"/{SERVICE}/ModelInfer", []))
    assert (status, code) == (INVALID, MALFORMED)


@pytest.mark.parametrize(
    "name", ["ModelStreamInfer", "ModelStatistics", "SystemSharedMemoryStatus"]
)
def test_methods_that_are_not_served(client: GrpcClient, name: str) -> None:
    status, _, _ = refusal(lambda: client.unary(f"/{SERVICE}/{name}", b""))
    assert status is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("name", ["ModelReady", "ModelMetadata", "ModelConfig", "RepositoryIndex"])
def test_small_messages_are_small(client: GrpcClient, name: str) -> None:
    status, code, text = refusal(lambda: client.call(name, b"\x0a\x90\x4e" + b"x" * 20_000))
    assert (status, code) == (INVALID, MALFORMED)
    assert "at most" in text
    status, code, _ = refusal(lambda: client.call(name, b"\xff\xff"))
    assert (status, code) == (INVALID, MALFORMED)
