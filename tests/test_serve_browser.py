"""The pages of `tfgen serve` in a real browser, with a token and without."""

import importlib.util
import re
import urllib.parse

import browser_support as support
import numpy as np
import pytest
from serve_support import make, seen, serving
from test_page_browser import violations

support.skip_without_browser()
if any(importlib.util.find_spec(name) is None for name in ("starlette", "uvicorn", "prometheus_client")):
    pytest.skip("packages of '.[serve]' are not installed", allow_module_level=True)
pytestmark = pytest.mark.slow


TEXT = """async () => {
  const sheet = document.querySelector(".column .paper");
  while (sheet.getAttribute("aria-busy") !== "false") await new Promise((go) => setTimeout(go, 5));
  return sheet.textContent;
}"""


class Served:
    """A browser before a server, and all that its pages ask for and complain of."""

    def __init__(self, browser, line):
        self.address, _, self.fragment = re.search(r"http://\S+", line)[0].partition("#")
        self.page, self.asked, self.complaints = browser.new_page(), [], []
        self.page.set_default_timeout(30_000)
        self.page.on("request", lambda request: self.asked.append((request.method, request.url, request.headers)))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, name, **told):
        self.page.goto(f"{self.address}pages/{name}#{self.fragment}&{urllib.parse.urlencode(told)}")
        self.page.wait_for_selector("html[data-ready]")
        return self.text()

    def text(self):
        self.page.wait_for_timeout(200)  # the server is asked when nothing newer has come
        return self.page.evaluate(TEXT)

    def check(self):
        assert self.complaints == []
        assert all(url.startswith(self.address) for _, url, _ in self.asked)


@pytest.fixture(name="browser", scope="module")
def browser_fixture():
    with support.chromium() as browser:
        yield browser


@pytest.fixture(name="served", params=[(), ("--token", "new")], ids=["open", "token"], scope="module")
def served_fixture(request, tmp_path_factory):
    """The models, and the line of their server."""
    folder = tmp_path_factory.mktemp("served")
    models = make(folder)
    with serving(folder, *request.param) as (_, line):
        yield models, line


def test_both_sides_of_the_switch_write_what_python_writes(served, browser, tmp_path):
    models, line = served
    here = Served(browser, line)
    page = here.page
    page.goto(here.address + (f"#{here.fragment}" if here.fragment else ""))
    assert page.locator("li").all_inner_texts() == ["fox", "turned"]
    page.get_by_role("link", name="fox").click()
    page.wait_for_selector("html[data-ready]")
    told = {"prompt": "the ", "seed": 2**62 + 1, "length": 120, "temperature": 0.9, "top_k": 20}
    expected = models["fox"].generate("the ", length=120, seed=2**62 + 1, temperature=0.9, top_k=20)
    page.evaluate("told => { location.hash = told; }", f"{here.fragment}&{urllib.parse.urlencode(told)}")
    assert here.text() == expected
    assert not [url for method, url, _ in here.asked if method == "POST"]  # so far nothing was asked of the server
    page.get_by_label("on the server").check()
    assert here.text() == expected
    assert {url for method, url, _ in here.asked if method == "POST"} == {f"{here.address}v1/completions"}
    # What is chosen stays, the rest goes on from there, on both sides alike.
    page.locator(".column .paper span").nth(60).click()
    page.get_by_role("dialog").locator("button:not([aria-current])").first.click()
    chosen = here.text()
    assert chosen[:60] == expected[:60]
    assert chosen != expected
    page.get_by_label("in this page").check()
    assert here.text() == chosen
    page.get_by_label("on the server").check()
    prompt = page.get_by_label("Begin with")
    prompt.press("Control+End")
    prompt.press("Tab")
    assert len(prompt.input_value()) > 4
    assert here.text().startswith(chosen)  # a word that is taken changes nothing of what comes after it
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    assert here.text() == expected
    page.get_by_label("Your own text").fill("the lazy fox")
    page.wait_for_function("() => document.querySelectorAll('#own-read .paper span').length === 12")
    figure = page.locator("#own-read .figure strong").text_content()
    assert figure == f"{models['fox'].score('the lazy fox').bits_per_character:.2f}"
    page.get_by_role("button", name="Share").click()
    shared = page.get_by_label("Whoever may ask this server").input_value()
    assert "token" not in shared
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert here.text() == expected
    with page.expect_download() as download:
        page.get_by_role("button", name="Save this page").click()
    download.value.save_as(tmp_path / "saved.html")
    here.check()
    token = here.fragment.partition("=")[2]
    for method, url, headers in here.asked:
        assert not token or token not in url.partition("#")[0]
        if method == "POST":
            assert headers.get("authorization") == (f"Bearer {token}" if token else None)
    with support.opened(browser, tmp_path / "saved.html", "#" + shared.partition("#")[2]) as saved:
        assert saved.text() == expected
        assert not saved.page.get_by_label("on the server").is_visible()


