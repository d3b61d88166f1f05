"""A network that reads a text in both directions: what a decoder translates, or steers by.

Axis letters: B batch, S places, U units.
"""

from __future__ import annotations

from typing import Any

import keras

from tfgen.errors import check_choice, real_number, whole_number
from tfgen.layers import keras_layers
from tfgen.layers.bidirectional import Bidirectional
from tfgen.layers.stepping import CELLS
from tfgen.networks.text_reader import TextReader, check_vocabulary
from tfgen.vocabulary.vocabulary import Vocabulary


@keras.saving.register_keras_serializable(package="tfgen")
class TextEncoder(TextReader):
    """Texts to what was read at each place (B, S, 2 U): an embedding, and recurrent layers in both directions.

    Attributes:
        vocabulary: Text to ids.
        cell: "lstm", "gru" or "rnn".
        units: U.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        cell: str = "lstm",
        units: int = 128,
        layers: int = 1,
        embedding: int = 64,
        dropout: float = 0.0,
        seed: int | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        """Make it with fresh weights; see `text_encoder`."""
        if seed is not None:
            whole_number("seed", seed, 0, most=2**63 - 1)
        policy = keras.dtype_policies.get(dtype)
        check_vocabulary(vocabulary)
        check_choice("cell", cell, [*CELLS])
        whole_number("units", units, 1)
        real_number("dropout", dropout, at_least=0, below=1)
        self._settings = {
            "cell": cell,
            "units": units,
            "layers": whole_number("layers", layers, 1),
            "embedding": whole_number("embedding", embedding, 1),
            "dropout": dropout,
            "seed": seed,
            "dtype": policy.name,
        }
        kind = getattr(keras_layers, CELLS[cell])
        ids = keras.Input((None,), dtype="int32", name="ids")
        uniform = keras.initializers.RandomUniform(-0.05, 0.05, seed=seed)
        x = keras.layers.Embedding(
            len(vocabulary), embedding, embeddings_initializer=uniform, mask_zero=True, dtype=policy
        )(ids)
        for i in range(layers):
            of_layer = None if seed is None else (seed + 1 + i) % 2**63
            reader = kind(
                units,
                return_sequences=True,
                kernel_initializer=keras.initializers.GlorotUniform(of_layer),
                recurrent_initializer=keras.initializers.Orthogonal(seed=of_layer),
                dtype=policy,
            )
            x = Bidirectional(reader, dtype=policy)(x)
            if dropout:
                x = keras.layers.SpatialDropout1D(dropout, seed=of_layer, dtype=policy)(x)
        super().__init__(vocabulary, keras.Model(ids, x), **kwargs)
        self.cell, self.units = cell, units

    def get_config(self) -> dict[str, Any]:
        """Give the constructor's arguments as plain JSON types."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "vocabulary": self.vocabulary.get_config(),
            **self._settings,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> TextEncoder:
        """Make the encoder that `get_config` described; it has fresh weights."""
        config = dict(config)
        return cls(Vocabulary.from_config(config.pop("vocabulary")), **config)


def text_encoder(
    vocabulary: Vocabulary,
    *,
    cell: str = "lstm",
    units: int = 128,
    layers: int = 1,
    embedding: int = 64,
    dropout: float = 0.0,
    seed: int | None = None,
) -> TextEncoder:
    """Make an untrained encoder of texts, for `TextGenerator.build(..., encoder=...)`.

    Args:
        vocabulary: Of the texts that it reads.
        cell: "lstm", "gru" or "rnn".
        units: U, of each layer and direction.
        layers: How many recurrent layers.
        embedding: Size of the learned embedding of the tokens.
        dropout: Share of a layer's outputs that is dropped while training, the same units at each place of a row.
        seed: Makes the initial weights and the dropout draws the same in every run; None draws them anew.

    Raises:
        InputError: A setting is out of its range.
    """
    return TextEncoder(
        vocabulary, cell=cell, units=units, layers=layers, embedding=embedding, dropout=dropout, seed=seed
    )
