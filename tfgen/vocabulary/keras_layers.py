"""Text to tokens and ids to text inside a TensorFlow graph, saved and loaded with the model.

Both are registered with Keras, so that a `.keras` file that uses them loads under `safe_mode=True` once this module
has been imported.

Axis letters: B batch, T time in ids, V vocabulary, C characters, N words.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.support import wording
from tfgen.vocabulary import splitting

_PACKAGE = "tfgen"


@keras.saving.register_keras_serializable(package=_PACKAGE)
def split_words(texts: tf.Tensor) -> tf.Tensor | tf.RaggedTensor:
    """Cut texts into word-level tokens, as `tfgen.vocabulary.splitting.words` does, in the graph.

    Args:
        texts: valid UTF-8 strings (B,) or ().

    Returns:
        Ragged strings (B, None), or strings (N,) for a single text.

    >>> split_words(tf.constant(["I don't.", ""])).to_list()
    [[b'I', b" don't", b'.'], []]
    """
    if texts.shape.rank == 0:
        return split_words(texts[tf.newaxis])[0]
    # All texts are split as one, with a newline before each: nothing reaches over a newline.
    points = tf.strings.unicode_decode(tf.strings.join(["\n", texts]), "UTF-8")
    starts = _token_starts(points.values)
    tokens = tf.RaggedTensor.from_row_starts(points.values, tf.where(starts)[:, 0])
    tokens_per_text = tf.reduce_sum(tf.cast(points.with_values(starts), tf.int64), axis=1)
    strings = tf.strings.unicode_encode(tokens, "UTF-8")
    return tf.RaggedTensor.from_row_lengths(strings, tokens_per_text)[:, 1:]


def _token_starts(codepoints: tf.Tensor) -> tf.Tensor:
    """Do what `splitting.token_starts` does, (C,) int32 to (C,) bool."""
    runs = splitting.class_runs()
    classes = tf.gather(runs.classes, tf.searchsorted(runs.firsts, codepoints, side="right") - 1)
    starts = ~splitting.extends(tf.pad(classes, [[1, 0]], constant_values=splitting.WHITE)[:-1], classes)
    padded = tf.pad(classes[starts], [[2, 1]], constant_values=splitting.WHITE)
    joins = splitting.joins(padded[:-3], padded[1:-2], padded[2:-1], padded[3:])
    return tf.tensor_scatter_nd_update(starts, tf.where(starts), ~joins)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class TextFromIds(keras.layers.Layer):
    """The inverse of a `TextVectorization`: ids (B, T) or (T,) to strings (B,) or ().

    >>> layer = TextFromIds(["", "\\ufffd", "", "o", "h"])
    >>> layer(tf.constant([[4, 3], [3, 0]])).numpy().tolist()
    [b'ho', b'o']
    """

    def __init__(self, texts: Sequence[str], **kwargs: Any) -> None:
        """Make the layer.

        Args:
            texts: the text of each of the V ids, in order.
            **kwargs: those of `keras.layers.Layer`.

        Raises:
            InputError: `texts` is not a list of at least one str.
        """
        if not isinstance(texts, Sequence) or isinstance(texts, str) or not texts:
            raise InputError(f"texts must be a list of at least one str; received {wording.shown(texts)}.")
        if not all(isinstance(text, str) for text in texts):
            raise InputError(f"texts must be a list of str, the text of each id; received {wording.shown(texts)}.")
        super().__init__(**kwargs)
        self.texts = tuple(texts)
        self.supports_jit = False  # XLA has no strings

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Return the texts of rows of ids; an id outside 0 to V - 1 is TensorFlow's `InvalidArgumentError`."""
        ids = tf.cast(ids, tf.int64) if ids.dtype.is_integer else ids  # small types of integers cannot look up
        return tf.strings.reduce_join(tf.gather(tf.constant(self.texts), ids), axis=-1)

    def compute_output_spec(self, ids: keras.KerasTensor) -> keras.KerasTensor:
        """Return the shape (B,) and type of the strings."""
        return keras.KerasTensor(ids.shape[:-1], dtype="string")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "texts": list(self.texts)}
