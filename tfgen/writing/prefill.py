"""Texts read by a model, in pieces: memory does not grow with their length.

Axis letters: B batch, T time, V vocabulary.
"""

from typing import Any

import tensorflow as tf

from tfgen.networks.model import LanguageModel, where

# Tokens that are read at once, of all rows together: enough to keep the products busy, some 20 MB of a usual network.
_PIECE = 4096
_SHORTEST = 16


def prefill(
    model: LanguageModel,
    ids: tf.Tensor,
    lengths: tf.Tensor | None,
    context: Any,
    begun: tuple[tf.Tensor, Any] | None = None,
) -> tuple[tf.Tensor, Any]:
    """Read a batch of texts, in the graph.

    Args:
        model: What reads.
        ids: Int (B, T), padded on the right; T is at least 1.
        lengths: Int (B,), how many ids of each row are real, at least 1 where they begin; None: all are.
        context: Of the rows.
        begun: What was given for the part that was read before; None where they begin.

    Returns:
        Logits (B, V) of the token after each row's last one, and the model's state there.
    """
    rows, total = tf.shape(ids)[0], tf.shape(ids)[1]
    width = width_of(rows)
    if begun is None:
        begun = tf.zeros([rows, model.size], model.dtype), model.start(context, rows)
    before, start = begun

    def read_piece(begin: tf.Tensor, state: Any, logits: tf.Tensor) -> tuple[tf.Tensor, Any, tf.Tensor]:
        piece = ids[:, begin : begin + width]
        if lengths is None:
            features, after = model.read(piece, None, state, context)
            logits = model.logits(tf.nest.map_structure(lambda each: each[:, -1], features))
        else:
            inside = tf.clip_by_value(lengths - begin, 0, tf.shape(piece)[1])
            features, after = model.read(piece, inside, state, context)
            last = tf.maximum(inside - 1, 0)
            ends = tf.nest.map_structure(lambda each: tf.gather(each, last, axis=1, batch_dims=1), features)
            logits = where(inside > 0, model.logits(ends), logits)
        return begin + width, of_shapes(after, start), tf.ensure_shape(logits, [None, model.size])

    before = tf.ensure_shape(before, [None, model.size])
    _, state, logits = tf.while_loop(
        lambda begin, *_: begin < total, read_piece, (tf.constant(0), start, before), parallel_iterations=1
    )
    return logits, state


def width_of(rows: tf.Tensor) -> tf.Tensor:
    """Give how many tokens of each of so many rows make a piece."""
    return tf.maximum(_PIECE // tf.maximum(rows, 1), _SHORTEST)


def of_shapes(state: Any, like: Any) -> Any:
    """Give a state the static shapes of another, which a loop wants to see again."""
    return tf.nest.map_structure(lambda new, old: tf.ensure_shape(new, old.shape), state, like)
