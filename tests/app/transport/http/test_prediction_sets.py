"""`coverage` adds the set of classes that holds the true one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.http import RawConnection, assert_problem, assert_raw_problem, post_image
from tests.support.images import encode, photo
from tests.support.repository import write_model
from tests.support.server import LiveServer, running
from tests.support.trusted import with_sets

PICTURE = encode(photo(COLOURS[9]))
# Between two classes, so that neither is certain.
BETWEEN = encode(photo((32, 32, 64)))


@pytest.fixture(scope="module")
def trusted(
    make_settings: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    root = tmp_path_factory.mktemp("models")
    write_model(root, change=with_sets)
    with running(make_settings(model_repository=root), FakeEngines()) as live:
        yield live


@pytest.fixture
def asked(trusted: LiveServer) -> Iterator[httpx.Client]:
    with trusted.client() as client:
        yield client


def members(response: httpx.Response) -> list[int]:
    assert response.status_code == 200, response.text
    [result] = response.json()["results"]
    return [member["class_index"] for member in result["prediction_set"]]


def test_a_set_has_the_most_likely_classes_in_order(asked: httpx.Client) -> None:
    response = post_image(asked, BETWEEN, params={"coverage": 0.95, "top_k": 64})
    [result] = response.json()["results"]
    found = result["prediction_set"]
    assert 2 <= len(found) < 64
    first = result["predictions"][: len(found)]
    assert found == [
        {key: value for key, value in prediction.items() if key != "rank"} for prediction in first
    ]
    assert all(member["score"] >= 0.001 for member in found)


def test_a_set_does_not_depend_on_how_many_classes_are_listed(asked: httpx.Client) -> None:
    response = post_image(asked, BETWEEN, params="coverage=0.95&top_k=1&min_score=1")
    [result] = response.json()["results"]
    assert result["predictions"] == []
    assert members(response) == members(post_image(asked, BETWEEN, params="coverage=0.95"))
    assert len(members(response)) >= 2


def test_less_coverage_makes_no_larger_set(asked: httpx.Client) -> None:
    high, low = (
        members(post_image(asked, BETWEEN, params={"coverage": coverage}))
        for coverage in (0.95, 0.9)
    )
    assert low == high[: len(low)]


def test_a_set_may_be_empty(asked: httpx.Client) -> None:
    assert members(post_image(asked, BETWEEN, params="coverage=0.5")) == []


def test_without_coverage_there_is_no_set(asked: httpx.Client) -> None:
    [result] = post_image(asked, PICTURE).json()["results"]
    assert "prediction_set" not in result


def test_of_several_images_each_has_its_set(asked: httpx.Client) -> None:
    files = [("image", ("a.png", PICTURE)), ("image", ("b.png", b"no image")),
             ("image", ("c.png", BETWEEN))]  # fmt: skip
    results = asked.post("/classify?coverage=0.9", files=files).json()["results"]
    assert results[0]["prediction_set"][0]["class_index"] == 9
    assert "prediction_set" not in results[1]
    assert results[1]["error"]["code"] == "unsupported_image_format"
    assert "prediction_set" in results[2]


@pytest.mark.parametrize(
    "coverage", ["0", "1", "2", "abc", "nan", "inf", "-0.9", "0.4999", "", "0,9"]
)
def test_what_is_no_coverage_is_refused(asked: httpx.Client, coverage: str) -> None:
    response = post_image(asked, PICTURE, params={"coverage": coverage})
    problem = assert_problem(response, 422, "invalid_parameter")
    assert problem["detail"].startswith("coverage: ")


def test_more_coverage_than_the_model_knows_is_refused(asked: httpx.Client) -> None:
    response = post_image(asked, PICTURE, params="coverage=0.99")
    problem = assert_problem(response, 422, "invalid_parameter")
    assert problem["detail"] == (
        "coverage: 0.99 is more than the 100 photos allow that the sets were fitted on; at most"
        " 0.95"
    )


def test_a_model_without_sets_says_so_before_the_upload(server: LiveServer) -> None:
    with RawConnection(server.port) as connection:
        head = ("content-type: image/png", "content-length: 1000000")
        connection.send_head(*head, path="/classify?coverage=0.9")
        problem = assert_raw_problem(connection.read_answer(), 422, "output_not_available")
    assert "colours:1 has no prediction sets" in problem["detail"]


def test_an_answer_of_large_sets_is_refused_like_any_other(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    write_model(tmp_path, change=with_sets)
    settings = make_settings(model_repository=tmp_path, max_answer_bytes=4096)
    with running(settings, FakeEngines()) as live, live.client() as client:
        assert post_image(client, PICTURE).status_code == 200
        response = post_image(client, PICTURE, params="coverage=0.9")
        assert_problem(response, 422, "answer_too_large")
