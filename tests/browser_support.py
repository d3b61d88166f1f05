"""A page in Chromium, driven by Playwright, with the network off; what it asks for and complains of is written down."""

import contextlib
import pathlib
import shutil
import sys

import pytest

EXECUTABLE = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AXE = pathlib.Path(sys.prefix) / "node_modules" / "axe-core" / "axe.min.js"

# What a test may ask of a page: its text, as the network wrote it, when nothing is being written any more.
_TEXT = """async (column) => {
  const sheet = document.querySelectorAll(".column .paper")[column];
  while (sheet.getAttribute("aria-busy") !== "false") await new Promise((go) => setTimeout(go, 5));
  return sheet.textContent;
}"""


def skip_without_browser():
    """Skip the module that calls this where no browser can be driven."""
    pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
    if EXECUTABLE is None:
        pytest.skip("there is no Chromium here", allow_module_level=True)


@contextlib.contextmanager
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A page from a disk, opened in a context of its own, and all that it asks for and complains of."""

    def __init__(self, browser, path, fragment="", **context):
        self.place = browser.new_context(offline=True, **context)
        self.page, self.asked, self.complaints = self.place.new_page(), [], []
        self.page.set_default_timeout(30_000)
        self.page.on("request", lambda request: self.asked.append(request.url.split("#")[0]))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.address = path.as_uri()
        self.page.goto(self.address + fragment)
        self.page.wait_for_selector("html[data-ready]")

    def text(self, column=0):
        return self.page.evaluate(_TEXT, column)

    def go(self, fragment):
        """Follow a link to another text of the same page."""
        self.page.evaluate("fragment => { location.hash = fragment; }", fragment)
        self.page.evaluate("() => new Promise((go) => setTimeout(go, 0))")
        return self.text()

    def check(self):
        assert self.complaints == []
        assert {*self.asked} == {self.address}


@contextlib.contextmanager
def opened(browser, path, fragment="", **context):
    """A page that must have been quiet in the end."""
    watched = Watched(browser, path, fragment, **context)
    yield watched
    watched.check()
    watched.place.close()
