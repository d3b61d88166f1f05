"""What a network that a generator holds may be: a Sequential, one with an encoder before it, counts, or a mixture."""

from typing import Any

import keras

from tfgen.errors import InputError
from tfgen.networks import chain, growing, recurrent, source_shapes
from tfgen.networks.conditioned import Conditioned
from tfgen.networks.counts import Counts, is_counts
from tfgen.networks.encoder_decoder import EncoderDecoder
from tfgen.networks.mixture import Mixed, Mixture
from tfgen.networks.model import LanguageModel
from tfgen.networks.recurrent import Recurrent
from tfgen.networks.text_reader import TextReader
from tfgen.vocabulary.vocabulary import Vocabulary

Network = keras.Model  # a chain of layers, an EncoderDecoder or a Mixture


def language_model(network: Any) -> LanguageModel:
    """Give a network as a language model.

    Raises:
        InputError: It cannot be stepped; the message names the layer and what is supported.
    """
    if isinstance(network, Mixture):
        return Mixed(network, [language_model(member) for member in network.members])
    if is_counts(network):
        return Counts(network)
    return Conditioned(network) if isinstance(network, EncoderDecoder) else Recurrent(network)


def usual_shares(networks: list[Any]) -> list[float]:
    """Give the weights of a mixture that was fitted on nothing: networks 0.6 and counts 0.4, or all the same."""
    counted = [is_counts(network) for network in networks]
    if all(counted) or not any(counted):
        return [1 / len(networks)] * len(networks)
    return [0.4 / sum(counted) if each else 0.6 / (len(counted) - sum(counted)) for each in counted]


def check_learns(network: Any) -> None:
    """Refuse a network that `fit` cannot train.

    Raises:
        InputError: Says what makes such a one.
    """
    if is_counts(network):
        raise InputError("counts are not trained by fit; TextGenerator.count(corpus) counts another text.")
    if isinstance(network, Mixture):
        raise InputError(
            "a mixture is not trained by fit; train its members, and mix them (TextGenerator.mix, tfgen mix)."
        )


def plain(network: Any) -> Any:
    """Give a network as a part of others takes it, see `tfgen.networks.plain`."""
    return network if is_counts(network) or chain.is_plain(network) else chain.plain(network)


def gives_logits(network: Any) -> bool:
    """Whether what a network gives are logits, and no probabilities yet."""
    return not isinstance(network, EncoderDecoder | Mixture) and not is_counts(network) and chain.gives_logits(network)


def decoder_of(network: Any) -> Any:
    """Give the chain of layers that reads the text itself."""
    return network.decoder if isinstance(network, EncoderDecoder) else network


def rows_of(network: Any) -> int | None:
    """Give the number of rows whose state a network carries from batch to batch; None if it carries none."""
    decoder = decoder_of(network)
    rows: int | None = None if isinstance(decoder, Mixture) else decoder.inputs[0].shape[0]
    return rows


def tokens_of(network: Any) -> int:
    """Give V, the number of tokens whose probabilities a network gives."""
    decoder = decoder_of(network)
    decoder = decoder.members[0] if isinstance(decoder, Mixture) else decoder
    return int(decoder.outputs[0].shape[-1])


def shape(network: Any) -> dict[str, Any]:
    """Describe a network in the terms of `TextGenerator.build`, for provenance; an encoder by its name and shapes."""
    if isinstance(network, Mixture):
        shares = [round(float(share), 4) for share in keras.ops.convert_to_numpy(network.shares)]
        return {"cell": "mixture", "shares": shares, "members": [shape(member) for member in network.members]}
    if is_counts(network):
        layer = network.layers[-1]
        return {"cell": "ngram", "order": layer.order, "ngrams": layer.ngrams}
    described = recurrent.shape(decoder_of(network))
    if not isinstance(network, EncoderDecoder):
        return described
    encoder = {"encoder": network.encoder.name, "encoded": [*network.encoder.output_shape[1:]]}
    return {**described, **encoder, "attention": network.attention is not None}


def check_batches(network: Any, spec: Any) -> None:
    """Refuse batches whose sources the encoder of a network does not take, or that have none.

    Args:
        network: Of a generator.
        spec: Of the batches, a nest of `tf.TensorSpec`: the inputs and the targets.

    Raises:
        InputError: See there.
    """
    inputs = spec[0] if isinstance(spec, tuple) else spec
    if not isinstance(network, EncoderDecoder):
        if isinstance(inputs, tuple):
            raise InputError("the network has no encoder, and the batches have sources: use batches of texts alone.")
    elif not isinstance(inputs, tuple) or len(inputs) != 2:
        raise InputError("the network has an encoder, and the batches no sources: use those of datasets.pairs.")
    else:
        source_shapes.check_batches(network.source, inputs[0])


def with_batch_size(network: Any, batch_size: int | None, dtype: str | None = None) -> Any:
    """Rebuild a network for another batch size, with the same weights.

    Args:
        network: Of a generator.
        batch_size: B of a stateful network; None makes it start every batch from the zero state.
        dtype: The dtype policy of all layers; None leaves to each its own.

    Raises:
        InputError: A network with an encoder is asked to be stateful.
    """
    if isinstance(network, Mixture):
        if batch_size is not None:
            raise InputError(f"a mixture keeps no state between batches; received batch_size={batch_size}: give None.")
        mixture = Mixture([with_batch_size(member, None, dtype) for member in network.members], name=network.name)
        mixture.set_weights(network.get_weights())
        return mixture
    if not isinstance(network, EncoderDecoder):
        return recurrent.with_batch_size(network, batch_size, dtype)
    if batch_size is not None:
        raise InputError(
            f"a network with an encoder begins every row with its source; received batch_size={batch_size}: give None."
        )
    twin = EncoderDecoder(
        _cloned(network.encoder, dtype),
        recurrent.with_batch_size(network.decoder, None, dtype),
        attention=network.attention is not None,
        name=network.name,
        dtype=dtype or network.dtype_policy,
    )
    twin.set_weights(network.get_weights())
    return twin


def grown(network: Any, size: int, of_sources: Vocabulary | None = None) -> Any:
    """Rebuild a network for more tokens, see `tfgen.networks.growing`.

    Raises:
        InputError: It is none that learns.
    """
    check_learns(network)
    return growing.grown(network, size, of_sources)


def _cloned(encoder: keras.Model, dtype: str | None) -> keras.Model:
    """Make an encoder anew, with fresh weights, and all its layers in one dtype policy or each in its own."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        return type(layer).from_config(
            config if dtype is None else {**recurrent.in_policy(config, dtype), "dtype": dtype}
        )

    if isinstance(encoder, TextReader):
        return clone(encoder)
    return keras.models.clone_model(encoder, clone_function=clone)
