"""`POST /explain` draws where in a photo the network saw a class."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.engines.onnx_engine import OnnxEngines
from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.http import RawConnection, assert_problem, assert_raw_problem
from tests.support.images import encode, encode_oriented, landscape, photo, truncated_jpeg
from tests.support.repository import write_model
from tests.support.server import running
from tests.support.signatures import signature_without, without_output

PICTURE = encode(photo(COLOURS[9], (90, 40)))


def post(client: httpx.Client, data: bytes, query: str = "") -> httpx.Response:
    return client.post(f"/explain{query}", content=data, headers={"content-type": "image/png"})


def explained(client: httpx.Client, data: bytes, query: str = "") -> NDArray[np.int64]:
    response = post(client, data, query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    with Image.open(BytesIO(response.content)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(np.int64)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((90, 40), (90, 40)), ((2000, 1000), (1024, 512)), ((700, 2100), (341, 1024))],
)
def test_it_is_the_photo_at_most_1024_pixels_long(
    client: httpx.Client, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    drawn = explained(client, encode(photo(COLOURS[9], size), "JPEG"))
    assert drawn.shape[:2] == expected[::-1]


@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
def test_it_is_upright(client: httpx.Client, orientation: int) -> None:
    upright = landscape((96, 64))
    drawn = explained(client, encode_oriented(upright, orientation), "?opacity=0")
    seen = np.asarray(upright)[12:52, 28:68]
    assert np.abs(drawn[12:52, 28:68] - seen).mean() < 4


def test_what_the_network_never_saw_is_darkened(client: httpx.Client) -> None:
    given = np.asarray(photo(COLOURS[9], (90, 40))).astype(np.int64)
    drawn = explained(client, PICTURE, "?opacity=0")
    [result] = client.post("/classify", files=[("a", PICTURE)]).json()["results"]
    left, top, right, bottom = map(round, result["crop"])
    assert 0 < left < right < 90
    outside = np.ones(given.shape[:2], bool)
    outside[top:bottom, left:right] = False
    np.testing.assert_array_equal(drawn[~outside], given[~outside])
    assert drawn[outside].mean() < 0.6 * given[outside].mean()


def test_class_and_opacity_change_the_map(client: httpx.Client) -> None:
    best, other = explained(client, PICTURE), explained(client, PICTURE, "?class_index=2")
    strong = explained(client, PICTURE, "?opacity=1")
    assert np.abs(best - other).mean() > 1
    assert np.abs(best - strong).mean() > 1
    np.testing.assert_array_equal(best, explained(client, PICTURE, "?class_index=9"))


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (f"?class_index={len(COLOURS)}", "class_index: "),
        ("?class_index=999999999999", "class_index: "),
        ("?class_index=-1", "class_index: "),
        ("?class_index=best", "class_index: "),
        ("?opacity=1.5", "opacity: "),
        ("?opacity=nan", "opacity: "),
        ("?top_k=3", "top_k: "),
    ],
)
def test_a_wrong_parameter_is_named(client: httpx.Client, query: str, told: str) -> None:
    problem = assert_problem(post(client, PICTURE, query), 422, "invalid_parameter")
    assert str(problem["detail"]).startswith(told)


def test_it_takes_the_forms_of_a_classification_and_one_image(client: httpx.Client) -> None:
    form = client.post("/explain", files=[("image", PICTURE)])
    assert (form.status_code, form.headers["content-type"]) == (200, "image/png")
    two = client.post("/explain", files=[("image", PICTURE)] * 2)
    assert_problem(two, 413, "too_many_images")


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"text", 415, "unsupported_image_format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_image_format"),
        (b"", 400, "malformed_request"),
        (truncated_jpeg(), 422, "invalid_image"),
    ],
)
def test_what_is_no_photo_is_told(
    client: httpx.Client, data: bytes, status: int, code: str
) -> None:
    assert_problem(post(client, data), status, code)


def test_a_model_without_maps_says_so_before_the_upload(
    tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    write_model(
        tmp_path,
        model=without_output("cam"),
        change=lambda manifest: signature_without(manifest, "class_activation_map"),
    )
    settings = make_settings(model_repository=tmp_path)
    with running(settings, OnnxEngines("cpu")) as live:
        with live.client() as client:
            problem = assert_problem(post(client, PICTURE), 422, "output_not_available")
            assert problem["detail"] == "colours:1 has no class activation maps"
        with RawConnection(live.port) as connection:
            connection.send_head(
                "content-type: image/png", "content-length: 1000000", path="/explain"
            )
            assert_raw_problem(connection.read_answer(), 422, "output_not_available")


def test_it_takes_a_place_and_gives_it_back(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(max_queue_size=1, max_batch_size=1, max_images_per_request=1)
    with running(settings, FakeEngines()) as live, live.client() as client:
        for data in (PICTURE, b"text", PICTURE):
            assert post(client, data).status_code in (200, 415)


def test_it_needs_a_key_where_classifying_does(
    tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys": []}')
    with running(make_settings(api_keys_file=keys), FakeEngines()) as live, live.client() as client:
        assert_problem(post(client, PICTURE), 401, "unauthenticated")
