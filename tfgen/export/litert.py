"""The step as a LiteRT file (once TensorFlow Lite): phones and small computers.

Axis letter: B batch.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfgen.export import step_files
from tfgen.text_generator import TextGenerator

MODEL = "step.tflite"


def write(generator: TextGenerator, directory: Path) -> None:
    """Write `step.tflite`, `vocabulary.json` and `manifest.json` for one row, B = 1.

    Args:
        generator: Any.
        directory: Exists and is empty.
    """
    _write(generator, directory, "float32", [])


def write_int8(generator: TextGenerator, directory: Path) -> None:
    """Write the same with weights of 8 bits, a quarter of the size: dynamic-range quantisation of LiteRT.

    Each matrix of at least 1,024 weights is kept as whole numbers of 8 bits and scales; states and logits are float32.

    Args:
        generator: Any.
        directory: Exists and is empty.
    """
    _write(generator, directory, "int8", [tf.lite.Optimize.DEFAULT])


def _write(generator: TextGenerator, directory: Path, weights: str, optimizations: Sequence[Any]) -> None:
    function = step_files.step_function(generator, batch_size=1)
    (directory / MODEL).write_bytes(_convert(generator.network, function, optimizations))
    step_files.write_companions(generator, directory, MODEL, function, "litert", weights)


def _convert(network: keras.Sequential, function: Any, optimizations: Sequence[Any]) -> bytes:
    # By way of a SavedModel: the converter loses the variables of a concrete function, and its logits are no numbers.
    with tempfile.TemporaryDirectory(prefix="tfgen-") as folder:
        archive = keras.export.ExportArchive()
        archive.track(network)
        archive.add_endpoint("step", function)
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["step"])
        converter.optimizations = list(optimizations)
        return converter.convert()
