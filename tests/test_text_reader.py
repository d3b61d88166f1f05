"""A network of the user's own that reads texts: strings go in, padding is not read, all is saved."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from cli_support import here_fixture  # noqa: F401

from tests.models import VOCABULARY, V, pairs_of_characters
from tfgen import InputError, TextGenerator, Vocabulary, datasets, networks

TEXTS = ["abcde", "e", "", "ddab"]


def ids():
    return keras.Input((None,), dtype="int32")


def test_it_reads_strings_and_ids_alike_and_a_text_alone_as_among_longer_ones():
    reader = pairs_of_characters()
    together = reader(reader.ids(TEXTS))
    np.testing.assert_allclose(reader(tf.constant(TEXTS)), together, atol=1e-6)
    for text, row in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(reader([text])[0], row, atol=1e-6)


@pytest.mark.slow
def test_a_sequence_with_its_mask_is_attended_to():
    x = ids()
    sequence = keras.Model(x, keras.layers.Embedding(V, 4, mask_zero=True)(x))
    reader = networks.TextReader(VOCABULARY, sequence)
    generator = TextGenerator.build(VOCABULARY, cell="rnn", units=4, encoder=reader, attention=True, seed=1)
    alone, among = (generator.generate(source=s, temperature=0, length=4, return_scores=True) for s in (["a"], TEXTS))
    assert alone[0].attention.shape[-1] == 2
    assert among[1].attention.shape[-1] == 2  # the letter and the end, not the padding
    assert generator.score("ab", source="e").bits == pytest.approx(generator.score(["ab"] * 4, source=TEXTS)[1].bits)


@pytest.mark.slow
def test_what_it_learned_is_in_the_file_and_the_command_line_gives_it_texts(tmp_path, here):
    generator = TextGenerator.build(VOCABULARY, cell="rnn", units=5, encoder=pairs_of_characters(), seed=1)
    generator.compile("adam", "sparse_categorical_crossentropy")
    train, _ = datasets.pairs(TEXTS, TEXTS, VOCABULARY, source_vocabulary=VOCABULARY, validation=0, batch_size=2)
    before = generator.network.encoder.get_weights()
    generator.fit(train, verbose=0)
    assert all((a != b).any() for a, b in zip(before, generator.network.encoder.get_weights(), strict=True))
    generator.save(tmp_path / "reader.keras")
    again = keras.saving.load_model(tmp_path / "reader.keras")
    written = generator.generate(source=TEXTS, temperature=0, length=5)
    assert again.generate(source=TEXTS, temperature=0, length=5) == written
    options = ["--source", TEXTS[0], "--temperature", 0, "--length", 5]
    assert here("generate", "reader.keras", *options)[:2] == (0, written[0] + "\n")


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (lambda: 3, "must be a Keras model that knows its input.*received 3"),
        (lambda: keras.Sequential([keras.layers.Dense(3)]), "must be a Keras model that knows its input"),
        (lambda: keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]), r"must read ids.*float32"),
        (lambda: keras.Sequential([keras.Input((7,), dtype="int32"), keras.layers.Embedding(V, 3)]), "any length"),
        (lambda: keras.Model([one := ids(), other := ids()], keras.ops.add(one, other)), "must read ids.*int32.* and "),
        (lambda: keras.Model(x := ids(), [x, x]), "one vector a text, or a sequence; received one with 2 outputs"),
    ],
)
def test_other_networks_are_refused(network, says):
    with pytest.raises(InputError, match=re.compile(says)):
        networks.TextReader(VOCABULARY, network())


def test_it_needs_a_vocabulary():
    with pytest.raises(InputError, match=r"must be a tfgen\.Vocabulary"):
        networks.TextReader("abc", keras.Model(x := ids(), keras.layers.Embedding(V, 3)(x)))


def test_it_does_not_grow():
    generator = TextGenerator.build(VOCABULARY, cell="rnn", units=2, encoder=pairs_of_characters())
    more = VOCABULARY.extended(Vocabulary.from_texts(["z"]))
    assert generator.with_vocabulary(more).network.encoder.vocabulary == VOCABULARY
    with pytest.raises(InputError, match=r"only an encoder of networks\.text_encoder grows"):
        generator.with_vocabulary(more, of_sources=more)
