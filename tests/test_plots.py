"""Pictures: the baseline of xz by hand, and a PNG that needs no screen and no state of pyplot."""

import importlib.util
import lzma
import sys

import matplotlib.figure
import pytest
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from tfgen import plots
from tfgen.errors import InputError

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
    path = plots.learning_curve(tmp_path / "curve.png", TRAINING, VALIDATION, {"xz -9": 2.25}, "Ünïcode 100 %")
    assert path == tmp_path / "curve.png"
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert already or "matplotlib.pyplot" not in sys.modules


def test_a_curve_without_validation_or_baselines_is_drawn_too(tmp_path):
    assert plots.learning_curve(tmp_path / "curve.svg", TRAINING, [], {}, "").read_text().startswith("<?xml")


def test_the_curve_is_in_bits_with_a_dashed_line_for_each_baseline(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    plots.learning_curve(tmp_path / "curve.png", TRAINING, VALIDATION, {"xz -9": 2.25, "letters": 4.5}, "title")
    (axes,) = figures[0].axes
    training, validation, *baselines = axes.lines
    assert training.get_xdata().tolist() == [100, 200]
    assert training.get_ydata().tolist() == pytest.approx([4.328085, 3.606738])
    assert validation.get_ydata().tolist() == pytest.approx([3.751007])
    assert [(line.get_ydata()[0], line.get_linestyle()) for line in baselines] == [(2.25, "--"), (4.5, "--")]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        *("training", "validation", "xz -9: 2.25", "letters: 4.50")
    ]


def test_missing_matplotlib_is_said_with_the_command_that_installs_it(tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find_spec(name))
    for function in (
        plots.check_installed,
        lambda: plots.check_path(tmp_path / "curve.png"),
        lambda: plots.learning_curve(tmp_path / "curve.png", TRAINING, VALIDATION, {}, ""),
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
    assert plots.learning_curve(tmp_path / name, TRAINING, VALIDATION, {}, "").stat().st_size > 1000
