"""What a transform is: logits in, logits out, and for some a small state that moves with the text."""

import math
from typing import Any

import tensorflow as tf

from tfgen.terms.settings import Range, number
from tfgen.vocabulary.vocabulary import Vocabulary

# "Never": a token of this logit has probability zero.
NEVER = -math.inf


class Transform(tf.experimental.ExtensionType):
    """Reshapes the distribution of the next token.

    Settings that users vary are tensors, so that a compiled loop takes new ones without compiling again; only the
    class, and fields that are plain Python values, belong to the structure.

    A transform that needs no memory defines `__call__` alone. One that looks back defines `start`, `apply` and `update`
    too; its state is a nest of tensors whose first axis is B.
    """

    @property
    def ends(self) -> bool:
        """Whether it decides where a text ends, so that the end of text may come in any vocabulary."""
        return False

    @property
    def hard(self) -> bool:
        """Whether it rules tokens out for good: then it is applied before all that is not hard, wherever it stands."""
        return False

    @property
    def rows(self) -> int | None:
        """The number of rows that it has a setting for, one each; None where one is for all."""
        return None

    @property
    def leaves_one(self) -> bool:
        """Whether it leaves one token, so that nothing after it can matter."""
        return False

    def __call__(self, logits: Any) -> tf.Tensor:
        """Map logits (..., V) to logits of the same shape and dtype."""
        raise NotImplementedError(f"{type(self).__name__} looks back at the text: use start, apply and update.")

    def bind(self, vocabulary: Vocabulary) -> "Transform":
        """Give the transform for a vocabulary: itself, unless its settings speak of text."""
        return self

    def in_rooms(self) -> "Transform":
        """Give the same, its tensors of sizes of which there are few, for XLA compiles for each: itself if they are."""
        return self

    def start(self, history: tf.Tensor, size: int) -> Any:
        """Give the state after a text has been read.

        Args:
            history: int32 (B, T), the text so far, padded on the left with 0.
            size: V.
        """
        return ()

    def apply(self, logits: tf.Tensor, state: Any) -> tf.Tensor:
        """Map logits (B, V) to logits, knowing the state."""
        return self(logits)

    def update(self, state: Any, ids: tf.Tensor, logits: tf.Tensor) -> Any:
        """Give the state after one more token a row.

        Args:
            state: The state before.
            ids: int32 (B,), the tokens drawn; 0 in rows that are finished.
            logits: (B, V), what `apply` was given.
        """
        return state


def scalar(name: str, value: Any, dtype: tf.DType, allowed: Range) -> tf.Tensor:
    """Make a setting a tensor, and refuse it where its value is known and out of range.

    Raises:
        InputError: Names the setting, its range and the value received.
    """
    if tf.is_symbolic_tensor(value):
        return tf.cast(value, dtype)
    return tf.constant(number(name, value, allowed, dtype.max if dtype.is_integer else math.inf), dtype)


def mask(logits: tf.Tensor, keep: tf.Tensor) -> tf.Tensor:
    """Keep logits where `keep` is true, and say never elsewhere."""
    return tf.where(keep, logits, tf.cast(NEVER, logits.dtype))


def wide(logits: tf.Tensor) -> tf.Tensor:
    """Give logits in float64, in which all probabilities are computed."""
    return tf.cast(logits, tf.float64)


def narrow(logits: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Give computed logits in the type of those that came, moved so that the largest is 0 and cannot overflow."""
    if dtype == logits.dtype:
        return logits
    largest = tf.reduce_max(logits, axis=-1, keepdims=True)
    return tf.cast(logits - tf.where(largest > NEVER, largest, 0.0), dtype)
