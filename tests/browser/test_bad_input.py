"""What goes wrong is told in words, and nothing else suffers."""

import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Route, expect

from tests.browser.page import DemoPage
from tests.browser.service import EXAMPLES, ROOT, free_port, serving

Open = Callable[..., DemoPage]
_SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def named(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "image/jpeg", "buffer": data}


def fifty_megapixels() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8660, 5774), (90, 120, 150)).save(buffer, "JPEG", quality=30)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "make", "told"),
    [
        ("notes.txt", lambda: b"no picture at all", "The image format is not supported: not a"),
        ("drawing.svg", lambda: _SVG, "The image format is not supported"),
        ("empty.jpg", lambda: b"", "the image is empty"),
        ("huge.jpg", fifty_megapixels, "The image has too many pixels: 8660 x 5774"),
        ("cut.jpg", lambda: (EXAMPLES / "church.jpg").read_bytes()[:3000], "truncated or corrupt"),
    ],
    ids=["text", "svg", "empty", "50-megapixels", "truncated"],
)
def test_what_is_no_photo_is_told_and_the_next_one_works(
    open_page: Open, url: str, name: str, make: Callable[[], bytes], told: str
) -> None:
    page = open_page(url)
    page.may_be_refused = True
    page.choose(named(name, make()))
    expect(page.find("#problem")).to_contain_text(told)
    expect(page.find("#answer")).to_be_hidden()

    page.choose(EXAMPLES / "church.jpg")
    page.expect_class("church")
    expect(page.find("#problem")).to_be_empty()


def test_two_hundred_files_at_once_and_a_bad_one_among_them(open_page: Open, url: str) -> None:
    page = open_page(url)
    page.may_be_refused = True
    data = (EXAMPLES / "gas-pump.jpg").read_bytes()
    files = [named(f"{number:03}.jpg", data) for number in range(199)]
    page.choose([*files[:100], named("empty.jpg", b""), *files[100:]])
    expect(page.find("#status")).to_have_text(
        "Done: 200 photos, 1 of them could not be classified.", timeout=60_000
    )
    expect(page.find("#rows tr")).to_have_count(200)
    expect(page.find("#rows tr.failed")).to_have_count(1)
    expect(page.find("#rows tr.failed")).to_contain_text("the image is empty")


def test_a_paste_without_a_photo_is_told(open_page: Open, url: str) -> None:
    page = open_page(url)
    page.page.evaluate(
        "document.body.dispatchEvent(new ClipboardEvent('paste',"
        " { bubbles: true, clipboardData: new DataTransfer() }))"
    )
    expect(page.find("#problem")).to_have_text("There is no photo in the clipboard.")


def test_a_service_that_goes_away_and_comes_back_is_waited_for(open_page: Open) -> None:
    port = free_port()
    with serving(port=port) as url:
        page = open_page(url)
        page.may_be_refused = True
        expect(page.find("#examples-list img").first).to_be_visible()
        expect(page.find("#served")).to_contain_text("imagenette")
    page.choose(EXAMPLES / "church.jpg")
    expect(page.find("#status")).to_contain_text("The service does not answer. Trying again in")
    with serving(port=port, ready=False):
        page.expect_class("church")
        expect(page.find("#status")).to_be_empty()


def test_waiting_can_be_cancelled(open_page: Open) -> None:
    with serving() as url:
        page = open_page(url)
        page.may_be_refused = True
        expect(page.find("#served")).to_contain_text("imagenette")
    page.choose(EXAMPLES / "church.jpg")
    expect(page.find("#status")).to_contain_text("Trying again in")
    page.page.get_by_role("button", name="Cancel").click()
    expect(page.find("#status")).to_be_empty()
    expect(page.find("#problem")).to_be_empty()


def test_a_busy_service_is_waited_for_as_it_says(open_page: Open, url: str) -> None:
    page = open_page(url)
    page.may_be_refused = True
    expect(page.find("#served")).to_contain_text("imagenette")
    refusals = iter([True])
    problem = '{"code": "overloaded", "title": "The service is at capacity", "detail": "full"}'

    def refuse_once(route: Route) -> None:
        if next(refusals, False):
            kind = {"content-type": "application/problem+json", "retry-after": "1"}
            route.fulfill(status=429, headers=kind, body=problem)
        else:
            route.continue_()

    page.page.route("**/classify*", refuse_once)
    page.choose(EXAMPLES / "church.jpg")
    expect(page.find("#status")).to_contain_text("The service is busy. Trying again in 1.")
    page.expect_class("church")


def test_keys(open_page: Open, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    key = add_key(keys, "visitor")
    with serving("--api-keys-file", str(keys), "--open-operations", "false") as url:
        page = open_page(url)
        page.may_be_refused = True
        field = page.page.get_by_label("API key, kept until this tab is closed")
        expect(page.find("#problem")).to_contain_text("A valid API key is required: send a key")
        expect(field).to_be_focused()

        field.fill("wrong")
        page.page.keyboard.press("Enter")
        expect(page.find("#problem")).to_contain_text("the API key is not known")

        field.fill(key)
        page.page.get_by_role("button", name="Use it").click()
        expect(page.find("#served")).to_contain_text("imagenette")
        expect(page.find("#problem")).to_be_empty()
        expect(page.find("#docs")).to_be_hidden()
        page.find("#examples-list button").first.click()
        page.expect_class("church")


def add_key(file: Path, name: str) -> str:
    words = [str(ROOT / ".venv/bin/python"), "-m", "app", "keys", "add", name, "--file", str(file)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
