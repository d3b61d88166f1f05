"""Texts that join and leave a batch while it is written are those that are written alone."""

import numpy as np
import pytest
from models import MODELS, model_of, source_of, source_row, writer_of

from tfgen import InputError, TextGenerator, Vocabulary, sampling
from tfgen.writing import Piece

PROMPTS = ["abc", "", "edcbabcde" * 3, "a", "", "bb" * 9]
SETTINGS = {"temperature": 0.9, "repetition_penalty": 1.2}


def written(batch, joining, rng=None, steps=7):
    """The texts of some rows, which join one after another; and why each ends."""
    texts, reasons, waiting = dict.fromkeys(joining, ""), {}, list(joining)
    while waiting or len(batch):
        if waiting and (rng is None or rng.random() < 0.5):
            batch.add([waiting.pop(0)])
        if batch.reads:
            batch.read(5)
        for row, piece in batch.write(steps if rng is None else int(rng.integers(1, steps))):
            assert isinstance(piece, Piece), piece
            texts[row] += piece.text
            if piece.reason:
                reasons[row] = piece.reason
    return [texts[row] for row in joining], [reasons[row] for row in joining]


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=() if each == "rnn" else pytest.mark.slow) for each in MODELS]
)
def test_a_row_that_joins_is_what_it_is_alone(name):
    model, writer = model_of(name), writer_of(name)
    sources = source_of(model, len(PROMPTS))
    if isinstance(sources, list):
        sources = ["abcd"[::-1]] * len(PROMPTS)  # of one shape
    rows, alone = [], []
    for i, prompt in enumerate(PROMPTS):
        call = {"length": 9 + 3 * i, "seed": 10 + i, "source": source_row(sources, i)}
        rows += writer.rows(prompt, **call)
        alone.append(writer.generate(prompt, echo=False, **call, **SETTINGS))
    assert written(writer.batch(**SETTINGS), rows, np.random.default_rng(0))[0] == alone


@pytest.fixture(name="generator", scope="module")
def generator_fixture():
    generator = TextGenerator.build(Vocabulary.from_texts(["abcde"]), cell="rnn", units=6, seed=1)
    generator.network.set_weights([4 * weight for weight in generator.network.get_weights()])
    return generator


def test_copies_stops_and_numbers_are_those_of_generate(generator):
    call = {"n": 3, "length": 400, "stop": ["abe", "dd"], "seed": 3}
    given = generator.generate(["ab", "c"], echo=False, return_scores=True, alternatives=2, **call)
    rows, batch = generator.writer.rows(["ab", "c"], **call), generator.writer.batch(alternatives=2)
    batch.add(rows)
    pieces = {row: [] for row in rows}
    while len(batch):
        batch.read(100)
        for row, piece in batch.write(32):
            pieces[row].append(piece)
    for row, scored in zip(rows, [each for group in given for each in group], strict=True):
        tokens = [token for piece in pieces[row] for token in piece.tokens]
        assert "".join(piece.text for piece in pieces[row]) == scored.text
        assert pieces[row][-1].reason == scored.finish_reason
        assert tuple(token.text for token in tokens) == scored.tokens[: len(tokens)]
        for token, others in zip(tokens, scored.alternatives, strict=False):
            assert dict(token.alternatives) == pytest.approx(dict(others))
        np.testing.assert_allclose([each.log_probability for each in tokens], scored.log_probabilities[: len(tokens)])
    assert {pieces[row][-1].reason for row in rows} == {"stop"}


@pytest.mark.slow
def test_who_leaves_changes_nothing_for_those_who_stay(generator):
    rows = generator.writer.rows(["ab", "c", "d" * 40, ""], length=60, seed=4)
    batch = generator.writer.batch(temperature=0.7)
    batch.add(rows)
    batch.read(8)
    texts = [piece.text for row, piece in batch.write(4) if row is rows[1]]
    batch.drop([rows[0], rows[2]])
    assert len(batch) == 2
    while len(batch):
        texts += [piece.text for row, piece in batch.write(9) if row is rows[1]]
    batch.drop(rows)
    assert "".join(texts) == generator.generate(["ab", "c"], length=60, seed=4, temperature=0.7, echo=False)[1]


@pytest.mark.slow
def test_a_row_that_can_begin_with_nothing_ends_alone(generator):
    chain = [sampling.Pattern("[ab]{3}|c"), sampling.Forbid(strings=["xx"])]
    batch = generator.writer.batch(sampler=chain)
    rows = generator.writer.rows(["", "ab"], length=20, seed=1)
    texts, reasons = written(batch, rows)
    assert reasons == ["end", "end"]
    assert texts == generator.generate(["", "ab"], length=20, seed=1, sampler=chain, echo=False)


def test_what_is_no_row_is_refused(generator):
    batch = generator.writer.batch()
    for wrong in (3, ["row"], None):
        with pytest.raises(InputError, match=r"Writer\.rows"):
            batch.add(wrong)
    with pytest.raises(InputError, match="length"):
        batch.write(0)


@pytest.mark.slow
def test_contexts_of_two_shapes_do_not_share_a_batch():
    writer = writer_of("from a text, with attention")
    batch = writer.batch()
    batch.add(writer.rows("", source="ab"))
    with pytest.raises(InputError, match="shape"):
        batch.add(writer.rows("", source="abcd"))
