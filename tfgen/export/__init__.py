"""A model leaves Python: one directory, or one page, that writes the same text somewhere else.

| module | its one idea |
|---|---|
| `saved_model` | strings in, strings out, for TensorFlow alone |
| `onnx`, `litert` | one step with its state as arguments, for small runtimes |
| `html` | a page for browsers, see `tfgen.page` |
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
    from tfgen.page.contents import Weights
    from tfgen.writing.writer import Writer

__all__ = ["FORMATS", "PAGE", "check_format", "export"]


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

PAGE = "html"
"""The format that is one file."""


def export(
    writer: Writer,
    path: str | os.PathLike[str],
    format: str = "saved-model",
    overwrite: bool = False,
    about: Mapping[str, Any] | None = None,
    weights: Weights | None = None,
) -> None:
    """Write a directory, or a page; see `TextGenerator.export`.

    Args:
        writer: What to export.
        path: The directory; of a page the file, with or without `.html`.
        format: One of `FORMATS`, or `PAGE`.
        overwrite: Whether an earlier export there may be replaced.
        about: What the manifest says of the model beside its vocabulary, as plain JSON types; a page tells of its
            `provenance`.
        weights: What the weights of a page are kept as: "int8", if None, "float16" or "float32".

    Raises:
        InputError: There is no such format, or it cannot hold the model; or the place cannot be written to.
        OSError: A file cannot be written.
    """
    from tfgen.writing.writer import Writer

    check_format(format)
    check_instance("the writer", writer, Writer, "a tfgen.writing.Writer, such as the writer of a TextGenerator")
    check_instance("about", about, Mapping | None, "a mapping of names to plain values")
    if format == PAGE:
        from tfgen.export import html

        html.write(writer, path_of("path", path), overwrite, weights or "int8", (about or {}).get("provenance"))
        return
    if weights is not None:
        raise InputError(f"weights can be chosen for the format {PAGE} alone; received {wording.shown(weights)}.")
    with directories.replaced(path_of("path", path), overwrite) as new:
        described = FORMATS[format](writer, new)
        manifest.write(writer.vocabulary, new, {"format": format, **described}, dict(about or {}))


def check_format(format: str) -> None:
    """Refuse what is no format.

    Raises:
        InputError: Names those there are.
    """
    if not isinstance(format, str) or format not in (*FORMATS, PAGE):
        raise InputError(f"the format must be one of {', '.join([*FORMATS, PAGE])}; received {wording.shown(format)}.")


def __dir__() -> list[str]:
    return __all__
