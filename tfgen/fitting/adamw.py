"""AdamW, each weight in one pass over the memory."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfgen")
class AdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` (Loshchilov and Hutter 2019, arXiv:1711.05101) that decays matrices alone.

    Biases, and the scales and offsets of normalisations, are left as they are, as those who train GPT-2 do. Where Keras
    runs a dozen operations for each weight, TensorFlow's one kernel for Adam computes the same.

    Args:
        *args: As for `keras.optimizers.AdamW`.
        **kwargs: As there.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one weight by its gradient."""
        if self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        index, kind = self._get_variable_index(variable), variable.dtype
        step = tf.cast(self.iterations.value + 1, kind)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, kind), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, kind), step),
            lr=tf.cast(learning_rate, kind),
            beta1=tf.cast(self.beta_1, kind),
            beta2=tf.cast(self.beta_2, kind),
            epsilon=tf.cast(self.epsilon, kind),
            grad=tf.cast(tf.convert_to_tensor(gradient), kind),
        )

    def _clip_gradients(self, gradients: Any) -> Any:
        if self.global_clipnorm and not self.clipnorm:
            return tf.clip_by_global_norm(gradients, self.global_clipnorm)[0]  # reads each once for the norm
        return super()._clip_gradients(gradients)

    def _use_weight_decay(self, variable: Any) -> bool:
        return len(variable.shape) > 1 and super()._use_weight_decay(variable)
