"""Takes the pictures of the page that the documentation shows: `make screenshots`."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, FilePayload, sync_playwright

from tests.browser.conftest import ARGUMENTS, BROWSERS
from tests.browser.page import DemoPage
from tests.browser.service import EXAMPLES, ROOT, serving

_FOLDER = ROOT / "docs" / "images"
_NOTES = FilePayload(name="notes.txt", mimeType="text/plain", buffer=b"no photo")


def main() -> None:
    """Writes all of them; the port, which they show, may be given."""
    port = int(sys.argv[1]) if sys.argv[1:] else 8000
    [found, *_] = [path for path in map(shutil.which, BROWSERS) if path]
    # Labels are asked for where they are taken.
    arguments = ("--precision", "int8", "--feedback-seconds", "3600")
    with serving(*arguments, port=port) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        photos: list[Path | FilePayload] = sorted(EXAMPLES.glob("*.jpg"))
        _take(browser, url, "page", [EXAMPLES / "church.jpg"], "church")
        truck = [EXAMPLES / "garbage-truck.jpg"]
        _take(browser, url, "page-dark", truck, "garbage truck", is_dark=True)
        _take(browser, url, "page-phone", [EXAMPLES / "parachute.jpg"], "parachute", width=390)
        _take(browser, url, "page-batch", [*photos, _NOTES], "church")
        _take(browser, url, "page-error", [_NOTES], None)
        browser.close()


def _take(
    browser: Browser,
    url: str,
    name: str,
    files: list[Path | FilePayload],
    label: str | None,
    *,
    width: int = 1180,
    is_dark: bool = False,
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 700}, color_scheme="dark" if is_dark else "light"
    )
    page = DemoPage(context.new_page(), url)
    page.may_be_refused = True
    page.choose(files)
    if len(files) > 1:
        page.page.get_by_role("button", name=f"{label}.jpg").click()
    if label is not None:
        page.expect_class(label)
    page.page.wait_for_load_state("networkidle")
    page.page.mouse.move(0, 0)
    page.page.screenshot(path=_FOLDER / f"{name}.png", full_page=True, animations="disabled")
    page.close()


if __name__ == "__main__":
    main()
