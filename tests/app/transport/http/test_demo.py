"""The page's files, as any client gets them; what the page does is tried in a browser."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from app.transport.http.demo.files import FOLDER, read_files
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.http import assert_problem, post_image, post_json
from tests.support.images import encode, photo, truncated_jpeg
from tests.support.server import running

_MOST_BYTES = 60_000


@pytest.fixture
def without_demo(make_settings: Callable[..., Settings]) -> Iterator[httpx.Client]:
    with running(make_settings(demo=False), FakeEngines()) as live, live.client() as client:
        yield client


def test_the_page_allows_nothing_inline_and_nothing_from_elsewhere(client: httpx.Client) -> None:
    response = client.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers.get_list("content-security-policy")
    assert len(policy) == 1
    assert policy[0].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy[0]
    assert response.headers["referrer-policy"] == "no-referrer"
    assert not re.findall(r"<script(?![^>]* src=)|<style| style=| on\w+=", response.text)


def test_every_file_that_the_page_names_is_there(client: httpx.Client) -> None:
    named = [
        f"/{path}" for path in re.findall(r'(?:src|href)="(demo/[^"]+)"', client.get("/").text)
    ]
    assert len(named) >= 3
    for path in named:
        response = client.get(path)
        assert response.status_code == 200, path
        assert not re.findall(r"https?://(?!127\.0\.0\.1|www\.w3\.org)", response.text), path
        folder = path.rpartition("/")[0]
        for module in re.findall(r'from "\./([^"]+)"', response.text):
            if (other := f"{folder}/{module}") not in named:
                named.append(other)
    scripts = {f"/demo/{path.relative_to(FOLDER)}" for path in FOLDER.rglob("*.js")}
    assert scripts <= set(named), "a script that nothing uses"


def test_the_page_is_small() -> None:
    sizes = [len(file.body) for file in read_files().values() if file.media_type != "image/jpeg"]
    assert sum(sizes) <= _MOST_BYTES


def test_examples_are_listed_and_there(client: httpx.Client) -> None:
    listed = client.get("/demo/examples.json").json()
    assert len(listed) == len(list(FOLDER.rglob("*.jpg")))
    for entry in listed:
        picture = client.get(f"/demo/{entry['file']}")
        assert picture.headers["content-type"] == "image/jpeg"
        assert Path(entry["file"]).stem == entry["label"].replace(" ", "-")


def test_a_file_is_sent_again_only_if_it_has_changed(client: httpx.Client) -> None:
    first = client.get("/demo/page.js")
    again = client.get("/demo/page.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/demo/page.js", headers={"if-none-match": '"other"'})
    assert other.content == first.content


@pytest.mark.parametrize(
    "path", ["/demo/nowhere.js", "/demo/../routes.py", "/demo/..%2froutes.py", "/demo/", "/demo//"]
)
def test_what_is_no_file_of_the_page_is_not_found(client: httpx.Client, path: str) -> None:
    assert_problem(client.get(path), 404, "not_found")


def test_a_page_that_is_switched_off_leads_to_the_reference(without_demo: httpx.Client) -> None:
    response = without_demo.get("/")
    assert (response.status_code, response.headers["location"]) == (307, "docs")
    assert_problem(without_demo.get("/demo/page.js"), 404, "not_found")


def test_what_the_page_can_lead_to_is_told(client: httpx.Client) -> None:
    told = {"docs": True, "feedback": False, "open_inference_protocol": True}
    assert client.get("/demo/about.json").json() == told


def test_what_is_switched_off_has_no_example(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(adapters="huggingface")
    with running(settings, FakeEngines()) as live, live.client() as client:
        assert client.get("/demo/about.json").json()["open_inference_protocol"] is False


def test_an_answer_tells_where_the_network_looked(client: httpx.Client) -> None:
    wide = encode(photo(COLOURS[3], (90, 40)))
    [result] = post_image(client, wide).json()["results"]
    left, top, right, bottom = result["crop"]
    assert left + right == pytest.approx(90, abs=0.02)
    assert top + bottom == pytest.approx(40, abs=0.02)
    assert 0 < right - left < 90


def test_an_image_that_fails_has_no_crop(client: httpx.Client) -> None:
    images = [("a", encode(photo(COLOURS[3]))), ("b", truncated_jpeg())]
    good, bad = post_json(client, images).json()["results"]
    assert "crop" in good
    assert "crop" not in bad
