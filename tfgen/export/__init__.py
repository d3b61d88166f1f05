"""A model leaves Python: one directory that writes the same text somewhere else.

| module | its one idea |
|---|---|
| `saved_model` | strings in, strings out, for TensorFlow alone |
| `onnx`, `litert` | one step with its state as arguments, for small runtimes |
| `step_function` | the step of these two, and the encoder before it |
| `sources` | what texts depend on, as inputs |
| `directories` | a directory is written whole or not at all |
| `manifest` | what an export says of itself |
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfgen.errors import InputError, check_instance, path_of
from tfgen.export import directories, manifest
from tfgen.support import wording

if TYPE_CHECKING:
    from tfgen.writing.writer import Writer

__all__ = ["FORMATS", "check_format", "export"]


# TensorFlow is imported by the modules of the formats; their names do not need it.
def _saved_model(writer: Writer, path: Path) -> dict[str, Any]:
    from tfgen.export import saved_model

    return saved_model.write(writer, path)


def _onnx(writer: Writer, path: Path) -> dict[str, Any]:
    from tfgen.export import onnx

    return onnx.write(writer, path)


def _litert(writer: Writer, path: Path) -> dict[str, Any]:
    from tfgen.export import litert

    return litert.write(writer, path)


def _litert_int8(writer: Writer, path: Path) -> dict[str, Any]:
    from tfgen.export import litert

    return litert.write(writer, path, int8=True)


# How each format is written into an empty directory; each gives what its manifest tells beside the usual.
FORMATS: dict[str, Callable[[Writer, Path], dict[str, Any]]] = {
    "saved-model": _saved_model,
    "onnx": _onnx,
    "litert": _litert,
    "litert-int8": _litert_int8,
}


def export(
    writer: Writer,
    path: str | os.PathLike[str],
    format: str = "saved-model",
    overwrite: bool = False,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write a directory; see `TextGenerator.export`.

    Args:
        writer: What to export.
        path: The directory.
        format: One of `FORMATS`.
        overwrite: Whether an earlier export there may be replaced.
        about: What the manifest says of the model beside its vocabulary, as plain JSON types.

    Raises:
        InputError: There is no such format, or it cannot hold the model; or the place cannot be written to.
        OSError: A file cannot be written.
    """
    from tfgen.writing.writer import Writer

    check_format(format)
    check_instance("the writer", writer, Writer, "a tfgen.writing.Writer, such as the writer of a TextGenerator")
    check_instance("about", about, Mapping | None, "a mapping of names to plain values")
    with directories.replaced(path_of("path", path), overwrite) as new:
        described = FORMATS[format](writer, new)
        manifest.write(writer.vocabulary, new, {"format": format, **described}, dict(about or {}))


def check_format(format: str) -> None:
    """Refuse what is no format.

    Raises:
        InputError: Names those there are.
    """
    if not isinstance(format, str) or format not in FORMATS:
        raise InputError(f"the format must be one of {', '.join(FORMATS)}; received {wording.shown(format)}.")


def __dir__() -> list[str]:
    return __all__
