"""The page as a test sees it: what is on it, and what went wrong behind it."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, FilePayload, Locator, Page, Request, expect

# Half of a core is all that a loaded machine may leave the browser.
_PATIENCE_MS = 30_000
# What the browser itself says of a refused or failed request, which the page tells in words.
_REFUSED = "Failed to load resource"

expect.set_options(timeout=_PATIENCE_MS)


class DemoPage:
    """An open page.

    Args:
        page: a tab that has loaded nothing yet.
        url: of the service.

    Attributes:
        page: the tab.
        may_be_refused: whether requests may fail or be refused in this test.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.may_be_refused = False
        self._url = url
        self._faults: list[str] = []
        page.set_default_timeout(_PATIENCE_MS)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._faults.append(f"uncaught: {error}"))
        page.on("request", self._on_request)
        page.goto(url)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not (
            self.may_be_refused and message.text.startswith(_REFUSED)
        ):
            self._faults.append(f"{message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        target = urlsplit(request.url)
        if target.scheme not in ("blob", "data") and target.netloc != urlsplit(self._url).netloc:
            self._faults.append(f"a request to {request.url}")

    def close(self) -> None:
        """Closes the tab; nothing may have gone wrong in it."""
        self.page.context.close()
        assert self._faults == []

    def find(self, selector: str) -> Locator:
        """Elements by a CSS selector."""
        return self.page.locator(selector)

    def choose(self, files: list[Path | FilePayload] | Path | FilePayload) -> None:
        """Chooses files in the file dialogue."""
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_role("button", name="Choose photos").click()
        several = files if isinstance(files, list) else [files]
        chooser.value.set_files([_payload(file) for file in several])

    def expect_class(self, label: str) -> None:
        """Waits until the answer names this class."""
        expect(self.find("#answer-title")).to_have_text(label)
        expect(self.find("#photo")).to_have_attribute("aria-label", has_text(label))

    def pixels(self) -> str:
        """What the photo and the map over it look like, as a data URI."""
        return str(self.find("#photo").evaluate("canvas => canvas.toDataURL()"))


def has_text(text: str) -> re.Pattern[str]:
    """Matches whatever holds the text."""
    return re.compile(re.escape(text))


def _payload(file: Path | FilePayload) -> FilePayload:
    """A file as it is handed to the browser, which does not take names and bytes mixed."""
    if isinstance(file, Path):
        return {"name": file.name, "mimeType": "image/jpeg", "buffer": file.read_bytes()}
    return file
