"""Where each weight of a transformer stands in the state dict of Hugging Face's GPT-2, see `tfgen.interop`."""

from collections.abc import Iterator
from typing import Any

import keras

from tfgen.errors import InputError
from tfgen.interop.parts import Part, embedding, turned
from tfgen.layers import stepping
from tfgen.layers.transformer import Transformer
from tfgen.networks import chain
from tfgen.support import wording


def is_gpt2(network: keras.Sequential) -> bool:
    """Whether a network has a transformer."""
    return any(isinstance(layer, Transformer) for layer in chain.layers_of(network))


def parts_of_gpt2(network: keras.Sequential) -> list[Part]:
    """Take a network with a transformer apart.

    Raises:
        InputError: It is not as GPT-2 has it: an embedding, one transformer and a head without a bias.
    """
    layers = chain.layers_of(network)
    kinds = [type(layer) for layer in layers]
    if kinds != [keras.layers.Embedding, Transformer, keras.layers.Dense] or layers[-1].bias is not None:
        found = wording.listed([stepping.named(layer) for layer in layers], 8)
        raise InputError(f"GPT-2 has an embedding, one transformer and a head without a bias; received {found}.")
    tokens, transformer, head = layers
    return [embedding("transformer.wte", tokens), _transformer(transformer), _head(head)]


def _transformer(layer: Transformer) -> Part:
    names = dict(_names(layer))
    ordered = [names[weight.path] for weight in layer.weights]
    return Part(
        layer,
        lambda weights: dict(zip(ordered, weights, strict=True)),
        lambda given: [given[name] for name in ordered],
    )


def _names(layer: Transformer) -> Iterator[tuple[str, str]]:
    """Give the path of each weight, and its name in GPT-2, whose kernels are turned as those of Keras are."""
    yield layer.positions.path, "transformer.wpe.weight"
    for i, block in enumerate(layer.blocks):
        linear = {"attn.c_attn": "attention", "attn.c_proj": "projection", "mlp.c_fc": "wide", "mlp.c_proj": "narrow"}
        for theirs, ours in linear.items():
            for weight, kind in zip(getattr(block, ours), ("weight", "bias"), strict=True):
                yield weight.path, f"transformer.h.{i}.{theirs}.{kind}"
        yield from _normalization(block.norm_1, f"transformer.h.{i}.ln_1")
        yield from _normalization(block.norm_2, f"transformer.h.{i}.ln_2")
    yield from _normalization(layer.normalization, "transformer.ln_f")


def _normalization(layer: Any, name: str) -> Iterator[tuple[str, str]]:
    yield layer.scale.path, f"{name}.weight"
    yield layer.offset.path, f"{name}.bias"


def _head(layer: Any) -> Part:
    return Part(
        layer, lambda weights: {"lm_head.weight": turned(weights[0])}, lambda given: [given["lm_head.weight"].T]
    )
