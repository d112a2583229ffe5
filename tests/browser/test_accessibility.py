"""axe-core finds nothing serious, whatever is on the page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.page import DemoPage
from tests.browser.service import EXAMPLES

Open = Callable[..., DemoPage]
_AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"


def findings(page: DemoPage) -> list[str]:
    """Violations that axe-core calls serious or critical."""
    # The page's policy keeps out what a test would add to it as an element.
    page.page.evaluate(_AXE.read_text())
    page.page.emulate_media(reduced_motion="reduce")
    found = page.page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{rule['id']}: {node['html']}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(open_page: Open, url: str, scheme: str) -> None:
    page = open_page(url, color_scheme=scheme)
    page.may_be_refused = True
    expect(page.find("#examples-list img").first).to_be_visible()
    expect(page.find("#tabs button").first).to_be_visible()
    assert findings(page) == []

    text = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no photo"}
    page.choose([EXAMPLES / "church.jpg", EXAMPLES / "golf-ball.jpg", text])
    expect(page.find("#status")).to_contain_text("Done")
    page.find("#rows button").first.click()
    page.expect_class("church")
    page.find("#key-toggle").click()
    page.find("#model summary").click()
    assert findings(page) == []
    page.find("#rows button").last.click()
    expect(page.find("#problem")).not_to_be_empty()
    assert findings(page) == []
