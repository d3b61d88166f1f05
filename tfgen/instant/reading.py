"""A `.keras` file as a vocabulary and layers: nothing in it is executed, and it is read as strictly as by Keras."""

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import h5py

from tfgen import model_files
from tfgen.errors import InputError, damage
from tfgen.portable.layers import Layer, layers_of_config
from tfgen.portable.stored import with_arrays
from tfgen.vocabulary.vocabulary import Vocabulary


def read(path: str | os.PathLike[str], config: dict[str, Any] | None = None) -> tuple[Vocabulary, list[Layer]]:
    """Read a model.

    Args:
        path: A `.keras` file.
        config: What `model_files.read_config` has given for it; None reads it.

    Raises:
        InputError: There is no such file, it is no model of tfgen, it is damaged, or it is not run here.
    """
    config = model_files.read_config(path) if config is None else config
    with damage(lambda error: f"{str(path)!r} {_fault(error)}"):
        layers = layers_of_config(config)
        with zipfile.ZipFile(Path(path)) as archive:
            entry = archive.getinfo("model.weights.h5")
            if entry.compress_type != zipfile.ZIP_STORED:  # what it takes in memory is what it takes on the disk
                raise InputError("has compressed weights, which tfgen does not write.")
            data = archive.read(entry)
        with h5py.File(io.BytesIO(data)) as file:
            whole = with_arrays(file, "layers/sequential/layers", layers)
    return Vocabulary.from_config(config["vocabulary"]), whole


def _fault(error: Exception) -> str:
    if isinstance(error, InputError):
        return f"cannot be run without TensorFlow: {error}"
    return "is damaged, or of another version: its weights cannot be read."
