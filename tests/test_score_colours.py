"""`tfgen score` in colours: hotter for what surprises more, nothing a terminal would obey, and plain in a pipe."""

import io
import json
import re
import time
import unicodedata

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tfgen import TextGenerator, Vocabulary
from tfgen.cli import cli, heat, terminal
from tfgen.cli.score import coloured
from tfgen.terms import scores

ESCAPE = "\x1b"
PRINTED = st.text(st.characters(exclude_categories=["C"]) | st.sampled_from("\t "))
BITS = st.floats(0, 30)


def on_terminal(text, **options) -> str:
    """What a terminal of 80 columns is sent."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system="256", width=80, **options)
    console.print(text)
    return console.file.getvalue()


def style_at(text, place) -> str:
    return str(next((span.style for span in text.spans if span.start <= place < span.end), ""))


# --- the scale ------------------------------------------------------------------------------------------------------


@given(BITS, BITS)
def test_a_smaller_probability_is_never_cooler(one, other):
    styles = [each.style for each in heat.SCALE]
    cooler, hotter = (styles.index(heat.style_of(bits)) for bits in sorted([one, other]))
    assert cooler <= hotter


def test_each_step_begins_at_its_bits():
    assert len({step.style for step in heat.SCALE}) == len(heat.SCALE)
    for before, step in zip(heat.SCALE, heat.SCALE[1:], strict=False):
        assert heat.style_of(step.bits) == step.style
        assert heat.style_of(np.nextafter(step.bits, 0)) == before.style
    assert heat.style_of(-0.0) == heat.style_of(-1e-9) == heat.SCALE[0].style
    assert heat.style_of(np.inf) == heat.SCALE[-1].style


def test_the_legend_wears_every_colour():
    legend = heat.legend()
    assert legend.plain == "bits of surprise:  0-2  2-4  4-6  6-8  8-10  10-12  over 12 "
    assert [style_at(legend, legend.plain.index(f" {step.bits:g}-")) for step in heat.SCALE[1:-1]] == [
        step.style for step in heat.SCALE[1:-1]
    ]
    assert style_at(legend, len(legend) - 1) == heat.SCALE[-1].style


# --- the text -------------------------------------------------------------------------------------------------------


@given(PRINTED, st.data())
def test_the_text_is_the_text(text, data):
    bits = data.draw(st.lists(BITS | st.none(), min_size=len(text), max_size=len(text)))
    shown = heat.coloured(text, bits)
    assert shown.plain == text
    assert [style_at(shown, place) for place in range(len(text))] == list(map(heat.style_of, bits))


@given(st.text(st.characters() | st.sampled_from("\n\r\t\x1b\x7f\x9b\u202e"), max_size=20), BITS)
def test_a_terminal_has_nothing_to_obey(text, bits):
    shown = heat.coloured(text, [bits] * len(text)).plain
    assert not [
        character
        for character in shown
        if character not in "\n\t" and (unicodedata.category(character) in ("Cc", "Cs") or character in "\u202e\u2066")
    ]
    assert len(shown.replace("↵\n", "\n")) == len(text.replace("↵\n", "\n"))


def test_control_characters_have_pictures():
    assert heat.coloured("a\r\n\x1b[31m\x7f\x9b", [0.0] * 10).plain == "a␍\n␛[31m␡\ufffd"
    assert heat.coloured("[red]:smile:", [0.0] * 12).plain == "[red]:smile:"


def test_the_end_of_a_line_is_marked_where_it_surprises():
    text = heat.coloured("a\nb\nc", [0, 9, 0, 0, 0])
    assert text.plain == "a↵\nb\nc"
    assert style_at(text, 1) == heat.style_of(9)


def test_lines_stay_lines_on_a_terminal():
    sent = on_terminal(heat.coloured("one\ntwo words", [0] * 4 + [9] * 9))
    assert sent == "one\n\x1b[38;5;16;48;5;208mtwo words\x1b[0m\n"


@pytest.mark.slow
def test_ten_thousand_characters_are_drawn_at_once():
    random = np.random.default_rng(0)
    for text in ("lines of words\n" * 700, "x" * 10_000):
        bits = random.exponential(4, len(text)).tolist()
        begin = time.process_time()
        on_terminal(heat.coloured(text, bits))
        assert time.process_time() - begin < 2  # a twentieth of that


# --- what was scored ------------------------------------------------------------------------------------------------


def score_of(vocabulary, text, unknown="error") -> scores.Score:
    """A score in which the t-th token costs t + 1 bits."""
    ids = vocabulary.encode(text, unknown)
    costs = -np.log(2) * (np.arange(len(ids)) + 1)
    tokens = vocabulary.decode_each(ids)
    return scores.Score(text, tokens, len("".join(tokens)), costs, np.ones(len(ids), np.int32))


@pytest.mark.parametrize(
    ("unknown", "split", "text", "bits"),
    [
        ("error", "character", "ab a", [1, 2, 3, 4]),
        ("error", "character", "a\x03b", [1, 2, 3]),  # the end of a text reads as nothing, yet was scored
        ("skip", "character", "xaxb", [None, 1, None, 2]),
        ("unknown", "character", "xaxb", [1, 2, 3, 4]),
        ("error", "word", "ab a", [1, 1, 2, 2]),
        ("skip", "word", "abba ab a", [None] * 4 + [None] * 3 + [1] * 2),
        ("unknown", "word", "abba a", [1] * 4 + [2] * 2),
    ],
)
def test_each_character_has_the_colour_of_its_token(unknown, split, text, bits):
    vocabulary = Vocabulary.from_texts(["ab a"], split=split)
    shown = coloured(score_of(vocabulary, text, unknown), vocabulary, unknown)
    assert shown.plain == text.replace("\x03", "␃")
    assert [style_at(shown, place) for place in range(len(text))] == list(map(heat.style_of, bits))


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.keras"
    TextGenerator.build(Vocabulary.from_texts(["the quick brown fox\njumps"]), units=8, seed=1).save(path)
    return str(path)


def run(*arguments) -> str:
    done = CliRunner().invoke(cli, ["score", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


@pytest.fixture
def terminal_console(monkeypatch):
    """Make the command believe in a terminal; environment variables may still say how it is."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    made = terminal.console

    def console():
        console = made()
        return Console(file=console.file, force_terminal=True, markup=False, highlight=False, soft_wrap=True, width=80)

    monkeypatch.setattr(terminal, "console", console)


