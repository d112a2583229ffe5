"""Each mistake a client can make in a request, through real HTTP."""

import base64

import httpx
import pytest

from app.contract.errors import RequestError
from app.transport.http.problems import ANSWERS
from tests.support.http import (
    Parameters,
    assert_problem,
    post_image,
    post_json,
    post_multipart,
)
from tests.support.images import encode, photo, png_header, truncated_jpeg

GOOD = encode(photo((96, 96, 96)))
MULTIPART = {"content-type": "multipart/form-data; boundary=b"}
JSON = {"content-type": "application/json"}
PART = b'--b\r\nContent-Disposition: form-data; name="x"; filename="x.png"\r\n\r\n' + GOOD


def concrete(error: type[RequestError]) -> set[type[RequestError]]:
    below = {leaf for child in error.__subclasses__() for leaf in concrete(child)}
    return below or {error}


def test_every_error_of_the_domain_has_its_row_in_the_table() -> None:
    assert set(ANSWERS) == concrete(RequestError)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param({"content-type": "image/png"}, b"", id="empty raw body"),
        pytest.param({"content-type": "application/octet-stream"}, b"", id="empty octets"),
        pytest.param(MULTIPART, b"", id="empty multipart body"),
        pytest.param(MULTIPART, b"--b--\r\n", id="multipart without parts"),
        pytest.param(MULTIPART, PART, id="multipart cut short in a part"),
        pytest.param(MULTIPART, PART + b"\r\n--b\r\n", id="multipart cut short after a part"),
        pytest.param(MULTIPART, b"no boundary in sight", id="multipart that is none"),
        pytest.param({"content-type": "multipart/form-data"}, PART, id="no boundary named"),
        pytest.param(
            {"content-type": "multipart/form-data; boundary=" + "b" * 300},
            PART,
            id="boundary too long",
        ),
        pytest.param(JSON, b"", id="empty JSON body"),
        pytest.param(JSON, b'{"images": [', id="JSON cut short"),
        pytest.param(JSON, b"\xff\xfe", id="JSON that is not text"),
        pytest.param(JSON, b"[]", id="JSON of another shape"),
        pytest.param(JSON, b'{"images": [{}]}', id="JSON image without data"),
        pytest.param(JSON, b'{"images": [{"data": 7}]}', id="JSON data that is a number"),
        pytest.param(JSON, b'{"images": []}', id="JSON without images"),
        pytest.param(JSON, b'{"images": [{"data": "%%%"}]}', id="broken base64"),
        pytest.param(JSON, b'{"images": [{"data": "QUJDR"}]}', id="base64 cut short"),
        pytest.param(JSON, '{"images": [{"data": "ä"}]}'.encode(), id="base64 beyond ASCII"),
        pytest.param(JSON, b'{"images": [{"data": "data:image/png,x"}]}', id="data URI, no base64"),
    ],
)
def test_malformed_request(client: httpx.Client, headers: dict[str, str], body: bytes) -> None:
    response = client.post("/classify", content=body, headers=headers)
    assert_problem(response, 400, "malformed_request")


@pytest.mark.parametrize(
    "query",
    [{"model": "other"}, {"version": "2"}, {"model": "colours", "version": "x"}, {"model": ""}],
)
def test_model_not_found(client: httpx.Client, query: dict[str, str]) -> None:
    assert_problem(post_image(client, GOOD, params=query), 404, "model_not_found")


def test_too_many_images_in_multipart(client: httpx.Client) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\nx\r\n'
    body = part * 100_000 + b"--b--\r\n"
    response = client.post("/classify", content=body, headers=MULTIPART)
    problem = assert_problem(response, 413, "too_many_images")
    assert "64" in problem["detail"]


def test_too_many_images_in_json(client: httpx.Client) -> None:
    images = [("", b"x")] * 100_000
    assert_problem(post_json(client, images), 413, "too_many_images")


def test_as_many_images_as_allowed_are_not_too_many(client: httpx.Client) -> None:
    assert post_multipart(client, [("x.png", GOOD)] * 64).status_code == 200
    assert_problem(post_multipart(client, [("x.png", GOOD)] * 65), 413, "too_many_images")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "video/mp4", "multipart/mixed", "\xe9", ";"]
)
def test_unsupported_media_type(client: httpx.Client, content_type: str) -> None:
    headers = {"content-type": content_type.encode("latin-1")}
    response = client.post("/classify", content=GOOD, headers=headers)  # type: ignore[arg-type]
    assert_problem(response, 415, "unsupported_media_type")


def test_missing_content_type(client: httpx.Client) -> None:
    response = client.post("/classify", content=GOOD)
    problem = assert_problem(response, 415, "unsupported_media_type")
    assert "no content type" in problem["detail"]


@pytest.mark.parametrize("data", [b"Dear Sir or Madam,\n", b"x", b"%PDF-1.7\n", b"<svg/>"])
def test_unsupported_image_format(client: httpx.Client, data: bytes) -> None:
    response = post_image(client, data, headers={"content-type": "image/jpeg"})
    assert_problem(response, 415, "unsupported_image_format")


def test_a_text_file_named_jpg_is_no_supported_format(client: httpx.Client) -> None:
    response = post_multipart(client, [("holiday.jpg", b"just text")])
    assert_problem(response, 415, "unsupported_image_format")


@pytest.mark.parametrize("data", [truncated_jpeg(), GOOD[: len(GOOD) // 2], b"\xff\xd8\xff", b"BM"])
def test_invalid_image(client: httpx.Client, data: bytes) -> None:
    assert_problem(post_image(client, data), 422, "invalid_image")


@pytest.mark.parametrize("side", [60_000, 7_000])
def test_image_too_large_is_told_by_its_header(client: httpx.Client, side: int) -> None:
    response = post_image(client, png_header(side, side))
    problem = assert_problem(response, 422, "image_too_large")
    assert "40000000" in problem["detail"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("top_k=0", "top_k"),
        ("top_k=-1", "top_k"),
        ("top_k=abc", "top_k"),
        ("top_k=1.5", "top_k"),
        ("top_k=", "top_k"),
        ("min_score=1.1", "min_score"),
        ("min_score=-0.1", "min_score"),
        ("min_score=nan", "min_score"),
        ("min_score=low", "min_score"),
        ("include=gradients", "include"),
        ("include=cam,gradients", "include"),
        ("priority=urgent", "priority"),
        ("topk=3", "topk"),
    ],
)
def test_invalid_query_parameter(client: httpx.Client, query: Parameters, name: str) -> None:
    problem = assert_problem(post_image(client, GOOD, params=query), 422, "invalid_parameter")
    assert problem["detail"].startswith(name)


@pytest.mark.parametrize("value", ["0", "-5", "soon", "1.5", "", "9" * 400])
def test_invalid_timeout_header(client: httpx.Client, value: str) -> None:
    response = post_image(client, GOOD, headers={"x-request-timeout-ms": value})
    problem = assert_problem(response, 422, "invalid_parameter")
    assert "timeout" in problem["detail"]


def test_paths_and_methods_that_do_not_exist_are_problems_too(client: httpx.Client) -> None:
    assert_problem(client.get("/nowhere"), 404, "not_found")
    response = client.get("/classify")
    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_bytes_from_a_client_never_break_the_answer(client: httpx.Client) -> None:
    name = base64.b64encode(b"\x00\xff\n\r").decode() + "\r\n\x00é"
    response = post_json(client, [(name, GOOD), (name, b"x")])
    assert response.json()["results"][1]["name"] == name
