"""A network with an encoder as a language model: its first state, and what it attends to, come from a source.

Axis letters: B batch, T time, S places of a source, F features.
"""

from typing import Any

import tensorflow as tf

from tfgen.errors import check_instance
from tfgen.layers import stepping
from tfgen.layers.attention import Memory
from tfgen.layers.recurrence import State
from tfgen.networks.encoder_decoder import Encoded, EncoderDecoder
from tfgen.networks.recurrent import Recurrent


class Conditioned(Recurrent):
    """p(next token | tokens before it, source); the context is what the encoder has read of the source.

    Attributes:
        network: The encoder and the decoder.
        source: What `encode` takes, a nest of `tf.TensorSpec` whose first axis is B.
        source_ids: Turns sources that are texts into what `encode` takes, see `TextReader.ids`; None where they are
            arrays.
        context: The structure of what `encode` gives.
    """

    def __init__(self, network: EncoderDecoder) -> None:
        """Take a network.

        Raises:
            InputError: It is no `EncoderDecoder`.
        """
        check_instance("the network", network, EncoderDecoder, "a tfgen.networks.EncoderDecoder")
        super().__init__(network.decoder)
        self.network: Any = network
        self.source = network.source
        self.source_ids = getattr(network.encoder, "ids", None)
        self.context: Any = _context(network)

    def encode(self, source: Any) -> Encoded:
        """Read sources, which are as `source` says: the context of as many texts."""
        return self.network.encode(source)

    def start(self, context: Encoded, rows: Any) -> State:
        """Give the state before the first token, made from what the encoder has read."""
        begun = iter(self.network.beginning(context))
        layers = zip(self.network.decoder.layers, self._layers, strict=False)
        return [
            stepping.cast(layer, context.summary, next(begun))[1]
            if stepping.is_recurrent(layer)
            else stepped.first_state(rows)
            for layer, (stepped, remembers) in layers
            if remembers
        ]

    def _in_context(self, features: tf.Tensor, context: Encoded) -> tf.Tensor:
        if self.network.attention is None:
            return features
        return self.network.attention.attend(features, context.memory)[0]

    @property
    def attends(self) -> bool:
        """Whether each token looks at the places of the source."""
        return self.network.attention is not None

    def attention(self, ids: tf.Tensor, context: Encoded) -> tf.Tensor:
        """Give the weights of the places of the source, (B, T, S), with which each next token is predicted.

        Args:
            ids: Int (B, T), from the beginning of the texts.
            context: Of the rows, of a network that attends.
        """
        features, _ = self.features(ids, self.start(context, tf.shape(ids)[0]), None)
        return self.network.attention.attend(features, context.memory)[1]


def _context(network: EncoderDecoder) -> Encoded:
    """Describe what a network encodes to: a nest of `tf.TensorSpec`."""
    kind = network.compute_dtype
    summary = tf.TensorSpec(network.summary_shape, kind)
    if network.attention is None:
        return Encoded(summary, ())
    places = network.encoder.output_shape[1]
    keys, values = network.attention.score_kernel.shape[1], network.attention.units
    memory = Memory(
        tf.TensorSpec([None, places, keys], kind),
        tf.TensorSpec([None, places, values], kind),
        tf.TensorSpec([None, places], tf.bool),
    )
    return Encoded(summary, memory)