def test_a_pipe_gets_plain_text(model):
    out = run(model, "the fox")
    totals, blank, title, *surprises = out.splitlines()
    assert re.fullmatch(r"[\d.]+ bits, [\d.]+ nats per character; perplexity [\d.]+; 7 characters", totals)
    assert (blank, title) == ("", "The greatest surprises:")
    assert len(surprises) == 5
    assert out.replace("\n", "").isprintable()


def test_a_terminal_gets_colours_then_the_numbers(model, terminal_console):
    out = run(model, "the fox\njumps")
    plain = CliRunner().invoke(cli, ["score", model, "the fox\njumps"], env={"NO_COLOR": "1"}).stdout
    assert out.startswith("bits of surprise:  0-2 \x1b[38;5;231;48;5;24m 2-4 ")
    assert "the fox↵" in out  # an untrained model is surprised alike by all
    assert out.endswith(plain)
    assert ESCAPE not in plain


def test_a_terminal_without_colours_gets_plain_text(model, terminal_console, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    out = run(model, "the fox")
    assert ESCAPE not in out
    assert "bits of surprise" not in out


def test_json_has_bits_and_no_colours(model, terminal_console):
    facts = json.loads(run(model, "the fox", "--json"))
    assert len(facts["bits"]) == len(facts["tokens"]) == 7
    np.testing.assert_allclose(facts["bits"], np.array(facts["log_probabilities"]) / -np.log(2))
    assert sum(facts["bits"]) == pytest.approx(7 * facts["bits_per_character"])
