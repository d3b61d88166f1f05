"""What was loaded, trained, exported and dropped is gone: none of its graphs is kept, and memory is given back."""

import ctypes
import gc
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops
from tensorflow.python.framework.func_graph import FuncGraph

from tfgen import Corpus, TextGenerator, Vocabulary, datasets, layers

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" * 2
MOST_MB = {"load": 0.5, "write": 2.5, "another batch size": 0.5, "fit": 4.5, "export": 6}


def built(cell="lstm"):
    generator = TextGenerator.build(Vocabulary.from_texts([LETTERS]), cell=cell, units=64, batch_size=8, seed=0)
    generator.compile("adam", "sparse_categorical_crossentropy")
    return generator


def batches(generator):
    text = "".join(np.random.default_rng(0).choice(list("ABCDEFGH"), 8 * 20 * 3 + 1))
    return datasets.streams(Corpus.from_text(text), generator.vocabulary, batch_size=8, length=20, validation=0)[0]


def works(folder):
    """Give what is done again and again, by name: each begins with a model and drops it."""
    generator = built()
    train = batches(generator)
    generator.fit(train, verbose=0)
    generator.save(folder / "a.keras")

    def export():
        shutil.rmtree(folder / "exported", ignore_errors=True)
        keras.saving.load_model(folder / "a.keras").export(folder / "exported")

    return {
        "load": lambda: keras.saving.load_model(folder / "a.keras"),
        "write": lambda: keras.saving.load_model(folder / "a.keras").generate("A", length=3),
        "another batch size": lambda: generator.with_batch_size(4),
        "fit": lambda: built().fit(train, verbose=0),
        "export": export,
    }


def graphs():
    gc.collect()
    return sum(isinstance(each, FuncGraph) for each in gc.get_objects())


@pytest.mark.slow
@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU])
def test_no_gradient_of_a_graph_is_registered_for_ever(kind):
    def train():
        layer = kind(3, one_hot=5, return_sequences=True)

        @tf.function(autograph=False)
        def gradients(ids):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(layer(ids, training=True))
            return tape.gradient(loss, [weight.value for weight in layer.trainable_weights])

        gradients(tf.ones([2, 4], tf.int32))

    train()
    before, registered = graphs(), len(ops.gradient_registry._registry)
    train()
    assert len(ops.gradient_registry._registry) == registered, "what is registered is held for ever"
    assert graphs() <= before


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_no_graph_of_a_model_that_was_trained_stays(cell):
    generator = built(cell)
    train = batches(generator)
    generator.fit(train, verbose=0)
    before, registered = graphs(), len(ops.gradient_registry._registry)
    generator = built(cell)
    generator.fit(train, verbose=0)
    del generator
    assert len(ops.gradient_registry._registry) == registered
    # Keras keeps a graph or two of the functions that it compiles last.
    assert graphs() <= before + 2


def held():
    """Bytes that this process holds, after what is free was given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    status = pathlib.Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) << 10


def growth(name, times):
    """Give how many bytes a call adds, after a few."""
    with tempfile.TemporaryDirectory() as folder:
        work = works(pathlib.Path(folder))[name]
        for _ in range(3):
            work()
        before = held()
        for _ in range(times):
            work()
        return (held() - before) / times


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="how memory is counted is Linux's")
@pytest.mark.parametrize("name", MOST_MB)
def test_memory_grows_little_with_each_model(name):
    # Plain Keras keeps 2 MB of a model that was trained.
    done = subprocess.run([sys.executable, __file__, name, "12"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) < MOST_MB[name] * 2**20


if __name__ == "__main__":
    print(json.dumps(growth(sys.argv[1], int(sys.argv[2]))))