def test_a_page_writes_from_a_source_with_the_server(served, browser):
    models, line = served
    here = Served(browser, line)
    assert here.open("turned", source="abc", length=9, seed=2, temperature=1) == models["turned"].generate(
        source="abc", length=9, seed=2
    )
    page = here.page
    page.get_by_label("Write from").fill("edcba")
    assert here.text() == models["turned"].generate(source="edcba", length=9, seed=2)
    page.wait_for_function("() => document.querySelectorAll('.places span').length === 6")  # with the end
    page.locator(".column .paper span").first.hover()
    assert page.locator(".lines line").count() >= 1
    assert page.locator("#by-unit").is_hidden()
    here.check()


def draw(page, *points):
    """Draw one stroke, through points that are shares of the canvas."""
    page.locator("#picture").scroll_into_view_if_needed()
    box = page.locator("#picture").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


@pytest.fixture(name="drawn", scope="module")
def drawn_fixture(tmp_path_factory):
    """A model of pictures, and the line of its server."""
    folder = tmp_path_factory.mktemp("drawn")
    model = seen()
    model.save(folder / "seen.keras")
    with serving(folder, models=["seen.keras"]) as (_, line):
        yield model, line


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_drawn_is_written_from(drawn, browser, scheme):
    model, line = drawn
    with browser.new_context(
        viewport={"width": 360, "height": 800}, color_scheme=scheme, has_touch=True, bypass_csp=True
    ) as place:
        here = Served(place, line)
        page, bodies = here.page, []
        page.on("request", lambda request: bodies.append(request.post_data_json) if request.method == "POST" else None)
        assert here.open("seen", length=12) == ""
        assert bodies == []  # nothing is drawn
        draw(page, (0.3, 0.2), (0.3, 0.8), (0.6, 0.8))
        first = here.text()
        (body,) = bodies
        picture = np.array(body["source"], np.float32)
        assert first == model.generate(source=picture, length=12, temperature=0)
        assert picture.shape == (24, 24)
        assert picture.min() == 0
        assert picture.max() > 0.9
        assert len(np.unique(picture)) > 3  # it has soft edges
        for axis in (0, 1):  # it is in the middle, and as tall as a letter in print
            ink = np.flatnonzero(picture.max(axis=axis) > 0.3)
            assert abs(ink[0] + ink[-1] - 23) <= 2
        assert 11 <= len(np.flatnonzero(picture.max(axis=1) > 0.3)) <= 13
        page.touchscreen.tap(*(page.locator("#picture").bounding_box()[side] + 20 for side in "xy"))
        second = here.text()
        assert second == model.generate(source=np.array(bodies[-1]["source"], np.float32), length=12, temperature=0)
        assert bodies[-1]["source"] != body["source"]
        page.get_by_role("button", name="Share").click()
        shared = page.get_by_label("Whoever may ask this server").input_value()
        page.get_by_role("button", name="Undo").click()
        assert here.text() == first
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert violations(page) == []
        page.get_by_role("button", name="Clear").click()
        assert here.text() == ""
        page.goto("about:blank")
        page.goto(shared)
        page.wait_for_selector("html[data-ready]")
        assert here.text() == second
        page.goto(shared.partition("drawing=")[0] + "drawing=nonsense")
        here.check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_served_pages_fit_and_keep_the_rules_of_accessibility(served, browser, scheme, width):
    _, line = served
    size = {"width": width, "height": 800}
    with browser.new_context(viewport=size, color_scheme=scheme, bypass_csp=True) as place:
        here = Served(place, line)
        here.page.goto(here.address)
        assert violations(here.page) == []
        for name in ("fox", "turned"):
            here.open(name, source="abc" * 30, side="server")
            here.page.get_by_label("surprise", exact=True).check()
            here.text()
            assert here.page.evaluate("document.documentElement.scrollWidth") == width
            assert violations(here.page) == []
        here.check()


def test_what_is_wrong_is_said_on_the_page(browser, tmp_path):
    make(tmp_path)
    with serving(tmp_path, "--token", "new") as (process, line):
        here = Served(browser, line)
        here.open("turned", source="abc")
        process.kill()
        process.wait(60)
        here.page.get_by_role("button", name="Another").click()
        here.page.wait_for_function("() => document.getElementById('said').textContent.includes('does not answer')")


def test_a_wrong_token_is_said(browser, tmp_path):
    make(tmp_path)
    with serving(tmp_path, "--token", "new") as (_, line):
        page = browser.new_page()
        page.goto(re.search(r"http://[^#\s]+", line)[0] + "pages/fox#token=another")
        page.wait_for_function("() => document.getElementById('said').textContent.includes('token')")
