"""The page of a model that a server sends: it writes by itself what its engine can hold, with the server the rest."""

from typing import Any

from tfgen.errors import InputError
from tfgen.networks.described import layers_of
from tfgen.page.assembling import Served, assembled
from tfgen.portable.layers import Layer
from tfgen.serving.bounds import Bounds
from tfgen.serving.pictures import shape_of
from tfgen.text_generator import TextGenerator

_MOST_PARAMETERS = 4_000_000  # 20 MB as digits, which a browser reads in a second; larger networks stay here


def served_page(model: TextGenerator, name: str, bounds: Bounds) -> str:
    """Write the page of a model.

    Its weights are float32, so that both sides of the switch write the same text for the same seed.

    Args:
        model: Any that is served.
        name: By which the server calls it.
        bounds: Of what the page may ask for.

    Returns:
        HTML.
    """
    reader: Any = model.writer.model
    shape = shape_of(reader, bounds.body)
    attends = not shape and bool(getattr(reader, "attends", False))
    picture = (shape[0], shape[1]) if shape else None
    served = Served(name, bounds.length, bounds.prompt, bool(reader.context), attends, picture)
    try:
        layers = _held(model)
        return assembled(model.vocabulary, layers, name, "float32", model.provenance, served)
    except InputError:
        return assembled(model.vocabulary, None, name, "float32", model.provenance, served)


def _held(model: TextGenerator) -> tuple[Layer, ...] | None:
    """Give the layers, unless they are too many for a browser.

    Raises:
        InputError: They cannot be described.
    """
    layers = layers_of(model)
    size = sum(array.size for layer in layers for array in layer.arrays.values())
    return layers if size <= _MOST_PARAMETERS else None
