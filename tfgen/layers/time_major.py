"""The first two axes of a tensor change places: rows and steps, batch-major and time-major."""

import tensorflow as tf


def swapped(tensor: tf.Tensor) -> tf.Tensor:
    """Turn (B, T, ...) into (T, B, ...), or back.

    Whole numbers are gathered, because oneDNN reports an error when it is to transpose them.
    """
    if tf.as_dtype(tensor.dtype).is_floating:
        return tf.transpose(tensor, [1, 0, *range(2, tensor.shape.rank)])
    shape = tf.shape(tensor)
    places = tf.range(shape[1])[:, tf.newaxis] + tf.range(shape[0]) * shape[1]
    return tf.gather(tf.reshape(tensor, tf.concat([[-1], shape[2:]], axis=0)), places)
