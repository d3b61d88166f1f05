"""Keras' archive of endpoints, on disk."""

import os

import keras
import tensorflow as tf


def write(archive: keras.export.ExportArchive, directory: str | os.PathLike[str]) -> None:
    """Write a SavedModel.

    Args:
        archive: With all its endpoints.
        directory: Does not exist, or is empty.

    Raises:
        OSError: A file cannot be written; TensorFlow has errors of its own for that.
    """
    try:
        archive.write_out(directory, verbose=False)
    except tf.errors.OpError as error:
        reason = error.message.rsplit("; ", 1)[-1].split(" [Op:")[0]  # behind names of devices and of its own files
        raise OSError(f"the export cannot be written: {reason[:200]}") from error
