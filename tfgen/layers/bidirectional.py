"""Two readers of one sequence, one from each end, at the speed of layers that know no mask.

Axis letters: B batch, S places, D features, U units.
"""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfgen")
class Bidirectional(keras.layers.Bidirectional):
    """`keras.layers.Bidirectional` for sequences that are padded on the right.

    Constructor, weights and configuration are Keras' own, and so is each output that is no padding. With a mask Keras
    runs layers step by step. Here each row is turned around by its own length instead, so that both layers read
    without a mask, and padding comes last for both (Schuster and Paliwal 1997).

    Args:
        *args: As for `keras.layers.Bidirectional`; the layer returns sequences, which are concatenated.
        **kwargs: As there.
    """

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool | None = None) -> Any:
        """Read (B, S, D); the mask, bool (B, S), is False where a row is padded on the right."""
        if mask is None or initial_state is not None or not self.return_sequences or self.merge_mode != "concat":
            return super().call(sequences, initial_state=initial_state, mask=mask, training=training)
        lengths = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
        turned = tf.reverse_sequence(sequences, lengths, seq_axis=1)
        # A tensor carries its mask along, unless it is a new one.
        there = self.forward_layer(tf.identity(sequences), training=training)
        # The layer itself reads from the end, so it is given what it shall read the other way round.
        back = self.backward_layer(turned[:, ::-1], training=training)
        return tf.concat([there, tf.reverse_sequence(back, lengths, seq_axis=1)], axis=2)
