"""The step as a LiteRT file (once TensorFlow Lite): phones and small computers.

Axis letter: B batch.
"""

import tempfile
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfgen.export import directories
from tfgen.export.step_function import converting, described, in_float32, step_function
from tfgen.networks.model import LanguageModel
from tfgen.networks.recurrent import Recurrent
from tfgen.writing.writer import Writer

MODEL = "step.tflite"


def write(writer: Writer, directory: Path, int8: bool = False) -> dict[str, Any]:
    """Write `step.tflite` for one row, B = 1.

    Args:
        writer: Any, of a model without a context.
        directory: Exists and is empty.
        int8: Whether each matrix of at least 1,024 weights is kept as whole numbers of 8 bits and scales, a quarter of
            the size (LiteRT's dynamic-range quantisation); states and logits are float32 either way.

    Returns:
        What its manifest says.

    Raises:
        InputError: LiteRT lacks an operation of the network.
        OSError: A file cannot be written.
    """
    model = in_float32(writer.model)
    function = step_function(model, batch_size=1)
    optimizations = [tf.lite.Optimize.DEFAULT] if int8 else []
    (directory / MODEL).write_bytes(_convert(model, function, optimizations))
    return described(function, MODEL, "litert", "int8" if int8 else "float32")


def _convert(model: LanguageModel, function: Any, optimizations: list[Any]) -> bytes:
    # By way of a SavedModel: the converter loses the variables of a concrete function, and its logits are NaN.
    with tempfile.TemporaryDirectory(prefix="tfgen-") as folder:
        archive = keras.export.ExportArchive()
        if isinstance(model, Recurrent):
            archive.track(model.network)
        archive.add_endpoint("step", function)
        directories.write_archive(archive, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["step"])
        converter.optimizations = optimizations
        with converting("LiteRT"):
            return converter.convert()
