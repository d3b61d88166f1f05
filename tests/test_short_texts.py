"""What is short, or is text of TensorFlow and NumPy: taken, or refused with advice that works."""

import numpy as np
import pytest
import tensorflow as tf

from tfgen import InputError, TextGenerator, Vocabulary, training
from tfgen.corpora import Corpus


@pytest.mark.parametrize("size", [20, 33, 34, 40])
def test_a_line_trains_with_the_defaults(size):
    job = training.prepare(Corpus.from_text(("to be or not to be, that is the question")[:size]))
    assert len(list(job.train)) >= 1


def test_one_long_word_is_named_as_one_token():
    with pytest.raises(InputError, match=r"it has 1 token, .* characters rather than words"):
        training.prepare(Corpus.from_text("a" * 30_000), training.Settings(split="word"))


def test_strings_of_tensorflow_and_numpy_are_texts():
    generator = TextGenerator.build(Vocabulary.from_texts(["ab"]), units=2, seed=1)
    call = {"length": 5, "seed": 1}
    one, several = generator.generate("a", **call), generator.generate(["a", "b"], **call)
    assert generator.generate(tf.constant("a"), **call) == generator.generate(np.array("a"), **call) == one
    assert (
        generator.generate(tf.constant(["a", "b"]), **call)
        == generator.generate(np.array(["a", "b"]), **call)
        == several
    )
    assert generator.score(tf.constant("ab")).text == "ab"
    for text in (tf.constant("a"), np.array("a"), np.str_("a")):
        assert "".join(generator.stream(text, **call)) == one[1:]
        session = generator.start(text, seed=1)
        session.read(tf.constant("b"))
        assert session.text == "ab"
    assert generator.generate([tf.constant("a"), np.str_("a")], **call)[0] == one
    for verb in (generator.stream, generator.start):
        with pytest.raises(InputError, match=r"received.*\.$"):
            verb(tf.constant(["a", "b"]))
        with pytest.raises(InputError, match=r"received 'float32'\.$"):
            verb(tf.constant(1.0))
    with pytest.raises(InputError, match="texts are str, or strings of TensorFlow or NumPy; received 'int32'"):
        generator.generate(tf.constant(3))
