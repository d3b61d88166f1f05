"""Texts of any length: read in pieces, written in pieces, and nothing held that was not asked for."""

import gc
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from alphabet import Alphabet
from memory_support import forget_peak, peak

from tfgen import TextGenerator, Vocabulary
from tfgen.sampling import DRY, Temperature
from tfgen.support import interrupts
from tfgen.writing import Writer, like_lengths, scoring
from tfgen.writing import compiled as compiled_
from tfgen.writing import writer as writer_

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


@pytest.mark.slow
def test_64_texts_of_10_000_words_are_scored_in_little_memory():
    words = Vocabulary([f" w{i}" for i in range(10_000)], split="word")
    generator = TextGenerator.build(words, cell="rnn", units=16, seed=1)
    text = "".join(words.tokens[1_003:1_203])
    generator.score([text[:60]] * 2)
    before = forget_peak()
    scores = generator.score([text] * 64)
    # All distributions at once would be 1 GB in float64, and there are some of them.
    assert peak() - before < 300 << 20
    for score in scores:  # of batches of several sizes
        np.testing.assert_allclose(score.log_probabilities, scores[0].log_probabilities, atol=1e-5)


@pytest.mark.slow
def test_a_long_prompt_among_short_ones_is_not_a_batch_of_long_ones(generator):
    prompts = ["ab" * 50_000, *["ab"] * 200]
    generator.generate(["a", "ab"], length=1)
    before = forget_peak()
    generator.generate(prompts, length=1)
    # A batch of all of them would be 80 MB of ids, twice.
    assert peak() - before < 40 << 20


def test_prompts_of_unlike_lengths_are_read_apart_and_written_together(monkeypatch):
    monkeypatch.setattr(like_lengths, "_TOKENS", 9)
    writer = Writer(LETTERS, Alphabet())
    prompts = ["abcdefg", "x", "", "ab", "pqrstu", "k"]
    expected = [writer.generate(prompt, length=3, temperature=0) for prompt in prompts]
    assert writer.generate(prompts, length=3, temperature=0) == expected
    assert writer.generate(prompts, length=3, temperature=0, n=2) == [[text] * 2 for text in expected]
    assert writer.generate(prompts, length=3, num_beams=2) == expected


@pytest.mark.slow
@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_texts_do_not_depend_on_how_many_are_written_at_once(generator, monkeypatch, most):
    requests = [
        {"prompt": ["a", "bb", "", "ab"], "n": 2, "seed": 1},
        {"prompt": "ab", "n": 5, "seed": [4, 3, 2, 1, 0]},
        {"prompt": ["a", "b", "ab"], "seed": 1, "sampler": [DRY(allowed_length=1), Temperature(2.0)]},
        {"prompt": ["a", "b", "ab"], "num_beams": 2, "n": 2},
        {"prompt": ["a", "b", "ab"], "n": 2, "max_time": 60.0, "seed": 2},
    ]
    whole = [generator.generate(length=9, **request) for request in requests]
    monkeypatch.setattr(writer_, "_ROWS", most)
    assert [generator.generate(length=9, **request) for request in requests] == whole


@pytest.mark.parametrize("width", [1, 3])
def test_a_search_does_not_depend_on_the_size_of_pieces(generator, monkeypatch, width):
    def found():
        return generator.generate(["a", "ba"], length=13, num_beams=4, n=width, min_length=5, length_penalty=0.7)

    whole = found()
    monkeypatch.setattr(compiled_, "_SEARCHED", 5)
    assert found() == whole


STOPPED = {
    "a search": lambda writer: writer.generate("a", length=10**8, num_beams=3),
    "a prompt": lambda writer: writer.generate("abc" * 10**5, length=1),
    "a score": lambda writer: writer.score("abc" * 10**5),
    "many texts": lambda writer: writer.generate("a", n=10**5, length=1),
}


@pytest.mark.parametrize("work", STOPPED)
def test_long_work_obeys_signals_before_its_end(work, monkeypatch):
    checks = iter([None, None, interrupts.Stopped(2)])

    def check():
        if error := next(checks):
            raise error

    monkeypatch.setattr(interrupts, "check", check)
    before = forget_peak()
    with pytest.raises(interrupts.Stopped):
        STOPPED[work](Writer(LETTERS, Alphabet()))
    assert peak() - before < 100 << 20, "nothing is taken up front"


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
    found = list(like_lengths.in_batches(lengths))
    assert sorted(i for batch in found for i in batch) == list(range(501))
    for batch in found:
        assert len(batch) <= 64
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 2**18
