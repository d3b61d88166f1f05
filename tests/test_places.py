"""Where text cannot be written, one line says so: in forks and in graphs."""

import os
import signal

import numpy as np
import pytest
import tensorflow as tf

from tfgen import InputError, TextGenerator, Vocabulary

ONES = np.ones([1, 3], np.int32)
TEXT = "the quick brown fox jumps over the lazy dog. "


@pytest.fixture(scope="module")
def generator():
    generator = TextGenerator.build(Vocabulary.from_texts([TEXT]), units=4, seed=1)
    generator.compile("sgd", "sparse_categorical_crossentropy")
    return generator


@pytest.fixture(scope="module")
def session(generator):
    return generator.start("the ", seed=1)


VERBS = {
    "generate": lambda generator, session: generator.generate("the ", length=1),
    "search": lambda generator, session: generator.generate("the ", length=1, num_beams=2),
    "stream": lambda generator, session: list(generator.stream("the ", length=1)),
    "score": lambda generator, session: generator.score("the "),
    "start": lambda generator, session: generator.start("the "),
    "resume": lambda generator, session: generator.resume("nothing"),
    "a session": lambda generator, session: session.generate(1),
    "a session's stream": lambda generator, session: list(session.stream(1)),
    "a fork of a session": lambda generator, session: session.fork(seed=2).generate(1),
}
MODELS = {
    "fit": lambda generator, session: generator.fit(ONES, ONES),
    "evaluate": lambda generator, session: generator.evaluate(ONES, ONES),
    "predict": lambda generator, session: generator.predict(ONES),
    "another model": lambda generator, session: TextGenerator.build(generator.vocabulary, units=2),
}


def said(attempt, *arguments):
    try:
        attempt(*arguments)
    except InputError as error:
        return str(error)
    except BaseException as error:
        return repr(error)
    return "nothing"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_is_refused_whatever_it_asks_for(generator, session):
    """One child asks for everything; if it waited, the alarm would end it."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(60)
        lines = [f"{name}: {said(verb, generator, session)}" for name, verb in (VERBS | MODELS).items()]
        os.write(writing, "\n".join(lines).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        lines = pipe.read().splitlines()
    assert os.waitpid(child, 0)[1] == 0
    assert [line.split(": ")[0] for line in lines] == [*VERBS, *MODELS]
    assert all("this process was forked after TensorFlow had computed" in line for line in lines), lines
    assert all("get_context('spawn')" in line for line in lines)
    assert generator.generate("the ", length=3, seed=1) == generator.generate("the ", length=3, seed=1)


def in_a_function(attempt):
    tf.function(attempt, autograph=False)()


def in_a_graph(attempt):
    with tf.Graph().as_default():
        attempt()


def in_a_converted_function(attempt):
    @tf.function  # AutoGraph would wrap an error of ours in a page about the trace
    def traced():
        return attempt()

    traced()


@pytest.mark.parametrize("place", [in_a_function, in_a_converted_function, in_a_graph])
@pytest.mark.parametrize("verb", VERBS)
def test_a_graph_is_no_place_to_write(generator, session, place, verb):
    with pytest.raises(InputError, match=r"^text cannot be written or scored inside of a tf.function or a tf.Graph"):
        place(lambda: VERBS[verb](generator, session))
