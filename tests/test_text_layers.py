"""The layers in the graph do what the vocabulary does in NumPy, for all of Unicode, saved and loaded."""

import random
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from tfgen.errors import InputError
from tfgen.vocabulary import keras_layers, splitting
from tfgen.vocabulary.vocabulary import RESERVED, UNKNOWN, Split, Vocabulary

# Characters of every class, and all that end a line somewhere.
TRICKY = (
    " \n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\t\u00a0\x03\x7f"
    "ab9_é'’\",[]\\漢かไक\u0301\u093f\ufe0f\u200c\u200d👩🏽🇫\ufffd\ufeff"
)
CHARACTERS = st.one_of(st.sampled_from(TRICKY), st.characters(exclude_categories=["Cs"]))
BATCHES = st.lists(st.text(CHARACTERS), min_size=1, max_size=20)
EVERY_CHARACTER = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
AWKWARD = [character for character in TRICKY if character not in RESERVED]

few = examples(20)  # each example is a batch, and makes a Keras layer


def decoded(strings: Any) -> Any:
    return [token.decode() if isinstance(token, bytes) else decoded(token) for token in strings]


@given(BATCHES)
@few
def test_words_in_the_graph_are_the_words_in_numpy(batch: list[str]) -> None:
    assert decoded(keras_layers.split_words(tf.constant(batch)).to_list()) == [
        list(splitting.words(text)) for text in batch
    ]


@pytest.mark.slow
def test_words_of_all_characters() -> None:
    shuffled = random.Random(0).sample(EVERY_CHARACTER, 200_000)
    shuffled[::3] = random.Random(1).choices(TRICKY, k=len(shuffled[::3]))
    batch = ["".join(EVERY_CHARACTER), "".join(shuffled)]
    assert decoded(keras_layers.split_words(tf.constant(batch)).to_list()) == [
        list(splitting.words(text)) for text in batch
    ]


def test_words_of_one_text_of_none_and_of_empty_ones() -> None:
    assert decoded(keras_layers.split_words(tf.constant("Hello, you")).numpy()) == ["Hello", ",", " you"]
    assert keras_layers.split_words(tf.constant([], tf.string)).to_list() == []
    assert keras_layers.split_words(tf.constant(["", "a", ""])).to_list() == [[], [b"a"], []]
    assert keras_layers.split_words(tf.constant("")).shape == (0,)


@given(BATCHES, BATCHES, st.sampled_from(["character", "word"]))
@few
def test_text_vectorization_encodes_alike(known: list[str], batch: list[str], split: Split) -> None:
    known = [text.replace("\0", "").replace("\x03", "") for text in known]
    vocabulary = Vocabulary.from_texts([*known, "a"], split=split)
    batch = batch + known
    ids = vocabulary.text_vectorization(ragged=True)(tf.constant(batch))
    padded = vocabulary.text_vectorization()
    assert ids.to_list() == [vocabulary.encode(text, unknown="unknown").tolist() for text in batch]
    np.testing.assert_array_equal(padded(tf.constant(batch)), ids.to_tensor(0))
    np.testing.assert_array_equal(padded(tf.constant(batch[0])), vocabulary.encode(batch[0], unknown="unknown"))


def test_text_vectorization_encodes_all_characters_alike() -> None:
    vocabulary = Vocabulary([c for c in EVERY_CHARACTER[1::40] if c not in RESERVED] + ["\ufeff", "\ufffe", "\uffff"])
    text = "".join(EVERY_CHARACTER)
    expected = vocabulary.encode(text, unknown="unknown")
    assert set(range(2, len(vocabulary))) <= set(expected.tolist())
    np.testing.assert_array_equal(vocabulary.text_vectorization()(tf.constant(text)), expected)


@pytest.mark.parametrize("split", ["character", "word"])
def test_nul_in_a_text_is_unknown_and_does_not_end_it(split: Split) -> None:
    vocabulary = Vocabulary(["a", "b"], split=split)
    expected = [3, UNKNOWN, 4, UNKNOWN]
    assert vocabulary.encode("a\0b\0", unknown="unknown").tolist() == expected
    for texts in (["a\0b\0"], np.array(["a\0b\0"], object), tf.constant(["a\0b\0"])):
        assert vocabulary.text_vectorization()(texts).numpy().tolist() == [expected]


def test_nul_at_the_end_is_lost_before_the_layer_by_numpy_strings() -> None:
    # NumPy's own "U" strings drop trailing NULs, so arrays of texts must be of type object.
    assert Vocabulary(["a"]).text_vectorization()(np.array(["a\0"])).numpy().tolist() == [[3]]


