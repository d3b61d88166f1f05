"""The layers that a text goes through, one after another, however a Keras model says so.

A Sequential, or a Functional model whose layers are a chain; a layer inside a `TimeDistributed`; a head with its
softmax, with a softmax in a layer of its own, or without one, so that it gives logits: they are the same network, and
this is the one place that knows it.
"""

from collections.abc import Iterator
from typing import Any

import keras

from tfgen.errors import InputError
from tfgen.layers import stepping
from tfgen.support import wording

_FIT = 'keras.Sequential([keras.Input((None,), dtype="int32"), *layers])'


def layers_of(network: Any) -> list[Any]:
    """Give the layers of a model, first to last; the last is the head, a Dense.

    Each is the layer itself, with its weights, which in this order are those of the model.

    Raises:
        InputError: It is no built model, or no chain.
    """
    return stepping.unwrapped([*in_a_row(network)])


def applied(network: Any, inputs: Any, training: bool) -> Any:
    """Call a network; of a chain, what a `TimeDistributed` holds by itself.

    Keras' wrapper takes as many timesteps as there are rows where a graph does not know their number, as in batches of
    several lengths.
    """
    if not any(stepping.within(layer) is not layer for layer in network.layers):
        return network(inputs, training=training)
    for layer in in_a_row(network):
        inputs = stepping.within(layer)(inputs)  # Keras hands on `training` from the call around it
    return inputs


def gives_logits(network: Any) -> bool:
    """Whether a model, which is a chain, ends without a softmax."""
    *_, last = in_a_row(network)
    return not stepping.is_softmax(last)


def plain(network: Any) -> keras.Sequential:
    """Rebuild a model as the plain Sequential that is the same network, with the same weights and a softmax head.

    Args:
        network: A chain, as `tfgen.TextGenerator` takes.

    Returns:
        A new `keras.Sequential` from ids (B, T) to probabilities (B, T, V).

    Raises:
        InputError: It is no chain, or its last layer is no head.
    """
    *body, head = layers_of(network)
    stepping.check_head(head)
    ids = keras.Input((None,), batch_size=network.inputs[0].shape[0], dtype="int32", name="ids")
    rebuilt = [type(layer).from_config(layer.get_config()) for layer in body]
    last = type(head).from_config({**head.get_config(), "activation": "softmax"})
    twin = keras.Sequential([ids, *rebuilt, last], name=network.name)
    twin.set_weights(network.get_weights())
    return twin


def is_plain(network: Any) -> bool:
    """Whether a model is a Sequential whose head has its softmax."""
    return isinstance(network, keras.Sequential) and layers_of(network) == network.layers and not gives_logits(network)


def check_plain(network: Any) -> None:
    """Refuse a model that is not plain where it is a part of another one.

    Raises:
        InputError: Shows how it is made plain.
    """
    if not is_plain(network):
        raise InputError(
            f"a part of another model must be a Sequential with Dense(V, activation='softmax') at its end; received "
            f"{wording.shown(network)}: give tfgen.networks.plain(network)."
        )


def in_a_row(network: Any) -> Iterator[Any]:
    """Give the layers of a model as they are in it."""
    known = isinstance(network, keras.Model) and hasattr(network, "inputs")
    if not known or not network.built or not getattr(network, "layers", None):
        raise InputError(
            "the network must be a built keras.Sequential, or a Functional model that is a chain of layers; received "
            f"{wording.shown(network)}: make it {_FIT}."
        )
    if isinstance(network, keras.Sequential):
        yield from network.layers
        return
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise InputError(
            f"the network must have one input and one output; received {len(network.inputs)} and "
            f"{len(network.outputs)}: make it {_FIT}."
        )
    backwards, tensor = [], network.outputs[0]
    while tensor is not network.inputs[0]:
        layer, node, _ = tensor._keras_history
        before = layer._inbound_nodes[node].input_tensors
        if len(before) != 1:
            raise InputError(
                f"the network must be a chain; received one in which {stepping.named(layer)} reads {len(before)} "
                "tensors: write these branches as a layer with first_state, read and step (see tfgen.layers.Stepped)."
            )
        backwards.append(layer)
        tensor = before[0]
    yield from reversed(backwards)
