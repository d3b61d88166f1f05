"""What the texts of an exported model depend on: its inputs by name, and the context that a model makes of them.

Axis letters: B batch, S places of a source.
"""

from typing import Any

import keras
import tensorflow as tf

from tfgen.networks.model import LanguageModel
from tfgen.networks.text_reader import TextReader


def specs_of_sources(model: LanguageModel, strings: bool) -> Any:
    """Describe the sources of a model as a nest of `tf.TensorSpec`, each with a name; () where it takes none.

    A single one is `sources`; of several each has the name that its model gives it, else `sources_0` and so on.

    Args:
        model: What is exported. One that takes a context and does not encode it is given the context itself.
        strings: Whether sources that are texts are strings (B,); else they are ids, int32 (B, S).
    """
    if strings and text_encoder_of(model):
        return tf.TensorSpec([None], tf.string, "sources")
    structure = getattr(model, "source", model.context)
    leaves = tf.nest.flatten(structure)
    names = ["sources"] if len(leaves) == 1 else [leaf.name or f"sources_{i}" for i, leaf in enumerate(leaves)]
    named = [tf.TensorSpec(leaf.shape, leaf.dtype, name) for leaf, name in zip(leaves, names, strict=True)]
    return tf.nest.pack_sequence_as(structure, named)


def context_of(model: LanguageModel, sources: Any) -> Any:
    """Give the context that a model makes of such sources."""
    return model.encode(sources) if hasattr(model, "encode") else sources


def text_encoder_of(model: LanguageModel) -> TextReader | None:
    """Give what reads the sources of a model, where these are texts."""
    encoder = _encoder(model)
    return encoder if isinstance(encoder, TextReader) else None


def layers_of(model: LanguageModel) -> list[keras.layers.Layer]:
    """Give all that reads sources and may hold a table of tokens."""
    encoder = _encoder(model)
    if encoder is None:
        return []
    return [encoder, encoder.ids_from_text()] if isinstance(encoder, TextReader) else [encoder]


def _encoder(model: LanguageModel) -> keras.Model | None:
    return getattr(getattr(model, "network", None), "encoder", None)
