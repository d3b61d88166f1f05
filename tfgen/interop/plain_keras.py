"""The network of a generator, of Keras' own layers alone, and back.

Axis letters: B batch, T time, V vocabulary.
"""

from typing import Any

import keras

from tfgen.errors import InputError, check_instance
from tfgen.layers import keras_layers, stepping
from tfgen.layers.stepping import CELLS
from tfgen.networks.chain import plain
from tfgen.networks.encoder_decoder import EncoderDecoder
from tfgen.support import wording
from tfgen.text_generator import TextGenerator
from tfgen.vocabulary.vocabulary import Vocabulary


def to_keras(generator: TextGenerator) -> keras.Sequential:
    """Rebuild the network of Keras' own layers, with the same weights in the same order.

    One-hot input becomes a nested model of one operation, without weights. So the model is saved and loaded where tfgen
    is not, and `set_weights(get_weights())` goes both ways between it and `generator.network`.

    Returns:
        A Sequential from int ids (B, T) to probabilities (B, T, V) that keeps no state between batches.

    Raises:
        InputError: It is no generator, or has an encoder, or a layer that is not of Keras or tfgen.
    """
    check_instance("generator", generator, TextGenerator, "a tfgen.TextGenerator")
    if isinstance(generator.network, EncoderDecoder):
        raise InputError(
            "to_keras takes a generator without an encoder; received one with: its generator.network is a Keras model "
            "already, use that."
        )
    stack: list[Any] = [keras.Input(shape=(None,), dtype="int32", name="ids")]
    network = plain(generator.network)
    for layer in network.layers:
        config = layer.get_config()
        size = config.pop("one_hot", None)
        config.pop("weight_drop", None)  # which is for training only
        if size:
            stack.append(_one_hot(size, layer.compute_dtype))
        if "stateful" in config:
            config["stateful"] = False
        kind = getattr(keras.layers, type(layer).__name__, None)
        if kind is None:
            raise InputError(
                f"{stepping.named(layer)} has no twin in Keras; to_keras takes layers of Keras and of tfgen."
            )
        stack.append(kind.from_config(config))
    twin = keras.Sequential(stack, name=network.name)
    twin.set_weights(network.get_weights())
    return twin


def from_keras(vocabulary: Vocabulary, sequential: keras.Sequential) -> TextGenerator:
    """Make a generator of a Keras Sequential that reads one-hot rows, with the same weights.

    A Sequential that reads ids through an Embedding needs no such help: `TextGenerator(vocabulary, sequential)`.

    Args:
        vocabulary: Its size is the V of the network.
        sequential: From one-hot rows (B, T, V) to probabilities (B, T, V), or what `to_keras` gives.

    Returns:
        A generator with a network of its own; the weights go back by
        `sequential.set_weights(generator.network.get_weights())`.

    Raises:
        InputError: The network does not begin with one-hot rows and a recurrent layer, or is none that can be stepped
            through.
    """
    if isinstance(sequential, EncoderDecoder):
        raise InputError(
            "from_keras takes a keras.Sequential; received an EncoderDecoder, which is taken by "
            "TextGenerator(vocabulary, network)."
        )
    if not isinstance(sequential, keras.Sequential) or not sequential.built or not sequential.layers:
        raise InputError(f"from_keras takes a built keras.Sequential; received {wording.shown(sequential)}.")
    rows, *others = [None, *sequential.layers] if len(sequential.input_shape) == 3 else sequential.layers
    reads_one_hot = rows is None or (isinstance(rows, keras.Model) and not rows.weights)
    kind = type(others[0]).__name__ if others else ""
    if not reads_one_hot or kind not in CELLS.values():
        raise InputError(
            f"the network begins with {type(sequential.layers[0]).__name__}, not with one-hot rows and a recurrent "
            "layer; one that reads ids through an Embedding is taken by TextGenerator(vocabulary, network)."
        )
    size = sequential.input_shape[-1] if rows is None else rows.output_shape[-1]
    first = getattr(keras_layers, kind).from_config({**others[0].get_config(), "one_hot": size})
    ids = keras.Input(shape=(None,), batch_size=sequential.input_shape[0], dtype="int32", name="ids")
    rest = [type(layer).from_config(layer.get_config()) for layer in others[1:]]
    network = keras.Sequential([ids, first, *rest], name=sequential.name)
    network.set_weights(sequential.get_weights())
    return TextGenerator(vocabulary, network)


def _one_hot(size: int, dtype: str) -> keras.Model:
    # CategoryEncoding takes a text of one token for a row of its own, and an Embedding of the identity has weights.
    ids = keras.Input(shape=(None,), dtype="int32")
    return keras.Model(ids, keras.ops.one_hot(ids, size, dtype=dtype), name="one_hot")
