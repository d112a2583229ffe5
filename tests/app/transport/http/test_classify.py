"""`POST /classify` in its three forms, and what its answer holds."""

import base64
import re
from collections.abc import Callable

import httpx
import pytest
from PIL import Image

from tests.support.colours import COLOURS, INPUT_SIDE
from tests.support.http import (
    assert_problem,
    post_image,
    post_json,
    post_multipart,
    top_classes,
)
from tests.support.images import EXTENSIONS, encode, photo, truncated_jpeg

Post = Callable[[httpx.Client, list[tuple[str, bytes]]], httpx.Response]

RED = COLOURS.index((224, 32, 32))
GREEN = COLOURS.index((32, 224, 32))


def picture(class_index: int) -> bytes:
    return encode(photo(COLOURS[class_index]))


@pytest.mark.parametrize(
    "content_type", ["application/octet-stream", "image/png", "IMAGE/PNG; q=1", "image/whatever"]
)
def test_takes_one_image_as_the_raw_body(client: httpx.Client, content_type: str) -> None:
    response = post_image(client, picture(RED), headers={"content-type": content_type})
    assert top_classes(response) == [RED]
    [item] = response.json()["results"]
    assert (item["index"], item["name"]) == (0, None)


@pytest.mark.parametrize("post", [post_multipart, post_json])
def test_takes_several_images_in_order_with_their_names(client: httpx.Client, post: Post) -> None:
    response = post(client, [("red.png", picture(RED)), ("grün.png", picture(GREEN))])
    assert top_classes(response) == [RED, GREEN]
    assert [item["name"] for item in response.json()["results"]] == ["red.png", "grün.png"]
    assert [item["index"] for item in response.json()["results"]] == [0, 1]


