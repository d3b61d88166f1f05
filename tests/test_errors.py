"""The checks of what a user gives, and how a message shows what was received."""

import contextlib
import fractions
import lzma
import math
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfgen import model_files
from tfgen.corpora import load_corpus
from tfgen.errors import InputError, check_choice, damage, lacks_memory, read_each, real_number, whole_number
from tfgen.prepared.corpus import open_prepared
from tfgen.prepared.preparing import prepare_corpus
from tfgen.support import checkpoints, wording

WHOLE = st.integers() | st.integers(-(2**15), 2**15 - 1).map(np.int16)
REAL = WHOLE | st.floats() | st.fractions() | st.floats(width=32).map(np.float32)
OTHER = (
    st.none()
    | st.booleans()
    | st.booleans().map(np.bool_)
    | st.text()
    | st.binary()
    | st.complex_numbers()
    | st.lists(REAL)
)


def refusal(check: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(InputError) as caught:
        check(*args, **kwargs)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.endswith(".")
    assert "; received " in message
    return message


@given(WHOLE, st.integers(-10, 10), st.integers(10, 2**31))
def test_a_whole_number_in_its_range_is_given_as_an_int(value, least, most):
    if least <= value <= most:
        number = whole_number("n", value, least, most)
        assert (number, type(number)) == (value, int)
    else:
        assert refusal(whole_number, "n", value, least, most).startswith("n must be ")


@given(REAL, st.integers(-10, 0), st.integers(1, 10))
def test_a_number_in_its_range_is_given_as_a_float(value, low, high):
    for bounds, fits in (
        ({"at_least": low, "below": high}, low <= value < high),
        ({"above": low, "at_most": high}, low < value <= high),
        ({}, math.isfinite(value) and abs(float(value)) < 1e308),
    ):
        if fits:
            number = real_number("x", value, **bounds)
            assert (number, type(number)) == (float(value), float)
        elif not (math.isfinite(value) and not bounds):  # between 10**308 and the largest float either is right
            assert refusal(real_number, "x", value, **bounds).startswith("x must be a number")


@given(OTHER)
def test_what_is_no_number_is_none_and_neither_is_a_boolean(value):
    assert wording.shown(value) in refusal(whole_number, "n", value, 0)
    assert wording.shown(value) in refusal(real_number, "x", value)
    refusal(real_number, "x", math.nan)


class ResourceExhaustedError(Exception):
    """Stands in for TensorFlow's."""


@pytest.mark.parametrize("error", [MemoryError(), ResourceExhaustedError()])
def test_a_lack_of_memory_is_no_damage(error):
    assert lacks_memory(error)
    with pytest.raises(type(error)), damage(lambda error: "it is damaged."):
        raise error


def test_damage_is_described_once():
    with pytest.raises(InputError, match="it is damaged: 3"), damage(lambda error: f"it is damaged: {error}."):
        raise KeyError(3)
    for error in (KeyboardInterrupt, SystemExit):
        with pytest.raises(error), damage(lambda error: "it is damaged."):
            raise error
    assert not lacks_memory(OSError())


def test_the_bounds_are_named():
    assert refusal(real_number, "x", 1, at_least=0, below=1) == (
        "x must be a number of at least 0 and below 1; received 1."
    )
    assert refusal(real_number, "x", "1", above=0) == "x must be a number above 0; received '1'."
    assert refusal(real_number, "x", 10**400) == "x must be a number; received " + "1" + "0" * 76 + "...."
    assert refusal(whole_number, "n", 0, 1) == "n must be a whole number of at least 1; received 0."
    assert refusal(whole_number, "n", 2**31, 1) == "n must be at most 2,147,483,647; received 2147483648."
    assert refusal(check_choice, "split", "x", ("a", "b")) == "split must be one of 'a', 'b'; received 'x'."
    assert real_number("x", fractions.Fraction(1, 2)) == 0.5


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (len, "builtin_function_or_method"),
        (lambda: 0, "function"),
        (object(), "object"),
        ([object()], "list"),
        pytest.param(10**5000, "int", id="int"),  # which has no text, it being too long
        (np.eye(2), "array([[1., 0.], [0., 1.]])"),
        ("two\nlines", "'two\\nlines'"),
        (int, "<class 'int'>"),
        ("x" * 100, "'" + "x" * 76 + "..."),
    ],
)
def test_what_was_received_is_shown_on_one_short_line_and_never_by_an_address(value, shown):
    assert wording.shown(value) == shown


def lack(*args, **kwargs):
    raise MemoryError


def open_checkpoint(folder):
    path = checkpoints.Checkpoints(folder).save({"epoch": 1})
    return lambda: checkpoints.read(path)


def open_compressed(folder):
    path = folder / "a.txt.xz"
    path.write_bytes(lzma.compress(b"text"))
    return lambda: load_corpus(path)


def open_prepared_text(folder):
    (folder / "a.txt").write_text("text")
    prepare_corpus(folder / "a.txt", folder / "ids")
    return lambda: open_prepared(folder / "ids")


def open_configuration(folder):
    with zipfile.ZipFile(folder / "a.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", "")
    return lambda: model_files.read_config(folder / "a.keras")


@pytest.mark.parametrize(
    ("make", "lacking"),
    [
        (open_checkpoint, "numpy.frombuffer"),
        (open_compressed, "tfgen.corpora.compressed.lzma.LZMADecompressor"),
        (open_prepared_text, "json.loads"),
        (open_configuration, "zipfile.ZipFile.read"),
    ],
)
def test_a_reader_that_lacks_memory_calls_nothing_damaged(make, lacking, tmp_path, monkeypatch):
    read = make(tmp_path)
    with contextlib.suppress(InputError):  # the model file is none
        read()
    monkeypatch.setattr(lacking, lack)
    with pytest.raises(MemoryError):
        read()


@given(st.lists(st.sampled_from(["1", "22", "x", "yy"]), max_size=8))
def test_of_several_things_the_first_that_cannot_be_read_is_named(texts):
    def read(text):
        if text.isdigit():
            return int(text)
        raise InputError(f"the text {text!r} is no number", [("", "remove it")])

    wrong = [number for number, text in enumerate(texts, start=1) if not text.isdigit()]
    if not wrong:
        assert read_each("prompt", texts, read) == [int(text) for text in texts]
        return
    with pytest.raises(InputError) as caught:
        read_each("prompt", texts, read)
    where = f"in prompt {wrong[0]}, " if len(texts) > 1 else ""
    assert str(caught.value) == f"{where}the text {texts[wrong[0] - 1]!r} is no number; remove it."
    assert caught.value.repairs == (("", "remove it"),)
