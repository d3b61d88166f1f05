"""Texts of any length: read in pieces, written in pieces, and nothing held that was not asked for."""

import gc
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from alphabet import Alphabet
from memory_support import forget_peak, peak

from tfgen import TextGenerator, Vocabulary
from tfgen.writing import Writer, scoring

LETTERS = Vocabulary([chr(97 + i) for i in range(26)])


@pytest.fixture(scope="module")
def generator():
    return TextGenerator.build(Vocabulary.from_texts(["ab"]), cell="rnn", units=64, seed=1)


@pytest.mark.slow
def test_a_stream_holds_nothing_of_what_it_has_written():
    stream = Writer(LETTERS, Alphabet()).stream("a", length=64_000, temperature=0, jit_compile=False)
    sizes, text, longest = [], "a", 0
    tracemalloc.start()
    try:
        for number, piece in enumerate(stream):
            assert piece[0] == chr(97 + (ord(text[-1]) - 96) % 26)
            text, longest = piece, max(longest, len(piece))
            if number in (600, 1900):
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert longest == 32
    assert sizes[1] - sizes[0] < 90_000, "1,300 pieces lie between the two, and a kept one takes 80 bytes and more"


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["generate", "score"])
def test_a_long_text_is_read_in_little_memory(generator, verb):
    text = "ab" * 50_000
    read = {"generate": lambda text: generator.generate(text, length=1, n=20), "score": generator.score}[verb]
    read(text[:10])
    before = forget_peak()
    read(text)
    # At once, the outputs by their weights alone would be 26 MB.
    assert peak() - before < 20 << 20


def test_each_prompt_is_read_once(monkeypatch):
    model = Alphabet()
    read, rows = model.read, []
    monkeypatch.setattr(model, "read", lambda ids, *rest: rows.append(ids) or read(ids, *rest))
    writer = Writer(LETTERS, model)
    assert writer.generate(["ab", "x"], length=3, n=5, temperature=0) == [["abcde"] * 5, ["xyza"] * 5]
    assert writer.generate("ab", length=3, num_beams=4) == "abcde"


@pytest.mark.parametrize("most", [1, 3, 10**6])
def test_scores_do_not_depend_on_the_size_of_pieces(generator, most, monkeypatch):
    ids = np.random.default_rng(0).integers(2, 5, size=(3, 30))
    whole = scoring.score_tokens(generator.writer.model, tf.constant(ids), ())
    monkeypatch.setattr(scoring, "_LOGITS", 15 * most)
    parts = scoring.score_tokens(generator.writer.model, tf.constant(ids), ())
    np.testing.assert_allclose(parts[0], whole[0], atol=1e-6)
    np.testing.assert_array_equal(parts[1], whole[1])


def test_batches_of_texts_are_of_like_lengths_and_bounded():
    rng = np.random.default_rng(0)
    lengths = [int(length) for length in rng.integers(1, 20_000, size=500)] + [10**6]
    batches = list(scoring._batches(lengths))
    assert sorted(i for batch in batches for i in batch) == list(range(501))
    for batch in batches:
        assert len(batch) <= 64
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 2**18
