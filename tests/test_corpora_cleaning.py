"""Cleaning: off unless asked for, and exact when it is."""

import html
import unicodedata

import pytest
from corpora_support import TEXT, load_bytes, refusal_of_bytes, shared_file
from hypothesis import given
from hypothesis import strategies as st

from tfgen.corpora import load_corpus
from tfgen.corpora.cleaning import unescape

BOOK = (
    "Title: A\r\n"
    "*** START OF THE PROJECT GUTENBERG EBOOK A ***\r\n"
    "\r\nOnce.\r\n"
    "*** END OF THE PROJECT GUTENBERG EBOOK A ***\n"
)


def test_nothing_is_cleaned_unless_asked_for():
    text = "doesn #39;t &lt;b&gt; e\u0301 ﬁ  \t\r\n" + BOOK
    assert load_bytes(text.encode(), keep_line_ends=True).documents == (text,)


@given(TEXT.filter(lambda text: text and text[0] != "\ufeff"), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_normalize_is_that_of_unicodedata(text, form):
    corpus = load_bytes(text.encode(), normalize=form, keep_line_ends=True)
    assert corpus.documents == (unicodedata.normalize(form, text),)


@given(TEXT)
def test_unescape_undoes_escape(text):
    """Any text without references of its own survives being escaped once or twice."""
    text = text.replace(";", "")
    assert unescape(html.escape(text)) == text
    assert unescape(html.escape(html.escape(text))) == text


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("doesn #39;t", "doesn't"),
        ("doesn#39;t", "doesn't"),
        ("doesn&#39;t", "doesn't"),
        ("doesn&#x27;t", "doesn't"),
        ("doesn&amp;#39;t", "doesn't"),
        ("doesn amp;#39;t", "doesn't"),
        ("up to  #36;10 million", "up to $10 million"),
        ("Johnson  amp; Johnson", "Johnson & Johnson"),
        ("J amp;J", "J&J"),
        ("quot;Rain quot;", '"Rain"'),
        (" #147;Sun #148;", "“Sun”"),
        ("&lt;b&gt;...&lt;/b&gt;", "<b>...</b>"),
        ("&amp;lt;b&amp;gt;", "<b>"),
        ("AT&T, ?a=1&copy=2, &nothing; &#3; &#0; &#xD800;", "AT&T, ?a=1&copy=2, &nothing; &#3; &#0; &#xD800;"),
        ("a stamp; No. #9; &#" + "1" * 9000 + ";", "a stamp; No. #9; &#" + "1" * 9000 + ";"),
    ],
)
def test_references_sound_and_damaged(raw, clean):
    assert unescape(raw) == clean
    assert load_bytes(raw.encode(), unescape=True).documents == (clean,)


def test_how_damaged_references_are_repaired_may_be_another():
    assert unescape("doesn #39;t &lt; J amp;J", repair=str) == "doesn #39;t < J amp;J"
    assert unescape("J+amp;J", repair=lambda text: text.replace("+", "&")) == "J&J"


def test_gutenberg_is_cut_to_the_book():
    assert load_bytes(BOOK.encode(), strip_gutenberg=True).documents == ("\nOnce.\n",)
    assert load_bytes(BOOK.encode(), strip_gutenberg=True, lines=True).documents == ("Once.",)
    wrapped = BOOK.replace("EBOOK A", "EBOOK A\r\nAND B").replace("OF THE", "OF THIS").replace("*** ", "***")
    assert load_bytes(wrapped.encode(), strip_gutenberg=True, keep_line_ends=True).documents == ("\r\nOnce.\r\n",)


@pytest.mark.parametrize("marker", ["START", "END"])
def test_a_missing_marker_of_gutenberg_is_named(marker):
    message = refusal_of_bytes(BOOK.replace(f"*** {marker}", "").encode(), strip_gutenberg=True)
    assert f"'*** {marker} OF THE PROJECT GUTENBERG EBOOK'" in message


def test_alice_herself():
    path = shared_file("alice.txt")
    (book,) = load_corpus(path, strip_gutenberg=True).documents
    assert "License" not in book
    assert book.rstrip().endswith("THE END")


def test_cleaning_is_done_in_order():
    """Entities first: the accent that comes of one is then composed with its letter."""
    assert load_bytes(b"e&#769;", unescape=True, normalize="NFC").documents == ("é",)


def test_a_line_is_cleaned_after_it_is_cut():
    assert load_bytes(b"a&NewLine;b\nc", lines=True, unescape=True).documents == ("a\nb", "c")
