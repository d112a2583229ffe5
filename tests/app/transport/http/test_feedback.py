"""`POST /feedback`."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.cli.keys import add_key
from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.http import assert_problem, post_image, post_multipart
from tests.support.images import encode, photo, truncated_jpeg
from tests.support.metrics import value
from tests.support.server import running

PICTURE = encode(photo(COLOURS[9]))


@pytest.fixture
def client(make_settings: Callable[..., Settings]) -> Iterator[httpx.Client]:
    settings = make_settings(feedback_seconds=600)
    with running(settings, FakeEngines()) as live, live.client() as client:
        yield client


def label(request_id: object, index: object = 0, class_index: object = 9) -> dict[str, object]:
    return {"request_id": request_id, "index": index, "class_index": class_index}


def test_a_label_says_whether_the_answer_was_right(client: httpx.Client) -> None:
    answered = [post_image(client, PICTURE).headers["x-request-id"] for _ in range(2)]
    response = client.post("/feedback", json=[label(answered[0]), label(answered[1], 0, 3)])
    assert response.status_code == 200
    assert response.json() == {"accepted": 2, "results": [{"right": True}, {"right": False}]}
    assert value(client, "senet_feedback_total", outcome="right", model="colours") == 1
    assert value(client, "senet_feedback_total", outcome="wrong", version="1") == 1
    confused = {"answered": "colour 9", "true": "colour 3"}
    assert value(client, "senet_feedback_confusion_total", **confused) == 1


def test_the_best_class_counts_even_where_it_was_not_listed(client: httpx.Client) -> None:
    answer = post_image(client, PICTURE, params="min_score=1")
    response = client.post("/feedback", json=[label(answer.headers["x-request-id"])])
    assert response.json()["results"] == [{"right": True}]


def test_each_image_of_a_request_has_its_own_label(client: httpx.Client) -> None:
    images = [("a", PICTURE), ("b", truncated_jpeg()), ("c", PICTURE)]
    request_id = post_multipart(client, images).headers["x-request-id"]
    response = client.post(
        "/feedback", json=[label(request_id, index) for index in (0, 1, 2, 3, 2)]
    )
    body = response.json()
    assert body["accepted"] == 2
    codes = [own.get("error", {}).get("code") for own in body["results"]]
    assert codes == [None, "feedback_not_found", None, "feedback_not_found", "feedback_conflict"]


def test_a_single_label_that_fails_is_the_response(client: httpx.Client) -> None:
    request_id = post_image(client, PICTURE).headers["x-request-id"]
    unknown = client.post("/feedback", json=[label("never-asked")])
    assert_problem(unknown, 404, "feedback_not_found")
    assert_problem(
        client.post("/feedback", json=[label(request_id, 0, 64)]), 422, "invalid_parameter"
    )
    assert client.post("/feedback", json=[label(request_id)]).status_code == 200
    assert_problem(client.post("/feedback", json=[label(request_id)]), 409, "feedback_conflict")


@pytest.mark.parametrize(
    "labels",
    [
        [],
        {},
        [{}],
        [label("a") | {"more": 1}],
        [label("")],
        [label("a" * 129)],
        [label(7)],
        [label("a", -1)],
        [label("a", "0")],
        [label("a", 0, -1)],
        [label("a", 0, 1.5)],
        [label("a", 0, 2**40)],
        [label("a", True)],
        [label("a")] * 1001,
    ],
)
def test_what_is_no_label_is_refused(client: httpx.Client, labels: object) -> None:
    assert_problem(client.post("/feedback", json=labels), 422, "invalid_parameter")


def test_a_label_that_names_two_classes_is_refused(client: httpx.Client) -> None:
    body = b'[{"request_id": "a", "index": 0, "class_index": 1, "class_index": 2}]'
    assert_problem(client.post("/feedback", content=body), 422, "invalid_parameter")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff"])
def test_what_is_not_json_is_refused(client: httpx.Client, body: bytes) -> None:
    assert_problem(client.post("/feedback", content=body), 400, "malformed_request")


def test_a_body_that_is_too_large_is_refused(client: httpx.Client) -> None:
    assert_problem(client.post("/feedback", content=b" " * 300_000), 413, "body_too_large")


def test_without_the_option_nothing_is_kept_and_that_is_said(
    make_settings: Callable[..., Settings],
) -> None:
    with running(make_settings(), FakeEngines()) as live, live.client() as client:
        request_id = post_image(client, PICTURE).headers["x-request-id"]
        response = client.post("/feedback", json=[label(request_id)])
        problem = assert_problem(response, 404, "feedback_not_found")
        assert "--feedback-seconds" in problem["detail"]
        assert not client.get("/demo/about.json").json()["feedback"]


def test_a_key_needs_the_scope_and_labels_its_own_answers_alone(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    scopes = {"both": ["classify", "feedback"], "second": ["feedback"], "reader": ["classify"]}
    key = {name: {"x-api-key": add_key(keys, name, own)} for name, own in scopes.items()}
    settings = make_settings(feedback_seconds=600, api_keys_file=keys)
    with running(settings, FakeEngines()) as live, live.client() as client:
        request_id = post_image(client, PICTURE, headers=key["both"]).headers["x-request-id"]
        labels = [label(request_id)]
        assert_problem(client.post("/feedback", json=labels), 401, "unauthenticated")
        refused = client.post("/feedback", json=labels, headers=key["reader"])
        assert_problem(refused, 403, "forbidden")
        foreign = client.post("/feedback", json=labels, headers=key["second"])
        assert_problem(foreign, 404, "feedback_not_found")
        assert client.post("/feedback", json=labels, headers=key["both"]).status_code == 200