def test_multipart_fields_may_have_any_name_and_need_no_file_name(client: httpx.Client) -> None:
    body = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name, data)
        for name, data in ((b"x", picture(RED)), (b"anything", picture(GREEN)))
    )
    response = client.post(
        "/classify",
        content=body + b"--b--\r\n",
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert top_classes(response) == [RED, GREEN]
    assert [item["name"] for item in response.json()["results"]] == [None, None]


def test_json_takes_data_uris_and_images_without_a_name(client: httpx.Client) -> None:
    uri = "data:image/png;base64," + base64.b64encode(picture(RED)).decode()
    response = client.post("/classify", json={"images": [{"data": uri}]})
    assert top_classes(response) == [RED]
    assert response.json()["results"][0]["name"] is None


def test_a_long_name_is_cut(client: httpx.Client) -> None:
    response = post_json(client, [("x" * 1000, picture(RED))])
    assert response.json()["results"][0]["name"] == "x" * 255


def test_answers_with_model_and_ranked_predictions(client: httpx.Client) -> None:
    body = post_image(client, picture(RED)).json()
    model = body["model"]
    assert (model["name"], model["version"], model["precision"]) == ("colours", "1", "fp32")
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", model["digest"])
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", model["preprocessing"])
    predictions = body["results"][0]["predictions"]
    assert [prediction["rank"] for prediction in predictions] == [1, 2, 3, 4, 5]
    assert set(predictions[0]) == {"rank", "class_index", "id", "label", "score"}
    assert predictions[0]["id"] == "ce02020"
    assert predictions[0]["label"] == f"colour {RED}"
    scores = [prediction["score"] for prediction in predictions]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[0] <= 1


def test_top_k_above_the_classes_gives_all_of_them(client: httpx.Client) -> None:
    response = post_image(client, picture(RED), params={"top_k": 10**30})
    predictions = response.json()["results"][0]["predictions"]
    assert len(predictions) == len(COLOURS)
    assert sum(prediction["score"] for prediction in predictions) == pytest.approx(1, abs=1e-4)


def test_top_k_bounds_the_predictions(client: httpx.Client) -> None:
    response = post_image(client, picture(RED), params={"top_k": 2})
    assert len(response.json()["results"][0]["predictions"]) == 2


def test_min_score_leaves_classes_out(client: httpx.Client) -> None:
    everything = post_image(client, picture(RED)).json()["results"][0]["predictions"]
    bound = everything[1]["score"]
    some = post_image(client, picture(RED), params={"min_score": everything[0]["score"] / 2})
    assert [item["rank"] for item in some.json()["results"][0]["predictions"]] == [1]
    assert bound < everything[0]["score"] / 2
    none = post_image(client, picture(RED), params={"min_score": 1})
    assert none.json()["results"][0]["predictions"] == []


@pytest.mark.parametrize(
    "query", ["include=embedding,cam", "include=embedding&include=cam", "include=cam,embedding,"]
)
def test_include_adds_embedding_and_activation_maps(client: httpx.Client, query: str) -> None:
    [item] = post_image(client, picture(RED), params=query).json()["results"]
    assert item["embedding"] == pytest.approx([224 / 255, 32 / 255, 32 / 255], abs=0.03)
    for prediction in item["predictions"]:
        assert len(prediction["cam"]) == INPUT_SIDE
        assert {len(row) for row in prediction["cam"]} == {INPUT_SIDE}

    def mean(cam: list[list[float]]) -> float:
        return sum(map(sum, cam)) / INPUT_SIDE**2

    # The map of a class averages to its logit, bias aside; reds differ in theirs.
    maps = [mean(prediction["cam"]) for prediction in item["predictions"]]
    assert len(set(maps)) == len(maps)


def test_without_include_there_is_neither(client: httpx.Client) -> None:
    [item] = post_image(client, picture(RED)).json()["results"]
    assert "embedding" not in item
    assert "cam" not in item["predictions"][0]


@pytest.mark.parametrize("priority", ["interactive", "bulk"])
def test_both_priorities_are_answered(client: httpx.Client, priority: str) -> None:
    response = post_image(client, picture(RED), params={"priority": priority})
    assert top_classes(response) == [RED]


@pytest.mark.parametrize(
    "query", [{"model": "colours"}, {"model": "colours", "version": "1"}, {"version": "1"}]
)
def test_the_served_model_may_be_named(client: httpx.Client, query: dict[str, str]) -> None:
    assert top_classes(post_image(client, picture(RED), params=query)) == [RED]


@pytest.mark.parametrize("post", [post_multipart, post_json])
def test_one_corrupt_image_among_good_ones_fails_alone(client: httpx.Client, post: Post) -> None:
    images = [(f"{index}.png", picture(index)) for index in range(15)]
    images.insert(7, ("broken.jpg", truncated_jpeg()))
    response = post(client, images)
    assert response.status_code == 200
    results = response.json()["results"]
    assert [item["index"] for item in results] == list(range(16))
    broken = results.pop(7)
    assert broken["name"] == "broken.jpg"
    assert "predictions" not in broken
    assert broken["error"]["code"] == "invalid_image"
    assert set(broken["error"]) == {"code", "title", "detail"}
    assert [item["predictions"][0]["class_index"] for item in results] == list(range(15))
    assert all("error" not in item for item in results)


@pytest.mark.parametrize("post", [post_multipart, post_json])
def test_the_failure_of_a_lone_image_is_the_response(client: httpx.Client, post: Post) -> None:
    assert_problem(post(client, [("x.jpg", truncated_jpeg())]), 422, "invalid_image")


def test_server_timing_holds_the_stages(client: httpx.Client) -> None:
    timing = post_image(client, picture(RED)).headers["server-timing"]
    assert re.fullmatch(r"decode;dur=[0-9.]+, queue;dur=[0-9.]+, inference;dur=[0-9.]+", timing)


@pytest.mark.parametrize("image_format", EXTENSIONS)
def test_every_format_gives_the_same_class(client: httpx.Client, image_format: str) -> None:
    data = encode(photo(COLOURS[RED]), image_format)
    assert top_classes(post_image(client, data)) == [RED]


def test_an_animation_gives_its_first_frame(client: httpx.Client) -> None:
    red, green = (Image.new("RGB", (20, 20), COLOURS[index]) for index in (RED, GREEN))
    data = encode(red, "GIF", save_all=True, append_images=[green])
    assert top_classes(post_image(client, data)) == [RED]
