"""A network for more tokens: every weight is kept, and what belongs to a new token is the mean over those before it.

So a new token is predicted as an average one is, and the next ones as after an average one, until it is learned.

Axis letters: V vocabulary, D features.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tfgen.errors import InputError
from tfgen.networks.chain import plain
from tfgen.networks.encoder_decoder import EncoderDecoder
from tfgen.networks.recurrent import check
from tfgen.networks.text_encoder import TextEncoder
from tfgen.vocabulary.vocabulary import RESERVED, Vocabulary

_SIZES = {"one_hot", "input_dim"}  # of what reads ids, as Keras and tfgen call it


def grown(network: Any, size: int, of_sources: Vocabulary | None = None) -> Any:
    """Rebuild a network for a larger vocabulary, whose first tokens are those of the old one.

    Args:
        network: A Sequential that passes `check`, or one with an encoder before it.
        size: V, at least that of the network.
        of_sources: The vocabulary of an encoder of texts, whose first tokens are those of the old one; None keeps it.

    Returns:
        A new network. Kernels of one-hot rows, embeddings and the head have new rows, or columns, each the mean over
        those of the old tokens, the reserved three left out; all else is what it was.

    Raises:
        InputError: It is a network of another kind, such as counts; or its encoder cannot grow.
    """
    if isinstance(network, EncoderDecoder):
        encoder: Any = network.encoder
        if of_sources is not None:
            if not isinstance(encoder, TextEncoder):
                raise InputError(
                    "only an encoder of networks.text_encoder grows; received another one and of_sources: omit it, or "
                    "build a generator with an encoder of more tokens."
                )
            settings = {**encoder.get_config(), "vocabulary": of_sources.get_config()}
            encoder = _with_weights(TextEncoder.from_config(settings), network.encoder)
        joined = EncoderDecoder(
            encoder,
            grown(network.decoder, size),
            attention=network.attention is not None,
            name=network.name,
            dtype=network.dtype_policy,
        )
        return _with_weights(joined, network)
    check(network)
    network = plain(network)
    layers: list[Any] = [keras.Input((None,), batch_size=network.input_shape[0], dtype="int32", name="ids")]
    for place, layer in enumerate(network.layers):
        config = layer.get_config()
        if place == 0:
            config |= {name: max(config[name], size) for name in _SIZES & config.keys() if config[name]}
        if place == len(network.layers) - 1:
            config["units"] = size
        layers.append(type(layer).from_config(config))
    return _with_weights(keras.Sequential(layers, name=network.name), network)


def _with_weights(network: Any, old: Any) -> Any:
    arrays = zip(old.get_weights(), network.get_weights(), strict=True)
    network.set_weights([_grown(before, now.shape) for before, now in arrays])
    return network


def _grown(array: npt.NDArray[Any], shape: Sequence[int]) -> npt.NDArray[Any]:
    """Give an array of a larger shape, to the end of whose axis of tokens means over it are added."""
    for axis, (before, now) in enumerate(zip(array.shape, shape, strict=True)):
        if now > before:
            real = np.take(array, range(len(RESERVED), before), axis)
            mean = real.mean(axis=axis, keepdims=True, dtype=np.float64).astype(array.dtype)
            array = np.concatenate([array, np.repeat(mean, now - before, axis)], axis)
    return array
