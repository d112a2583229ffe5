"""Inference over gRPC: the answers of `/classify`, and the network's outputs exactly."""

import httpx
import numpy as np
import pytest

from app.transport.grpc.protocol import open_inference_pb2 as protocol
from tests.support.colours import COLOURS, INPUT_SIDE
from tests.support.grpc_client import (
    GrpcClient,
    arrays,
    encoded_request,
    output,
    pixel_request,
)
from tests.support.http import post_image
from tests.support.images import encode, photo

PICTURES = [encode(photo(COLOURS[index])) for index in (3, 30)]
Tensor = protocol.ModelInferRequest.InferInputTensor


def test_scores_and_tensors_are_those_of_classify(client: GrpcClient, http: httpx.Client) -> None:
    [item] = post_image(
        http, PICTURES[0], params={"top_k": len(COLOURS), "include": "embedding"}
    ).json()["results"]
    found = arrays(client.infer(encoded_request(PICTURES[:1])))
    order = [best["class_index"] for best in item["predictions"]]
    scores = [best["score"] for best in item["predictions"]]
    np.testing.assert_allclose(found["scores"][0][order], scores, atol=1e-6)
    np.testing.assert_array_equal(found["embedding"][0], np.array(item["embedding"], np.float32))
    assert set(found) == {"scores", "logits", "embedding", "cam"}


def test_images_are_answered_in_order(client: GrpcClient) -> None:
    answer = client.infer(encoded_request(PICTURES, id="mine"))
    assert (answer.model_name, answer.model_version, answer.id) == ("colours", "1", "mine")
    assert arrays(answer)["logits"].argmax(axis=1).tolist() == [3, 30]
    assert answer.parameters["precision"].string_param == "fp32"


def test_files_in_typed_contents(client: GrpcClient) -> None:
    contents = protocol.InferTensorContents(bytes_contents=PICTURES)
    tensor = Tensor(name="image", datatype="BYTES", shape=[2, 1], contents=contents)
    request = protocol.ModelInferRequest(model_name="colours", inputs=[tensor])
    assert arrays(client.infer(request))["logits"].argmax(axis=1).tolist() == [3, 30]


def test_pixels_raw_and_typed(client: GrpcClient) -> None:
    pixels = np.full((2, INPUT_SIDE, INPUT_SIDE, 3), COLOURS[7], np.uint8)
    raw = arrays(client.infer(pixel_request(pixels)))
    contents = protocol.InferTensorContents(uint_contents=pixels.ravel().tolist())
    tensor = Tensor(name="images", datatype="UINT8", shape=pixels.shape, contents=contents)
    typed = client.infer(protocol.ModelInferRequest(model_name="colours", inputs=[tensor]))
    assert raw["logits"].argmax(axis=1).tolist() == [7, 7]
    np.testing.assert_allclose(arrays(typed)["logits"], raw["logits"], rtol=1e-5, atol=1e-4)


def test_the_outputs_that_are_asked_for_in_their_order(client: GrpcClient) -> None:
    asked = [output("embedding"), output("scores", classification=2)]
    answer = client.infer(encoded_request(PICTURES, outputs=asked))
    assert [(each.name, each.datatype) for each in answer.outputs] == [
        ("embedding", "FP32"),
        ("scores", "BYTES"),
    ]
    assert list(answer.outputs[1].shape) == [2, 2]
    text = answer.raw_output_contents[1]
    first = text[4 : 4 + int.from_bytes(text[:4], "little")].decode()
    assert first.split(":")[1] == "3"


@pytest.mark.parametrize("version", ["", "1", "stable"])
def test_versions_and_labels(client: GrpcClient, version: str) -> None:
    assert client.infer(encoded_request(PICTURES, model_version=version)).model_version == "1"


def test_the_default_model_answers_where_none_is_named(client: GrpcClient) -> None:
    assert client.infer(encoded_request(PICTURES, model_name="")).model_name == "colours"


def test_the_answers_metadata_says_which_request_and_model_it_was(client: GrpcClient) -> None:
    _, call = client.method("ModelInfer").with_call(
        encoded_request(PICTURES), metadata=(("x-request-id", "abc-1"),)
    )
    fields = dict(call.trailing_metadata())
    assert fields["x-request-id"] == "abc-1"
    assert fields["x-model"] == "colours:1"
    assert "inference;dur=" in fields["server-timing"]
