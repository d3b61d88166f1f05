"""Every kind of language model that there is, and fakes of kinds to come, small: what holds of one must hold of all.

The fakes are a model that attends to a context whose rows have different lengths, and one that sees a window of the
last tokens.
"""

import functools
import hashlib

import keras
import numpy as np
import tensorflow as tf

from tfgen import Vocabulary, networks
from tfgen.networks import kinds
from tfgen.networks.model import where
from tfgen.vocabulary import END, PADDING
from tfgen.writing import Writer

VOCABULARY = Vocabulary.from_texts(["abcde"], ends=True)
V = len(VOCABULARY)


def table(*shape, seed=0):
    return np.random.default_rng(seed).normal(scale=1.5, size=shape)


class Fake:
    """What fakes share: logits are the features themselves, and reading is stepping."""

    size, dtype, supports_jit, context = V, tf.float32, True, ()

    def logits(self, features):
        return features

    def read(self, ids, lengths, state, context):
        lengths = tf.fill(tf.shape(ids)[:1], tf.shape(ids)[1]) if lengths is None else lengths

        def one(t, state, features):
            logits, after = self.step(ids[:, t], state, context)
            state = tf.nest.map_structure(lambda new, old: where(t < lengths, new, old), after, state)
            return t + 1, state, features.write(t, logits)

        steps = tf.shape(ids)[1]
        features = tf.TensorArray(self.dtype, steps, element_shape=[None, V])
        _, state, features = tf.while_loop(lambda t, *_: t < steps, one, (0, state, features))
        return tf.transpose(features.stack(), [1, 0, 2]), state

    def fingerprint(self, salt=b""):
        return hashlib.sha256(salt + type(self).__name__.encode()).hexdigest()


class Attending(Fake):
    """Looks at those places of a memory (B, S, 3) that its mask (B, S) shows."""

    context = (tf.TensorSpec([None, None, 3], tf.float32), tf.TensorSpec([None, None], tf.bool))

    def start(self, context, rows):
        memory, mask = context
        return [tf.reduce_sum(tf.where(mask[..., tf.newaxis], memory, 0.0), axis=1)]

    def step(self, ids, state, context):
        memory, mask = context
        query = tf.tanh(state[0] + tf.gather(tf.constant(table(V, 3), tf.float32), ids))
        weights = tf.nn.softmax(tf.where(mask, tf.einsum("bd,bsd->bs", query, memory), -np.inf))
        read = tf.einsum("bs,bsd->bd", weights, memory)
        return tf.tanh(query + read) @ tf.constant(3 * table(3, V, seed=1), tf.float32), [query]


class Windowed(Fake):
    """Adds up what each of the last four tokens says at its place; the state is a window, and where it stands."""

    def start(self, context, rows):
        return {"window": tf.fill([rows, 4], PADDING), "place": tf.zeros([rows], tf.int32)}

    def step(self, ids, state, context):
        here = tf.one_hot(state["place"] % 4, 4, on_value=True, off_value=False)
        window = tf.where(here, ids[:, tf.newaxis], state["window"])
        ages = (state["place"][:, tf.newaxis] - tf.range(4)) % 4
        says = tf.gather_nd(tf.constant(table(V, 4, V), tf.float32), tf.stack([window, ages], axis=-1))
        seen = tf.cast(window != PADDING, tf.float32)[..., tf.newaxis]
        return tf.reduce_sum(says * seen, axis=1), {"window": window, "place": state["place"] + 1}


@keras.saving.register_keras_serializable(package="tests")
class Doubling(keras.layers.Layer):
    """A layer of a user's own that remembers: it adds half of what it gave before."""

    def call(self, inputs):
        return self.read(inputs, self.first_state(tf.shape(inputs)[0]))[0]

    def first_state(self, rows):
        return [tf.zeros([rows, 6])]

    def step(self, inputs, state):
        given = inputs + 0.5 * state[0]
        return given, [given]

    def read(self, inputs, state, mask=None):
        mask = tf.ones(tf.shape(inputs)[:2], tf.bool) if mask is None else mask

        def one(state, now):
            return tf.where(now[1][:, tf.newaxis], now[0] + 0.5 * state, state)

        turned = tf.transpose(inputs, [1, 0, 2]), tf.transpose(mask)
        states = tf.transpose(tf.scan(one, turned, state[0]), [1, 0, 2])
        return states, [states[:, -1]]


def _network(*layers, **build):
    if not layers:
        network = networks.build(V, seed=1, **build)
    else:
        head = keras.layers.Dense(V, activation="softmax")
        network = keras.Sequential([keras.Input((None,), dtype="int32"), *layers, head])
    return networks.Recurrent(_shaken(network))


def _in_float64():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        return _network(keras.layers.Embedding(V, 5), keras.layers.Dense(5, "tanh"))
    finally:
        keras.config.set_dtype_policy(before)


def _shaken(network):
    """Weights far from the first ones, so that what is written depends on all that was read."""
    rng = np.random.default_rng(1)
    network.set_weights([rng.normal(scale=0.7, size=weight.shape) for weight in network.get_weights()])
    return network


def _texts(cell="rnn"):
    return networks.text_encoder(VOCABULARY, cell=cell, units=3, embedding=3, seed=1)


