"""The page in a real browser: what a person does with it, by mouse and by keyboard alone, and what it never does."""

import dataclasses
import pathlib
import re
import urllib.parse

import browser_support as support
import numpy as np
import pytest

import tfgen
from tfgen.instant.writer import Writer
from tfgen.networks import layers_of
from tfgen.page.assembling import assembled

support.skip_without_browser()
pytestmark = pytest.mark.slow

TEXT = 'The (quick) brown fox said: "Jump!"\nOver the lazy dog, THEN [away].\n'
WILD = "aé\u0301漢字かなمرحبا שלום👩\u200d👩\u200d👧\u202e\x1b\x7f\u00ad\ufeff</script><!--&amp;🇩🇪\t\n "


@pytest.fixture(name="browser", scope="module")
def browser_fixture():
    with support.chromium() as browser:
        yield browser


@pytest.fixture(name="generator", scope="module")
def generator_fixture():
    generator = tfgen.TextGenerator.build(tfgen.Vocabulary.from_texts([TEXT]), units=32, seed=1)
    kernel, recurrent, bias, head, head_bias = generator.network.get_weights()  # large recurrent ones are chaotic
    generator.network.set_weights([4 * kernel, recurrent, bias, 3 * head, head_bias])
    return generator


@pytest.fixture(name="path", scope="module")
def path_fixture(generator, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "model.html"
    generator.export(path, "html", weights="float32")
    return path


@pytest.fixture(name="here")
def here_fixture(browser, path):
    with support.opened(browser, path) as watched:
        yield watched


def classes(letters):
    return letters.evaluate_all("letters => letters.map((each) => each.className)")


def link(**told):
    return "#" + urllib.parse.urlencode(told)


def test_a_page_writes_what_python_writes(here, generator):
    same = 0
    for seed in range(100):
        temperature, top_k = (0.5, 0.8, 1.0, 1.4)[seed % 4], 5 + seed % 20
        more = {"top_p": 0.9} if seed % 2 else {"min_p": 0.02, "repetition_penalty": 1.3}
        expected = generator.generate("The ", length=300, seed=seed, temperature=temperature, top_k=top_k, **more)
        fragment = link(prompt="The ", length=300, seed=seed, temperature=temperature, top_k=top_k, **more)
        same += here.go(fragment) == expected
    assert same >= 99
    for prompt in ("", "The ", '"Jump'):
        expected = generator.generate(prompt, length=1000, temperature=0)
        assert here.go(link(prompt=prompt, length=1000, temperature=0)) == expected


def test_the_temperature_melts_one_text(here):
    cold = here.text()
    dial = here.page.get_by_role("slider", name="Temperature")
    dial.fill("0.85")
    warm = here.text()
    dial.fill("2")
    assert len({cold, warm, here.text()}) == 3
    dial.fill("0.8")
    assert here.text() == cold
    here.page.get_by_role("button", name="Another").click()
    assert here.text() != cold
    here.page.get_by_role("button", name="Undo").click()
    assert here.text() == cold


def test_training_is_replayed(browser, generator, tmp_path):
    layers = layers_of(generator)
    early = [
        dataclasses.replace(layer, arrays={name: array / 3 for name, array in layer.arrays.items()}) for layer in layers
    ]
    path = tmp_path / "replay.html"
    page = assembled(generator.vocabulary, layers, "replay", "float32", epochs=[(0, early)])
    path.write_text(page, encoding="utf-8")
    with support.opened(browser, path, link(prompt="The ")) as watched:
        dial = watched.page.get_by_role("slider", name="Training")
        assert dial.get_attribute("aria-valuetext") == "as it is now"
        now = watched.text()
        assert now == generator.generate("The ", length=400, seed=1, temperature=0.8)
        dial.press("Home")
        expected = Writer(generator.vocabulary, early).generate("The ", length=400, seed=1, temperature=0.8)
        watched.page.wait_for_function("text => document.querySelector('.paper').textContent === text", arg=expected[0])
        assert dial.get_attribute("aria-valuetext") == "before it has read anything"
        dial.press("End")
        watched.page.wait_for_function("text => document.querySelector('.paper').textContent === text", arg=now)


def test_a_text_ends_before_a_stop_string(here, generator):
    for seed in range(5):
        stop = ["qu", "\n", "[a"]
        expected = generator.generate("The ", length=300, seed=seed, temperature=0.8, stop=stop)
        assert here.go(link(prompt="The ", length=300, seed=seed, stop="qu | \\n | [a")) == expected


def test_tab_takes_a_word_and_escape_declines(here):
    prompt = here.page.get_by_label("Begin with")
    prompt.fill("The ")
    prompt.press("Control+End")
    before = here.text()
    ghost = here.page.locator(".ghost")
    assert before.startswith("The " + ghost.text_content())
    prompt.press("Tab")
    taken = prompt.input_value()
    assert before.startswith(taken)
    assert taken != "The "
    assert here.text().startswith(before[: len(before) - 1])  # the rest stays what it was
    prompt.press("Escape")
    assert ghost.text_content() == ""
    prompt.press("Tab")
    assert prompt.input_value() == taken
    assert here.page.evaluate("document.activeElement.id") != "prompt"
    here.page.get_by_role("button", name="Undo").click()
    assert prompt.input_value() == "The "
    assert here.text() == before
    here.page.get_by_role("button", name="Take a word").click()
    assert prompt.input_value() == taken


def test_another_letter_goes_on_from_there_and_can_be_undone(here):
    before = here.text()
    letters = here.page.locator(".column .paper span")
    at = next(i for i in range(100, 200) if before[i].isalpha())
    letters.nth(at).click()
    rows = here.page.get_by_role("dialog").get_by_role("listitem")
    assert rows.count() == 10
    assert rows.filter(has_text=re.compile(r"(<0\.1|\d+\.\d) %$")).count() == 10
    other = rows.locator("button:not([aria-current])").first
    other.click()
    after = here.text()
    assert after[:at] == before[:at]
    assert after[at] != before[at]
    assert len(after) == len(before)
    here.page.get_by_role("slider", name="Temperature").fill("1.5")
    assert here.text()[: at + 1] == after[: at + 1]  # what was chosen stays
    here.page.get_by_role("slider", name="Temperature").fill("0.8")
    assert here.text() == after
    here.page.get_by_role("button", name="Undo").click()
    assert here.text() == before


def test_a_link_is_the_same_text(here, browser, path):
    here.page.get_by_label("Begin with").fill("The ")
    here.page.get_by_role("slider", name="Temperature").fill("1.1")
    here.page.get_by_role("textbox", name="Seed").fill("77")
    here.page.locator(".column .paper span").nth(60).click()
    here.page.get_by_role("dialog").locator("button:not([aria-current])").first.click()
    text = here.text()
    here.page.get_by_role("button", name="Share").click()
    told = here.page.get_by_label("Whoever has this page").input_value()
    assert told.startswith(path.as_uri() + "#")
    with support.opened(browser, path, "#" + told.split("#")[1]) as other:
        assert other.text() == text
        other.page.reload()
        other.page.wait_for_selector("html[data-ready]")
        assert other.text() == text


def test_a_saved_page_is_the_page(here, browser, path, tmp_path):
    here.page.get_by_label("Begin with").fill("something else")
    with here.page.expect_download() as download:
        here.page.get_by_role("button", name="Save this page").click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    assert saved.name == "model.html"
    with support.opened(browser, saved) as other, support.opened(browser, path) as first:
        assert other.text() == first.text()


def test_ones_own_text_is_scored_as_python_scores_it(here, generator):
    here.page.get_by_label("Your own text").fill("The fox [away] é")
    score = generator.score("The fox [away] ")
    figure = here.page.locator("#own-read .figure strong")
    here.page.wait_for_function("performance.getEntriesByName('scored').length")
    assert figure.text_content() == f"{score.bits_per_character:.2f}"
    assert here.page.locator("#own-read .strange").all_text_contents() == ["é"]
    levels = {
        each.split()[0]
        for each in here.page.locator("#own-read .paper span").evaluate_all("s => s.map(e => e.className)")
    }
    assert levels <= {"s0", "s1", "s2", "s3", "s4", "strange"}
    here.page.locator("#own-read .paper span").nth(4).click()
    choice = here.page.get_by_role("dialog").locator("button:not([aria-current])").first
    token = choice.locator(".token").text_content()
    choice.click()
    if len(token) == 1:
        assert here.page.get_by_label("Begin with").input_value() == "The " + token


def test_letters_are_coloured_by_surprise_and_by_one_unit(here, generator):
    page = here.page
    page.get_by_label("surprise", exact=True).check()
    text = here.text().replace("↵", "")
    score = generator.score(text)
    shown = page.locator(".column .figure strong").text_content()
    assert abs(float(shown) - score.bits_per_character) < 0.006
    page.get_by_label("one unit").check()
    unit = page.get_by_role("slider", name="Unit")
    seen = set()
    for _ in range(3):
        here.text()
        seen.add(tuple(classes(page.locator(".column .paper span"))))
        unit.press("ArrowRight")
    assert len(seen) == 3
    assert unit.input_value() == "3"
    for feature in ("quotes", "brackets", "capitals", "line length", "word length"):
        page.get_by_role("button", name=feature).click()
        page.wait_for_function("f => document.querySelector('#found').textContent.includes(f)", arg=feature)
        found = page.locator("#found button")
        assert found.count() == 5
        strengths = [abs(float(re.search(r"\((.*)\)", each)[1])) for each in found.all_text_contents()]
        assert strengths == sorted(strengths, reverse=True)
        assert max(strengths) <= 1.001


def test_two_columns_begin_from_one_state(here):
    page = here.page
    page.get_by_label("Begin with").fill("The ")
    page.locator(".column .paper span").nth(50).click()
    page.get_by_role("dialog").locator("button:not([aria-current])").first.click()
    first = here.text()
    page.get_by_role("button", name="Two columns").click()
    second = here.text(1)
    assert second[:51] == first[:51]
    assert second != first
    page.get_by_role("textbox", name="Seed").nth(1).fill("1")
    assert here.text(1)[:4] == "The "
    assert here.text(0) == first
    page.get_by_role("button", name="Two columns").click()
    assert page.locator(".column").count() == 1


def test_the_keyboard_alone_does_all(here):
    page = here.page
    before = here.text()
    reached = []
    for _ in range(40):
        page.keyboard.press("Escape")
        page.keyboard.press("Tab")
        told = page.evaluate(
            "(() => { const e = document.activeElement;"
            " return e.id || e.className || e.name || e.type || e.textContent; })()"
        )
        if told in reached or page.evaluate("document.activeElement === document.body"):
            break
        reached.append(told)
    assert {"prompt", "range", "share", "save", "fork", "copy", "own"} <= {*reached}
    page.locator(".paper").first.focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowUp", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert here.text() != before
    page.keyboard.press("Control+z")
    assert here.text() == before


def test_live_regions_are_quiet(here):
    status = here.page.get_by_role("status")
    status.evaluate(
        """(status) => {
          window.heard = [];
          new MutationObserver(() => heard.push(status.textContent)).observe(status, { childList: true });
        }"""
    )
    here.page.get_by_role("slider", name="Temperature").evaluate(
        """(dial) => {
          for (let i = 0; i < 30; i++) {
            dial.value = i / 20;
            dial.dispatchEvent(new Event("input"));
          }
        }"""
    )
    here.text()
    here.page.wait_for_timeout(900)
    assert here.page.evaluate("heard") == ["400 characters written."]
    assert here.page.locator("[aria-live]").count() == 0
    assert status.count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_and_keeps_the_rules_of_accessibility(browser, path, scheme, width):
    size = {"width": width, "height": 800}
    with support.opened(browser, path, viewport=size, color_scheme=scheme, bypass_csp=True) as watched:
        page = watched.page
        page.get_by_label("Begin with").fill("The ")
        page.get_by_label("Your own text").fill(
            "The lazy fox é\nWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"
        )
        page.get_by_role("button", name="Share").click()
        page.get_by_text("More settings").click()
        for colour in ("surprise", "one unit", "nothing"):
            page.get_by_label(colour, exact=True).check()
            if colour == "one unit":
                page.get_by_role("button", name="capitals").click()
                page.wait_for_selector("#found button")
            watched.text()
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert violations(page) == []
        page.locator(".column .paper span").nth(200).click()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert violations(page) == []


def violations(page):
    if not support.AXE.exists():
        pytest.skip(f"npm install --prefix {pathlib.Path(support.AXE).parents[2]} axe-core: not done")
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(support.AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    return [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found]


def test_a_hostile_vocabulary_is_text(browser, tmp_path):
    vocabulary = tfgen.Vocabulary.from_texts([WILD])
    generator = tfgen.TextGenerator.build(vocabulary, cell="gru", units=8, seed=1)
    generator.export(tmp_path / "wild", "html", weights="float32")
    with support.opened(browser, tmp_path / "wild.html") as watched:
        page = watched.page
        page.get_by_label("Begin with").fill("</script>\u202e👩\u200d👩\u200d👧\x1b")
        watched.text()
        shown = page.locator(".column .paper span").all_text_contents()
        assert "👩\u200d👩\u200d👧" in shown
        assert {"U+202E", "␛"} <= {*shown}
        assert not {"\u202e", "\x1b", "\u200d"} & {*shown}
        for i in range(0, len(shown), 37):
            page.locator(".column .paper span").nth(i).click(force=True)
            page.keyboard.press("Escape")
        page.get_by_label("Your own text").fill(WILD)
        page.get_by_label("surprise", exact=True).check()
        page.get_by_role("button", name="Share").click()
        watched.text()


def test_a_thousand_hostile_prompts(browser, path):
    chance = np.random.default_rng(1)
    ranges = [
        (0, 0x20),
        (0x20, 0x7F),
        (0x80, 0x250),
        (0x300, 0x370),
        (0x590, 0x700),
        (0x2000, 0x2070),
        (0xD800, 0xE000),
    ]
    ranges += [(0x1F300, 0x1FA00), (0xFE00, 0xFE10), (0xE0000, 0xE0080), (0x10FF00, 0x110000), (0x4E00, 0x9FFF)]
    prompts = []
    for _ in range(1000):
        begin, end = ranges[chance.integers(len(ranges))]
        prompts.append(chance.integers(begin, end, chance.integers(1, 30)).tolist())
    prompts += [
        [ord(c) for c in text] for text in ("</script>", "<img src=x onerror=alert(1)>", "#%", "\r\n", "{{model}}")
    ]
    with support.opened(browser, path, link(length=5)) as watched:
        lengths = watched.page.evaluate(
            """async (prompts) => {
              const field = document.querySelector("#prompt");
              const lengths = [];
              for (const [i, prompt] of prompts.entries()) {
                field.value = prompt.map((code) => String.fromCodePoint(code)).join("");
                field.dispatchEvent(new Event("input"));
                if (i % 50 === 0) document.querySelector("#share").click();
                if (i % 10 === 0) await new Promise((go) => setTimeout(go, 0));
                lengths.push(document.querySelectorAll(".column .paper span").length);
              }
              return lengths;
            }""",
            prompts,
        )
        assert min(lengths) > 0
        assert watched.page.evaluate("document.querySelectorAll('img, script').length") == 3


def test_megabytes_do_not_freeze_it(here):
    longest = here.page.evaluate(
        """async () => {
          let longest = 0;
          let last = performance.now();
          const beat = setInterval(() => {
            longest = Math.max(longest, performance.now() - last);
            last = performance.now();
          }, 5);
          const own = document.querySelector("#own");
          own.style.display = "none"; // to lay it out is the browser's
          own.value = "The lazy dog. ".repeat(20_000);
          last = performance.now();
          own.dispatchEvent(new Event("input"));
          await new Promise((go) => setTimeout(go, 3000));
          own.value = "The";
          own.dispatchEvent(new Event("input"));
          clearInterval(beat);
          return longest;
        }"""
    )
    assert longest < 500
    here.page.wait_for_function("document.querySelectorAll('#own-read .paper span').length === 3")
