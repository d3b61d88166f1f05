"""A generator leaves Python: one directory that writes the same text somewhere else.

| module | its one idea |
|---|---|
| `saved_model` | strings in, strings out, for TensorFlow alone |
| `onnx`, `litert` | one step with its state as arguments, for small runtimes |
| `step_function` | the step of these two |
| `directories` | a directory is written whole or not at all |
| `manifest` | what an export says of itself |
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfgen.errors import InputError
from tfgen.export import directories, manifest

if TYPE_CHECKING:
    from tfgen.text_generator import TextGenerator


# TensorFlow is imported by the modules of the formats; their names do not need it.
def _saved_model(generator: TextGenerator, path: Path) -> dict[str, Any]:
    from tfgen.export import saved_model

    return saved_model.write(generator, path)


def _onnx(generator: TextGenerator, path: Path) -> dict[str, Any]:
    from tfgen.export import onnx

    return onnx.write(generator, path)


def _litert(generator: TextGenerator, path: Path) -> dict[str, Any]:
    from tfgen.export import litert

    return litert.write(generator, path)


def _litert_int8(generator: TextGenerator, path: Path) -> dict[str, Any]:
    from tfgen.export import litert

    return litert.write(generator, path, int8=True)


# How each format is written into an empty directory; each gives what its manifest tells beside the usual.
FORMATS: dict[str, Callable[[TextGenerator, Path], dict[str, Any]]] = {
    "saved-model": _saved_model,
    "onnx": _onnx,
    "litert": _litert,
    "litert-int8": _litert_int8,
}


def export(
    generator: TextGenerator, path: str | os.PathLike[str], format: str = "saved-model", overwrite: bool = False
) -> None:
    """Write a directory; see `TextGenerator.export`."""
    check_format(format)
    if not all(np.isfinite(weight).all() for weight in generator.network.get_weights()):
        raise InputError("some weights of the network are no numbers: its training has diverged, or it is damaged.")
    with directories.replaced(Path(path), overwrite) as unfinished:
        told = FORMATS[format](generator, unfinished)
        manifest.write(generator, unfinished, format, told)


def check_format(format: str) -> None:
    """Refuse what is no format.

    Raises:
        InputError: Names those there are.
    """
    if format not in FORMATS:
        raise InputError(f"the format must be one of {', '.join(FORMATS)}; received {format!r}.")