def pairs_of_characters():
    """A reader of one's own: whether a pair of characters is there; padding is none."""
    ids = keras.Input((None,), dtype="int32")
    there = keras.ops.expand_dims(keras.ops.cast(keras.ops.not_equal(ids, 0), "float32"), -1)
    x = keras.layers.Embedding(V, 3)(ids) * there
    x = keras.layers.Conv1D(5, 2, padding="same", activation="relu")(x) * there
    return networks.TextReader(VOCABULARY, keras.Model(ids, keras.layers.GlobalMaxPooling1D()(x)))


def _pictures(places=False):
    layers = [keras.layers.Conv2D(3, 2, activation="tanh")]
    layers.append(keras.layers.Reshape((12, 3)) if places else keras.layers.Flatten())
    return keras.Sequential([keras.Input((4, 5, 1)), *layers])


def _two_inputs():
    one, other = keras.Input((2,), name="one"), keras.Input((3,), name="other")
    return keras.Model({"one": one, "other": other}, keras.layers.Concatenate()([one, other]))


def _conditioned(encoder, attention=False, **build):
    decoder = networks.build(V, **{"units": 5, **build})
    return networks.Conditioned(_shaken(networks.EncoderDecoder(encoder, decoder, attention=attention)))


def _counts(order=4):
    ids = np.random.default_rng(3).choice(V - END, p=[0.05, 0.4, 0.25, 0.15, 0.1, 0.05], size=300) + END
    return networks.Counts(networks.ngram(ids, VOCABULARY, order=order))


def _mixture():
    members = [_network(cell="rnn", units=4).network, _counts(order=3).network]
    mixture = networks.Mixture(members)
    mixture.shares.assign([0.7, 0.3])
    return kinds.language_model(mixture)


MODELS = {
    "lstm": functools.partial(_network, units=6),
    "gru": functools.partial(_network, cell="gru", units=5, layers=2, embedding=3, batch_size=2),
    "rnn": functools.partial(_network, cell="rnn", units=6),
    "layers of Keras": lambda: _network(
        keras.layers.Embedding(V, 4),
        keras.layers.LSTM(5, return_sequences=True),
        keras.layers.LayerNormalization(),
        keras.layers.Dropout(0.5),
        keras.layers.GRU(4, return_sequences=True),
    ),
    "a layer of one's own": lambda: _network(keras.layers.Embedding(V, 6), Doubling()),
    "transformer": lambda: _network(cell="transformer", units=6, layers=2, heads=2, window=4),
    "no recurrence, float64": _in_float64,
    "from a text, with attention": lambda: _conditioned(_texts(), attention=True),
    "from a text, without attention": lambda: _conditioned(_texts(cell="gru"), cell="gru"),
    "from a text, by one's own reader": lambda: _conditioned(pairs_of_characters(), cell="rnn"),
    "from a picture": lambda: _conditioned(_pictures(), cell="rnn", layers=2),
    "from a picture, with attention": lambda: _conditioned(_pictures(places=True), cell="rnn", attention=True),
    "transformer from a text": lambda: _conditioned(_texts(), True, cell="transformer", units=4, heads=2, window=6),
    "from two inputs": lambda: _conditioned(_two_inputs(), cell="rnn"),
    "counts": _counts,
    "counts of single tokens": functools.partial(_counts, order=1),
    "mixture": _mixture,
    "attending": Attending,
    "windowed": Windowed,
}


@functools.cache
def model_of(name):
    return MODELS[name]()


@functools.cache
def writer_of(name):
    return Writer(VOCABULARY, model_of(name))


def source_of(model, rows, seed=0):
    """Sources of so many rows, of different lengths, for a model that takes them; a context for one that does not."""
    rng = np.random.default_rng(seed)
    if model.context == ():
        return None
    if not hasattr(model, "encode"):
        lengths = rng.integers(1, 6, size=rows)
        return rng.normal(size=(rows, 5, 3)).astype(np.float32), np.arange(5) < lengths[:, np.newaxis]
    if model.source_ids:
        return ["".join(rng.choice(list("abcde"), size=rng.integers(0, 6))) for _ in range(rows)]
    return tf.nest.map_structure(lambda s: rng.normal(size=(rows, *s.shape[1:])).astype(np.float32), model.source)


def context_of(model, rows, seed=0):
    """What a model reads of such sources."""
    source = source_of(model, rows, seed)
    if not hasattr(model, "encode"):
        return () if source is None else source
    return model.encode(model.source_ids(source) if model.source_ids else source)


def row_of(context, row):
    return tf.nest.map_structure(lambda value: value[row : row + 1], context)


def source_row(source, row):
    """One of the sources, alone; a context of one's own stays a batch of one."""
    if source is None or isinstance(source, list):
        return source and source[row]
    return tf.nest.map_structure(
        lambda value: value[row : row + 1] if isinstance(source, tuple) else value[row], source
    )


def one_source(model):
    return source_row(source_of(model, 1), 0)


def repeated(source, times):
    """Each of the sources several times."""
    if source is None or isinstance(source, list):
        return source and [each for each in source for _ in range(times)]
    return tf.nest.map_structure(lambda value: np.repeat(value, times, axis=0), source)
