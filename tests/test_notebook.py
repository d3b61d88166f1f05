"""What a notebook shows: texts in colours, and errors as their message."""

import html.parser
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfgen
from tfgen.support import pages

ANY_TEXT = st.text(st.characters(), max_size=8)


class Read(html.parser.HTMLParser):
    """Reads HTML as a browser does: its text, and the notes of its spans."""

    def __init__(self, page):
        super().__init__()
        self.text, self.notes, self.tags = "", [], set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "span":
            self.notes.append(dict(attributes)["title"])

    def handle_data(self, data):
        self.text += data


def visible(text):
    return html.unescape(pages.escaped(text))


@given(st.lists(st.tuples(ANY_TEXT, st.floats(0, math.inf), ANY_TEXT), max_size=6), ANY_TEXT, ANY_TEXT)
def test_every_token_is_shown_once_with_its_note_and_nothing_is_obeyed(tokens, before, after):
    pieces, bits, notes = zip(*tokens, strict=True) if tokens else ((), (), ())
    read = Read(pages.surprises(pieces, bits, notes, before, after))
    assert read.tags <= {"div", "span"}
    assert read.notes == [visible(note) for note in notes]
    shown, whole = read.text, visible(before + "".join(pieces) + after)
    assert shown.replace("\u21b5", "") == whole.replace("\u21b5", "")  # which marks the end of a line
    assert not any(ord(c) < 32 and c not in "\n\t" for c in read.text)


@given(st.floats(0, 40), st.floats(0, 40))
def test_more_surprise_is_never_paler(one, other):
    def strength(bits):
        return float(pages.warmth(bits).rpartition(",")[2].rstrip(")") or 0)

    assert strength(min(one, other)) <= strength(max(one, other)) <= 0.5


@pytest.mark.parametrize("prompt", ["", "ab<"])
@pytest.mark.parametrize("cut", ["", "z"])
def test_a_generated_text_is_shown_whole(prompt, cut):
    tokens = ("<", "b", "<", "\x03") if not cut else ("<", "b", "<")
    shown = tfgen.Generated(
        text=prompt + "<b<" + cut,
        tokens=tokens,
        log_probabilities=np.log([0.5, 0.25, 0.001, 0.5][: len(tokens)]),
        sampler_log_probabilities=np.zeros(len(tokens)),
        finish_reason="stop" if cut else "end",
        alternatives=(((("<", math.log(0.5)), ("q", math.log(0.3))),) + ((),) * (len(tokens) - 1)),
    )
    read = Read(shown._repr_html_())
    assert read.text.replace("\u2403", "") == prompt + "<b<" + cut
    assert read.notes[0].splitlines() == ["50% '<'", "30% 'q'"]


def test_a_score_and_a_report_are_shown():
    score = tfgen.writing.Score("ab", ("a", "b"), 2, np.log([0.5, 0.25]), np.array([1, 3], np.int32))
    read = Read(score._repr_html_())
    assert read.text == "1.500 bits per character; perplexity 2.83ab"
    assert read.notes == ["'a': 50%, 1.00 bits, rank 1", "'b': 25%, 2.00 bits, rank 3"]
    report = tfgen.novelty.report("<the cat sat>", tfgen.Corpus.from_texts(["a <the cat sleeps"]))
    assert "<the cat s" in Read(report._repr_html_()).text


def test_what_was_measured_is_one_line_where_there_are_no_colours():
    score = tfgen.writing.Score("ab" * 99, ("ab",) * 99, 198, np.log([0.5] * 99), np.ones(99, np.int32))
    assert re.fullmatch(
        r"<Score of 'abab.*\.\.\.: 0\.500 bits per character; perplexity 2\.00; 99 tokens>", repr(score)
    )
    none = np.zeros(0)
    written = tfgen.Generated("a\n", ("\n",), none, none, (), "end")
    assert repr(written) == r"<Generated 'a\n': 1 new token; finish_reason='end'>"
    corpus = tfgen.Corpus.from_texts(["the cat sleeps"])
    copied = "0.0% of its passages of 10 characters are copied; the longest is 'the cat s'"
    assert repr(tfgen.novelty.report("<the cat sat>", corpus)) == f"<Report on 13 characters: {copied}>"
    alone = "<Report on 1 character: 0.0% of its passages of 1 character are copied>"
    assert repr(tfgen.novelty.report("x", corpus)) == alone


def test_an_error_of_the_users_is_its_message_in_a_notebook():
    with pytest.raises(tfgen.InputError) as raised:
        tfgen.Vocabulary.from_texts([])
    assert raised.value._render_traceback_() == [f"InputError: {raised.value}"]
