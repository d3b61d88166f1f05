"""The pages of `tfgen serve` in a real browser, with a token and without."""

import importlib.util
import re

import browser_support as support
import pytest
from serve_support import make, serving

support.skip_without_browser()
if any(importlib.util.find_spec(name) is None for name in ("starlette", "uvicorn", "prometheus_client")):
    pytest.skip("packages of '.[serve]' are not installed", allow_module_level=True)
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("options", [(), ("--token", "new")])
def test_a_model_writes_in_the_browser_and_the_token_stays_there(tmp_path, options):
    make(tmp_path)
    with serving(tmp_path, *options) as (_, line), support.chromium() as browser:
        address = re.search(r"http://\S+", line)[0]
        page = browser.new_page()
        asked, complaints = [], []
        page.on("request", lambda request: asked.append((request.url, request.headers.get("authorization"))))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        assert page.locator("li").all_inner_texts() == ["fox, in this browser", "turned"]
        page.locator("a").click()
        page.wait_for_selector("html[data-ready]", timeout=30_000)
        page.wait_for_function("() => document.querySelector('.column .paper').textContent.length > 100")
        token = address.partition("#token=")[2]
        assert not complaints
        assert [headers for url, headers in asked if "/pages/fox" in url] == [f"Bearer {token}" if token else None]
        assert not any(token in url.partition("#")[0] for url, _ in asked) or not token
        before = len(asked)
        # Nothing that is typed can be sent anywhere.
        sent = page.evaluate("() => fetch('/healthz').then(() => 'sent', () => 'refused')")
        assert (sent, len(asked)) == ("refused", before)
        browser.close()


def test_a_wrong_token_is_said(tmp_path):
    make(tmp_path)
    with serving(tmp_path, "--token", "new") as (_, line), support.chromium() as browser:
        page = browser.new_page()
        page.goto(re.search(r"http://[^#\s]+", line)[0] + "#token=another")
        page.locator("a").click()
        page.wait_for_function("() => document.getElementById('said').textContent.includes('token')")
