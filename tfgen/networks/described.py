"""A network in memory as kinds, sizes and arrays, for whatever runs it without Keras."""

from typing import Any

import keras

from tfgen.errors import InputError
from tfgen.networks.chain import is_plain, plain
from tfgen.networks.chain import layers_of as layers_of_chain
from tfgen.networks.recurrent import Recurrent, check
from tfgen.portable.layers import Layer, layers_in
from tfgen.support import wording


def layers_of(model: Any) -> tuple[Layer, ...]:
    """Describe a model, layer by layer.

    Args:
        model: A `TextGenerator`, a `writing.Writer`, a `networks.Recurrent`, or a Sequential that passes `check`.

    Returns:
        Its layers with their arrays, in the order in which they are stepped; the last is dense with the activation
        "softmax". See `tfgen.portable.layers.Layer`.

    Raises:
        InputError: The model is none of these, depends on a context, or has a layer that cannot be described: the
            message names it.

    >>> from tfgen.networks.building import build
    >>> [(layer.kind, layer.inputs, layer.outputs) for layer in layers_of(build(9, units=4))]
    [('lstm', 9, 4), ('dense', 4, 9)]
    """
    network = _sequential(model)
    layers = layers_of_chain(network)
    same = network if is_plain(network) else plain(network)
    described = layers_in(keras.saving.serialize_keras_object(same), layers[-1].units)
    return tuple(layer.with_arrays(own.get_weights()) for layer, own in zip(described, layers, strict=True))


def listed(model: Any) -> list[dict[str, Any]]:
    """List the layers of a model as plain JSON types, for the manifest of an export: kinds and sizes, without arrays.

    Args:
        model: As for `layers_of`.

    Raises:
        InputError: As for `layers_of`.
    """
    return [
        {"kind": layer.kind, "name": layer.name, "inputs": layer.inputs, "outputs": layer.outputs, **layer.options}
        for layer in layers_of(model)
    ]


def _sequential(model: Any) -> keras.Sequential:
    """Give the network of a model that is a Sequential and nothing more."""
    model = getattr(model, "writer", model)  # of a TextGenerator
    model = getattr(model, "model", model)  # of a Writer
    if isinstance(model, Recurrent) and not model.context:
        return model.network
    if isinstance(model, keras.Model):
        check(model)
        return model
    raise InputError(f"only a Sequential that depends on no context can be described; received {wording.shown(model)}.")
