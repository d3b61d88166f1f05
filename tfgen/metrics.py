"""What a prediction costs: nats, bits and perplexity per real token, and exact matches; padding (target id 0) never
counts.

Each is the exact mean over all real targets of an epoch, a sum over a sum, however they fall into batches.

Axis letters: B batch, T time, V vocabulary.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgen.errors import InputError, real_number
from tfgen.support import wording
from tfgen.vocabulary.vocabulary import PADDING

__all__ = ["BitsPerCharacter", "ExactMatch", "NatsPerCharacter", "Perplexity"]

# The smallest normal float32: a probability that has underflowed costs 87 nats, not infinity.
_SMALLEST = 1.1754944e-38


@keras.saving.register_keras_serializable(package="tfgen")
class NatsPerCharacter(keras.metrics.Metric):
    """Mean of -ln p(target) over real targets: the cross entropy (Shannon 1948), in nats per token.

    A token is a character, or a word of a word vocabulary; where a vocabulary leaves tokens out, the unknown token that
    stands for them is a target like any other. `update_state` takes targets, int (B, T), and the probabilities,
    (B, T, V), of a softmax head.
    """

    def __init__(self, name: str = "nats", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self._direction = "down"  # which Keras' callbacks look at: less is better
        # float64, because float32 stops counting at 16.8 million targets.
        self._nats = self.add_variable((), "zeros", dtype="float64", name="total")
        self._targets = self.add_variable((), "zeros", dtype="float64", name="count")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; `sample_weight`, which broadcasts to (B, T), weighs targets."""
        targets = tf.cast(y_true, tf.int32)
        probabilities = tf.gather(tf.convert_to_tensor(y_pred), targets, axis=-1, batch_dims=targets.shape.rank)
        weights = tf.cast(targets != PADDING, tf.float64)
        if sample_weight is not None:
            weights *= tf.cast(sample_weight, tf.float64)
        nats = -tf.math.log(tf.maximum(tf.cast(probabilities, tf.float64), _SMALLEST))
        self._nats.assign_add(tf.reduce_sum(nats * weights))
        self._targets.assign_add(tf.reduce_sum(self._counted(weights, targets)))

    def _counted(self, weights: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Give what each target adds to the count, float64 (B, T)."""
        return weights

    def result(self) -> Any:
        """Give the mean so far, 0 before the first batch."""
        return tf.cast(tf.math.divide_no_nan(self._nats.value, self._targets.value), tf.float32)


@keras.saving.register_keras_serializable(package="tfgen")
class BitsPerCharacter(NatsPerCharacter):
    """`NatsPerCharacter` in bits: divided by ln 2, and by the lengths of tokens where these are given.

    Without lengths it is bits per token, which is a character in most models. With `lengths=vocabulary.lengths` models
    of words and of characters compare.

    Attributes:
        lengths: How many characters each token stands for, (V,), or None.
    """

    def __init__(self, name: str = "bits", lengths: Sequence[float] | None = None, **kwargs: Any) -> None:
        """Take how many characters each token stands for.

        Args:
            name: In logs.
            lengths: (V,), such as `Vocabulary.lengths`; None counts each token once.
            **kwargs: As for `keras.metrics.Metric`.

        Raises:
            InputError: The lengths are no list of numbers of at least 0.
        """
        super().__init__(name=name, **kwargs)
        self.lengths = None if lengths is None else _checked(lengths)

    def _counted(self, weights: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Give the characters of each target."""
        if self.lengths is None:
            return weights
        return weights * tf.gather(tf.constant(self.lengths, tf.float64), targets)

    def get_config(self) -> dict[str, Any]:
        """Give the constructor's arguments."""
        return {**super().get_config(), **({} if self.lengths is None else {"lengths": self.lengths})}

    def result(self) -> Any:
        """Give the mean so far, 0 before the first batch."""
        return super().result() / math.log(2)


def _checked(lengths: Any) -> list[float]:
    try:
        return [real_number("each of the lengths", float(each), at_least=0) for each in lengths]
    except (TypeError, ValueError):
        received = wording.shown(lengths)
        raise InputError(f"lengths must be a list of one number a token; received {received}.") from None


@keras.saving.register_keras_serializable(package="tfgen")
class Perplexity(NatsPerCharacter):
    """exp of `NatsPerCharacter`: among how many equally likely tokens the network chooses, on geometric average."""

    def __init__(self, name: str = "perplexity", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def result(self) -> Any:
        """Give the value so far, 1 before the first batch."""
        return tf.exp(super().result())


@keras.saving.register_keras_serializable(package="tfgen")
class ExactMatch(keras.metrics.Metric):
    """Share of rows whose likeliest token is the target at every real place.

    This is the share of texts that `generate(temperature=0)` writes without a mistake: as long as each token is right,
    what is read is what would have been written. A row without any target does not count. `update_state` takes targets,
    int (B, T), and probabilities (B, T, V).
    """

    def __init__(self, name: str = "exact", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self._direction = "up"
        self._right = self.add_variable((), "zeros", dtype="float64", name="total")
        self._rows = self.add_variable((), "zeros", dtype="float64", name="count")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; a target whose `sample_weight`, which broadcasts to (B, T), is 0 is none."""
        targets = tf.cast(y_true, tf.int32)
        real = targets != PADDING
        if sample_weight is not None:
            real &= tf.broadcast_to(tf.cast(sample_weight, tf.float32) != 0, tf.shape(real))
        right = tf.reduce_all(~real | (tf.argmax(y_pred, axis=-1, output_type=tf.int32) == targets), axis=-1)
        rows = tf.reduce_any(real, axis=-1)
        self._right.assign_add(tf.reduce_sum(tf.cast(right & rows, tf.float64)))
        self._rows.assign_add(tf.reduce_sum(tf.cast(rows, tf.float64)))

    def result(self) -> Any:
        """Give the share so far, 0 before the first row."""
        return tf.cast(tf.math.divide_no_nan(self._right.value, self._rows.value), tf.float32)


def __dir__() -> list[str]:
    return __all__
