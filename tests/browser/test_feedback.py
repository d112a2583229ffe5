"""A visitor says that an answer is wrong."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.page import DemoPage
from tests.browser.service import EXAMPLES, serving

Open = Callable[..., DemoPage]


@pytest.fixture(scope="module")
def keeping() -> Iterator[str]:
    with serving("--feedback-seconds", "600") as url:
        yield url


def test_the_right_class_is_told(open_page: Open, keeping: str) -> None:
    page = open_page(keeping)
    page.choose(EXAMPLES / "church.jpg")
    page.expect_class("church")
    page.find("#wrong").click()
    expect(page.find("#feedback-told")).to_contain_text("Choose the right class")

    page.find("#classes button").nth(1).click()
    page.find("#wrong").click()
    expect(page.find("#feedback-told")).to_contain_text("Told: it is")
    expect(page.find("#wrong")).to_be_disabled()
    assert (
        'senet_feedback_total{model="imagenette",outcome="wrong"'
        in httpx.get(f"{keeping}metrics").text
    )


def test_nothing_is_offered_where_no_answer_is_kept(open_page: Open, url: str) -> None:
    page = open_page(url)
    page.choose(EXAMPLES / "church.jpg")
    page.expect_class("church")
    expect(page.find("#feedback")).to_be_hidden()
