"""A page for browsers: the whole model, an engine in JavaScript and what a person does with it, in one file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfgen.errors import InputError
from tfgen.networks.described import layers_of
from tfgen.page import files
from tfgen.page.assembling import assembled
from tfgen.page.contents import Weights
from tfgen.support import wording
from tfgen.writing.writer import Writer


def write(writer: Writer, path: Path, overwrite: bool, weights: Weights, provenance: Mapping[str, Any] | None) -> None:
    """Write a page, whose title is the name of its file.

    Args:
        writer: Of characters.
        path: With or without `.html`.
        overwrite: Whether an earlier page there may be replaced.
        weights: What the weights are kept as.
        provenance: Of the model.

    Raises:
        InputError: A page cannot hold the model, or cannot be written there.
        OSError: It cannot be written.
    """
    place = files.place_of(path)
    files.check(place, overwrite)
    try:
        layers = layers_of(writer)
    except InputError as error:
        advice = "serve it with tfgen serve, or export another format"
        raise InputError(f"this model cannot be a page: {wording.clause(error)}; {advice}.") from None
    files.write(assembled(writer.vocabulary, layers, place.stem, weights, provenance), place, overwrite)
