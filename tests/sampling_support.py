"""What the tests of sampling share: logits of many kinds, and what NumPy makes of them in float64."""

import numpy as np
import tensorflow as tf
from effort import examples
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfgen.sampling import chain as chains

NEVER = -np.inf

DTYPES = st.sampled_from([np.float16, np.float32, np.float64])
VALUES = st.one_of(
    st.floats(-30, 30, width=16),  # half-precision numbers are exact in each dtype
    st.sampled_from([NEVER, 0.0, 1.0, 1e4, -1e4]),
)
GRID = st.one_of(st.integers(-80, 80).map(lambda n: n / 8), st.just(NEVER))

some = examples(15)


def logits_of(values=VALUES, dtypes=DTYPES, rows=(1, 3), most=50):
    """Draw logits (B, V), at least one finite in each row."""

    @st.composite
    def draw(draw):
        shape = draw(st.tuples(st.integers(*rows), st.integers(1, most)))
        logits = draw(hnp.arrays(np.float64, shape, elements=values, fill=st.just(0.0) | st.just(NEVER)))
        logits[np.isneginf(logits).all(axis=1), draw(st.integers(0, shape[1] - 1))] = 0
        return logits.astype(draw(dtypes))

    return draw()


def apply(sampler, logits, history=None):
    """Apply a chain as the loop does, after texts (B, T)."""
    logits = tf.constant(logits)
    states = [()] * len(sampler) if history is None else chains.start(sampler, tf.constant(history), logits.shape[-1])
    return chains.apply(sampler, logits, tuple(states))[0].numpy()


def distribution(logits):
    """Give the softmax in float64."""
    return np.exp(log_distribution(logits))


def log_distribution(logits):
    """Give the logarithm of the softmax in float64."""
    logits = np.asarray(logits, np.float64)
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def support(logits):
    """Say which tokens can come."""
    return np.asarray(logits) > NEVER


def entropy(logits):
    """Give the entropy in nats."""
    p = distribution(logits)
    return -np.sum(p * np.log(np.where(p > 0, p, 1)), axis=-1)
