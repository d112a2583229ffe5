import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.page import DemoPage
from tests.browser.service import serving

BROWSERS = ("chromium", "google-chrome")
# Nobody is asked, and the camera is the browser's own test picture. CI's user is root.
ARGUMENTS = [
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = [path for path in map(shutil.which, BROWSERS) if path]
    assert found, f"install one of {', '.join(BROWSERS)}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found[0], args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    with serving() as url:
        yield url


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., DemoPage]]:
    """Opens the page in a profile of its own; at the end nothing may have gone wrong in it."""
    pages: list[DemoPage] = []

    def open_page(url: str, **options: object) -> DemoPage:
        context = browser.new_context(permissions=["camera"], **options)
        pages.append(DemoPage(context.new_page(), url))
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()


@pytest.fixture
def page(open_page: Callable[..., DemoPage], url: str) -> Page:
    return open_page(url).page
