"""The draw: one uniform number a token, a function of seed, row and step alone."""

import tensorflow as tf

# One call of the random generator gives the draws of this many steps of one row.
_BLOCK = 256


def select(logits: tf.Tensor, uniforms: tf.Tensor) -> tf.Tensor:
    """Draw one token a row by inverting the cumulative distribution (Devroye 1986, chapter III.2).

    One uniform number decides one token, and a token of probability zero has no number that decides for it.

    Args:
        logits: (B, V); at least one is finite in each row.
        uniforms: float64 (B,), in [0, 1).

    Returns:
        Ids, int32 (B,).
    """
    cumulative = tf.cumsum(tf.nn.softmax(tf.cast(logits, tf.float64)), axis=-1)
    # Scaled by the sum as it was rounded, so that the last interval ends exactly at 1.
    thresholds = uniforms[:, tf.newaxis] * cumulative[:, -1:]
    return tf.reduce_sum(tf.cast(cumulative <= thresholds, tf.int32), axis=-1)


def draws(seeds: tf.Tensor, first: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Give the uniform numbers of `count` steps from step `first` on; each is a function of (row's seed, step) alone.

    Args:
        seeds: int64 (B, 2), see `tfgen.terms.seeds.row_seeds`.
        first: Scalar int32, the first step.
        count: Scalar int32.

    Returns:
        float64 (count, B), in [0, 1), from the Philox generator (Salmon et al. 2011).
    """
    first_block = first // _BLOCK
    blocks = (first + count - 1) // _BLOCK - first_block + 1
    numbers = tf.cast(first_block + tf.range(blocks), tf.int64)
    # The key of block n of a row is (its seed, its row * 2^32 + n).
    places = seeds[:, 1:] * 2**32 + numbers
    keys = tf.stack([tf.broadcast_to(seeds[:, :1], tf.shape(places)), places], axis=-1)

    def draw_block(key: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform([_BLOCK], seed=key, dtype=tf.float64, alg="philox")

    uniforms = tf.map_fn(draw_block, tf.reshape(keys, [-1, 2]), fn_output_signature=tf.TensorSpec([_BLOCK], tf.float64))
    rows = tf.reshape(uniforms, [tf.shape(seeds)[0], blocks * _BLOCK])
    start = first - first_block * _BLOCK
    return tf.transpose(rows[:, start : start + count])