@pytest.mark.slow
def test_lengths_names_and_tf_data() -> None:
    layer = Vocabulary(["a", " b"], split="word").text_vectorization(output_sequence_length=3, name="words")
    assert layer.name == "words"
    data = tf.data.Dataset.from_tensor_slices(["a b a b", "a"])
    rows = [[3, 4, 1], [3, 0, 0]]  # " a" is another word than "a"
    assert [row.tolist() for row in data.map(layer).as_numpy_iterator()] == rows
    assert [row.tolist() for row in data.batch(2).map(layer).as_numpy_iterator()] == [rows]


@given(BATCHES, st.sampled_from(["character", "word"]), st.data())
@few
def test_text_from_ids_decodes_alike(known: list[str], split: Split, data: st.DataObject) -> None:
    known = [text.replace("\0", "").replace("\x03", "") for text in known]
    vocabulary = Vocabulary.from_texts([*known, "a"], split=split)
    shape = data.draw(st.tuples(st.integers(1, 5), st.integers(0, 30)))
    flat = data.draw(st.lists(st.integers(0, len(vocabulary) - 1), min_size=shape[0] * shape[1], max_size=150))
    ids = np.resize(np.array(flat, np.int64), shape) if flat else np.zeros(shape, np.int64)
    layer = vocabulary.text_from_ids()
    assert decoded(layer(ids).numpy()) == [vocabulary.decode(row) for row in ids]
    assert layer(ids[0].astype(np.int32)).numpy().decode() == vocabulary.decode(ids[0])


def test_text_from_ids_refuses_what_it_cannot_use() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="5"):
        keras_layers.TextFromIds(["", "a"])(tf.constant([5]))
    for texts in ([], "abc", ["a", 1], None, {"a": "b"}):
        with pytest.raises(InputError, match="texts must be a list"):
            keras_layers.TextFromIds(texts)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"])
def test_text_from_ids_takes_every_type_of_integers_that_encode_gives(kind: str) -> None:
    vocabulary = Vocabulary(AWKWARD)
    ids = vocabulary.encode("".join(AWKWARD), dtype=kind)
    assert vocabulary.text_from_ids()(ids).numpy().decode() == "".join(AWKWARD)


def test_text_from_ids_survives_its_config_and_symbolic_use() -> None:
    layer = Vocabulary(AWKWARD).text_from_ids(name="text")
    again = keras_layers.TextFromIds.from_config(layer.get_config())
    assert (again.name, again.texts) == ("text", layer.texts)
    ids = keras.Input((None,), dtype="int32")
    assert (layer(ids).shape, layer(ids).dtype) == ((None,), "string")


def awkward_vocabulary(split: Split) -> Vocabulary:
    words = [f" {character}" for character in AWKWARD if not character.isspace()] if split == "word" else []
    return Vocabulary(AWKWARD + words, split=split)


@pytest.mark.parametrize("split", ["character", "word"])
def test_an_awkward_vocabulary_survives_saving(split: Split, tmp_path: Path) -> None:
    vocabulary = awkward_vocabulary(split)
    layers = [keras.Input((), dtype="string"), vocabulary.text_vectorization(), vocabulary.text_from_ids()]
    model = keras.Sequential(layers)
    texts = tf.constant(["".join(AWKWARD), "漢 x\0\n", ""])
    expected = [vocabulary.decode(vocabulary.encode(text.decode(), "unknown")) for text in texts.numpy()]

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    model.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported")).serve(texts)

    assert loaded.layers[0].get_vocabulary() == list(vocabulary.tokens)
    assert decoded(loaded(texts).numpy()) == expected
    assert decoded(served.numpy()) == expected


@pytest.mark.parametrize(("text", "loads"), [("ab\n\n\n", False), ("aaabb\n", True)])
def test_why_adapt_is_never_used(text: str, loads: bool, tmp_path: Path) -> None:
    """Keras 3.15 writes an adapted vocabulary one token a line, and cannot read a newline back.

    The day this test fails, Keras has mended it.
    """
    layer = keras.layers.TextVectorization(split="character", standardize=None)
    layer.adapt([text])
    model = keras.Sequential([keras.Input((), dtype="string"), layer])
    model.save(tmp_path / "adapted.keras")
    if loads:  # worse: the newline, being last, is lost without a word
        loaded = keras.saving.load_model(tmp_path / "adapted.keras")
        assert len(loaded.layers[0].get_vocabulary()) == len(layer.get_vocabulary()) - 1
    else:
        with pytest.raises(ValueError, match="repeated term"):
            keras.saving.load_model(tmp_path / "adapted.keras")
