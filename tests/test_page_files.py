"""A page is one file that is written whole, replaces earlier pages alone, and holds any vocabulary and any title."""

import base64
import hashlib
import html.parser
import json
import re

import instant_support as support
import numpy as np
import pytest
from cli_support import here_fixture  # noqa: F401 - a fixture
from hypothesis import given
from hypothesis import strategies as st

import tfgen
from tfgen import page
from tfgen.page.assembling import assembled
from tfgen.portable.layers import Layer

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0\u0003")


class Parts(html.parser.HTMLParser):
    """The elements of a page with a text of their own, and its meta elements."""

    def __init__(self, text):
        super().__init__()
        self.meta, self.texts, self._open = {}, {}, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        told = dict(attributes)
        if tag == "meta":
            self.meta[told.get("http-equiv") or told.get("name")] = told.get("content")
        self._open = told.get("id") or told.get("type") or tag

    def handle_data(self, data):
        self.texts[self._open] = self.texts.get(self._open, "") + data

    def handle_endtag(self, tag):
        self._open = None


def tiny(characters, weights="int8", title="a title"):
    vocabulary = tfgen.Vocabulary(sorted(characters))
    size = len(vocabulary)
    shapes = {"kernel": (size, 8), "recurrent": (2, 8)}
    cell = Layer("lstm", "a", "LSTM", size, 2, "float32", shapes, {"ids": True, "activation": "tanh"})
    head = Layer("dense", "b", "Dense", 2, size, "float32", {"kernel": (2, size)}, {"activation": "softmax"})
    chance = np.random.default_rng(0)
    layers = [
        each.with_arrays([chance.normal(size=shape).astype("f") for shape in each.shapes.values()])
        for each in (cell, head)
    ]
    return assembled(vocabulary, layers, title, weights)


@given(st.sets(CHARACTERS, min_size=1, max_size=30), st.text(CHARACTERS, max_size=20))
def test_any_vocabulary_and_any_title_are_whole(characters, title):
    parts = Parts(tiny(characters, title=title))
    header = json.loads(parts.texts["model"])
    assert header["characters"] == "".join(sorted(characters))
    assert header["title"] == title


@pytest.mark.parametrize("title", ["</script><script>alert(1)</script>", "{{weights}}", "<!--", "&amp;", '"'])
def test_hostile_titles_are_text(title):
    parts = Parts(tiny("</script>-!{}", title=title))
    assert (parts.texts["title"], json.loads(parts.texts["model"])["title"]) == (title, title)


def test_the_policy_allows_the_script_and_no_connection():
    parts = Parts(tiny("ab"))
    policy = parts.meta["Content-Security-Policy"]
    for text, kind in ((parts.texts["module"], "script"), (parts.texts["style"], "style")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"connect-src|unsafe-inline|unsafe-eval(?<!wasm-unsafe-eval)|https?:", policy)
    assert "innerHTML" not in parts.texts["module"]


def test_256_units_are_below_600_kilobytes():
    characters = [chr(32 + i) for i in range(100)]
    vocabulary = tfgen.Vocabulary(characters)
    generator = tfgen.TextGenerator.build(vocabulary, units=256, seed=0)
    assert len(page.page(generator).encode()) < 600_000


def test_a_page_is_exported_as_any_format(tmp_path):
    generator = support.generator(1)
    generator.export(tmp_path / "model", "html")
    text = (tmp_path / "model.html").read_text(encoding="utf-8")
    assert text == page.page(generator, "model")
    with pytest.raises(tfgen.InputError, match=r"exists; choose another name, or replace it"):
        generator.export(tmp_path / "model", "html")
    generator.export(tmp_path / "model.html", "html", overwrite=True, weights="float32")
    assert (tmp_path / "model.html").read_text(encoding="utf-8") == page.page(generator, "model", "float32")
    (tmp_path / "mine.html").write_text("<title>mine</title>")
    with pytest.raises(tfgen.InputError, match="is not a page of tfgen"):
        generator.export(tmp_path / "mine", "html", overwrite=True)
    with pytest.raises(tfgen.InputError, match="there is no directory"):
        generator.export(tmp_path / "nowhere" / "model", "html")
    with pytest.raises(tfgen.InputError, match="weights can be chosen for the format html alone"):
        generator.export(tmp_path / "saved", weights="int8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.html", "model.html"]


def test_what_a_page_cannot_hold_is_refused_in_one_line(tmp_path):
    words = tfgen.Vocabulary.from_texts(["a b"], split="word")
    translator = tfgen.TextGenerator.build(words, units=3, encoder=tfgen.networks.text_encoder(words, units=4))
    with pytest.raises(
        tfgen.InputError,
        match=r"^this model cannot be a page: .*; serve it with tfgen serve, or export another format\.$",
    ):
        translator.export(tmp_path / "model", "html")
    with pytest.raises(
        tfgen.InputError,
        match=r"^a page holds models of characters; received split='word': serve it with tfgen serve\.$",
    ):
        tfgen.TextGenerator.build(words, units=3).export(tmp_path / "model", "html")
    assert not [*tmp_path.iterdir()]


def test_the_command_writes_it_without_tensorflow(here, tmp_path, monkeypatch):
    support.generator(1).save(tmp_path / "model.keras")
    monkeypatch.setattr("tfgen.cli.tensorflow_log.import_tensorflow", lambda: pytest.fail("TensorFlow was imported"))
    told = here.done("export", "model.keras", "model", "--format", "html")
    size = (tmp_path / "model.html").stat().st_size
    assert told == f"model.html: html, {size:,} bytes\n\nOpen it in any browser.\n"
    assert "exists" in here.refused("export", "model.keras", "model", "--format", "html")
    here.done("export", "model.keras", "model", "--format", "html", "--float32", "--overwrite")
    assert (tmp_path / "model.html").stat().st_size > size
    assert "--float16 is for --format html" in here.refused("export", "model.keras", "out", "--float16")
