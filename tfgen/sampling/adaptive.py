"""A steady probability: adaptive-p, which prefers tokens that are neither sure nor unlikely."""

from typing import Any

import tensorflow as tf

from tfgen.sampling.transform import Transform, mask, scalar, wide
from tfgen.terms.settings import Range

# What llama.cpp has fixed: how far from the target is far, how high the preference is there, and how fast it falls.
_WIDTH, _PEAK, _SHARPNESS = 0.3, 5.0, 10.0


class AdaptiveP(Transform):
    """Prefers tokens whose probability is near a target, which moves so that what is drawn comes to it in the mean.

    The new logits are 5 - 10 d^2 / (1 + d), with d = |p - aim| / 0.3 and aim = 2 target - (mean p of what was drawn),
    no less than 0 and no more than 1; the mean forgets by the decay, and begins at the target. It is a distribution of
    its own and takes the place of a temperature, so that it stands last, after what cuts off the tail (llama.cpp's
    sampler of this name, pull request 17927).

    Args:
        target: Scalar, from 0 to 1: the probability that the mean comes to.
        decay: Scalar, from 0 to 0.99: 0.9 remembers some ten tokens.

    Raises:
        InputError: A setting is out of its range.
    """

    target: tf.Tensor
    decay: tf.Tensor

    def __init__(self, target: Any = 0.5, decay: Any = 0.9) -> None:
        self.target = scalar("target", target, tf.float64, Range(at_least=0, at_most=1))
        self.decay = scalar("decay", decay, tf.float64, Range(at_least=0, at_most=0.99))

    def start(self, history: tf.Tensor, size: int) -> tf.Tensor:
        """Give the mean probability of what was drawn, (B,); none was."""
        return tf.fill(tf.shape(history)[:1], self.target)

    def apply(self, logits: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        """Prefer what is near the aim."""
        aim = tf.clip_by_value(2 * self.target - state, 0.0, 1.0)[:, tf.newaxis]
        distance = tf.abs(tf.nn.softmax(wide(logits)) - aim) / _WIDTH
        preferred = _PEAK - _SHARPNESS * tf.square(distance) / (1 + distance)
        return mask(tf.cast(preferred, logits.dtype), logits > -float("inf"))

    def update(self, state: tf.Tensor, ids: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Remember the probability of what was drawn, as it was before the preference."""
        drawn = tf.gather(tf.nn.softmax(wide(logits)), ids, axis=-1, batch_dims=1)
        # A finished row draws padding, which cannot be drawn: its mean stays.
        return tf.where(drawn > 0, self.decay * state + (1 - self.decay) * drawn, state)
