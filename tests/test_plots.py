"""Pictures: the baseline of xz by hand, a PNG that needs no screen and no state of pyplot, and what may come next."""

import importlib.util
import lzma
import math
import sys

import keras
import numpy as np
import pytest
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import tfgen
from tfgen import plots
from tfgen.errors import InputError
from tfgen.plots import curves, pictures

TRAINING, VALIDATION = [(100, 3.0), (200, 2.5)], [(200, 2.6)]


@examples(20)  # at its highest level xz takes memory, and time for it
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1).filter(lambda texts: any(texts)))
def test_compressed_bits_is_lzma_by_hand(texts):
    joined = "".join(texts)
    assert plots.compressed_bits(texts) == 8 * len(lzma.compress(joined.encode(), preset=9)) / len(joined)


def test_repetitions_cost_little():
    assert plots.compressed_bits(["to be or not to be "] * 1000) < 0.1


@pytest.mark.parametrize("texts", [[], [""]])
def test_no_text_has_no_baseline(texts):
    with pytest.raises(InputError, match="there is no text to compress"):
        plots.compressed_bits(texts)


def test_the_learning_curve_is_a_png_drawn_without_pyplot(tmp_path):
    already = "matplotlib.pyplot" in sys.modules
    path = tmp_path / "curve.png"
    plots.learning_curve(TRAINING, VALIDATION, {"xz -9": 2.25}, title="Ünïcode 100 %", path=path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert already or "matplotlib.pyplot" not in sys.modules


def test_a_curve_without_validation_or_baselines_is_drawn_too(tmp_path):
    plots.learning_curve(TRAINING, path=tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").read_text().startswith("<?xml")


def test_the_curve_is_in_bits_with_a_dashed_line_for_each_baseline_and_the_kept_epoch():
    (axes,) = plots.learning_curve(TRAINING, VALIDATION, {"xz -9": 2.25, "letters": 4.5}).axes
    training, validation, kept, *baselines = axes.lines
    assert (kept.get_xdata(), kept.get_ydata()) == (validation.get_xdata(), validation.get_ydata())
    assert training.get_xdata().tolist() == [100, 200]
    assert training.get_ydata().tolist() == pytest.approx([4.328085, 3.606738])
    assert validation.get_ydata().tolist() == pytest.approx([3.751007])
    assert [(line.get_ydata()[0], line.get_linestyle()) for line in baselines] == [(2.25, "--"), (4.5, "--")]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        *("training", "validation", "kept: epoch 1, 3.75", "xz -9: 2.25", "letters: 4.50")
    ]


BITS = st.floats(0.1, 20)


@given(st.lists(BITS, min_size=8), st.lists(BITS, max_size=3), st.floats(30, 1e6))
def test_a_spike_flattens_no_picture_and_nothing_else_is_cut_off(curve, others, spike):
    low, high = curves.limits([[*curve, spike]], others)
    assert (low, max([high, *others])) == (min([*curve, *others]), high)  # baselines lie inside
    usual = sorted([*curve, spike])[math.ceil(len(curve) * 0.75)]
    assert high <= max([usual + 3 * (usual - min(curve)), *others])
    assert sum(bits > high for bits in curve) <= (len(curve) + 1) / 4
    assert curves.limits([[2.0], []]) == (2.0, 2.0)


def test_a_picture_of_nothing_is_refused():
    with pytest.raises(InputError, match=r"nothing to draw.*NatsPerCharacter"):
        plots.learning_curve([], [(1, math.nan)])


def test_a_spike_is_said_where_it_is_not_shown():
    flat = [(n, 2.1 - 0.1 * n / 30) for n in range(31)]
    for curve, said in ((flat, []), ([*flat, (31, 60.0)], ["losses up to 86.6 are not shown"])):
        (axes,) = plots.learning_curve(curve).axes
        assert [text.get_text() for text in axes.texts] == said
        assert 0.8 < (axes.get_ylim()[1] - axes.get_ylim()[0]) / (0.1 / math.log(2)) < 4


def test_missing_matplotlib_is_said_with_the_command_that_installs_it(tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find_spec(name))
    for function in (
        plots.check_installed,
        lambda: plots.check_path(tmp_path / "curve.png"),
        lambda: plots.learning_curve(TRAINING, VALIDATION),
    ):
        with pytest.raises(InputError, match=r"pip install matplotlib"):
            function()


@pytest.mark.parametrize(
    ("name", "message"),
    [("curve", "ends in .png"), ("curve.txt", "curve.txt"), ("nowhere/curve.png", "no directory .*nowhere")],
)
def test_a_place_no_picture_can_be_drawn_in_is_refused(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        plots.check_path(tmp_path / name)


@pytest.mark.parametrize("name", ["curve.png", "curve.PNG", "curve.svg", "curve.pdf", "curve.jpg"])
def test_each_ending_that_is_accepted_can_be_drawn(tmp_path, name):
    plots.check_path(tmp_path / name)
    plots.learning_curve(TRAINING, VALIDATION, path=tmp_path / name)
    assert (tmp_path / name).stat().st_size > 1000


@pytest.fixture(scope="module")
def generator():
    vocabulary = tfgen.Vocabulary.from_texts(["play the cat, $\x1b\n"], ends=True)
    return tfgen.TextGenerator.build(vocabulary, units=3, cell="rnn", seed=1)


def test_bars_are_the_distribution_at_each_temperature(generator, tmp_path):
    figure = plots.next_token(generator, "play", [0, 0.5, 2], tokens=4, path=tmp_path / "next.png")
    assert (tmp_path / "next.png").read_bytes().startswith(b"\x89PNG")
    wrote = generator.generate("play", length=1, return_scores=True, alternatives=99, temperature=1)
    names, nats = zip(*wrote.alternatives[0], strict=True)
    for axes, temperature in zip(figure.axes, [0, 0.5, 2], strict=True):
        shares = keras.ops.softmax(tfgen.sampling.Temperature(temperature)(np.array([nats]))).numpy()[0]
        widths = [bar.get_width() for bar in axes.patches]
        assert widths == pytest.approx([*shares[:4], shares[4:].sum()], abs=1e-6)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == [*map(pictures.visible, names[:4]), "others"]


@pytest.mark.parametrize("prompt", ["", "the cat"])
def test_unrolled_shows_what_was_read_and_written(generator, prompt):
    figure = plots.unrolled(generator, prompt, 5, alternatives=2, seed=3, temperature=1)
    wrote = generator.generate(prompt, length=5, seed=3, return_scores=True, echo=False)
    shown = [text for text in figure.axes[0].texts if text.get_text()]
    at = {height: [text.get_text() for text in shown if text.get_position()[1] == height] for height in (0, 1.95)}
    written = [pictures.visible(token) for token in wrote.tokens]
    assert at[1.95] == written
    assert at[0] == ["\u220e", *map(pictures.visible, prompt), *written[:-1]]
    assert figure._repr_png_().startswith(b"\x89PNG")


@given(st.text(st.characters(exclude_categories=[]), max_size=5))
def test_a_token_in_a_picture_can_be_seen_and_drawn(token):
    shown = pictures.visible(token)
    assert not any(ord(c) <= 32 or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 for c in shown)
    assert len(shown) == len(token) + token.count("$")
