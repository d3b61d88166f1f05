"""The step as a LiteRT file (once TensorFlow Lite), and the encoder as another: phones and small computers.

Axis letter: B batch.
"""

import tempfile
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfgen.export import directories
from tfgen.export.step_function import check_is_network, converting, described, functions_of, in_float32
from tfgen.networks.model import LanguageModel
from tfgen.networks.recurrent import Recurrent
from tfgen.writing.writer import Writer

_ENDING = ".tflite"


def write(writer: Writer, directory: Path, int8: bool = False) -> dict[str, Any]:
    """Write `step.tflite`, and `encode.tflite` where texts depend on sources, for one row, B = 1.

    Args:
        writer: Any.
        directory: Exists and is empty.
        int8: Whether each matrix of at least 1,024 weights is kept as whole numbers of 8 bits and scales, a quarter of
            the size (LiteRT's dynamic-range quantisation); states and logits are float32 either way.

    Returns:
        What its manifest says.

    Raises:
        InputError: LiteRT lacks an operation of the network; or the model is no network.
        OSError: A file cannot be written.
    """
    check_is_network(writer.model, "LiteRT")
    model = in_float32(writer.model)
    functions = functions_of(model, batch_size=1)
    optimizations = [tf.lite.Optimize.DEFAULT] if int8 else []
    for name, function in functions.items():
        (directory / f"{name}{_ENDING}").write_bytes(_convert(model, name, function, optimizations))
    return described(model, functions, _ENDING, "litert", "int8" if int8 else "float32")


def _convert(model: LanguageModel, name: str, function: Any, optimizations: list[Any]) -> bytes:
    # By way of a SavedModel: the converter loses the variables of a concrete function, and its logits are NaN.
    with tempfile.TemporaryDirectory(prefix="tfgen-") as folder:
        archive = keras.export.ExportArchive()
        if isinstance(model, Recurrent):
            archive.track(model.network)
        archive.add_endpoint(name, function)
        directories.write_archive(archive, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[name])
        converter.optimizations = optimizations
        with converting("LiteRT"):
            return converter.convert()
