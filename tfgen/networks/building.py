"""Builds a network: a plain stateful `keras.Sequential` from integer tokens to probabilities.

Axis letters: B batch, T time, V vocabulary, U units.
"""

from collections.abc import Iterator
from typing import Any

import keras

from tfgen import errors
from tfgen.layers import keras_layers
from tfgen.layers.stepping import CELLS
from tfgen.support import wording


def build(
    vocabulary_size: int,
    *,
    cell: str = "lstm",
    units: int = 256,
    layers: int = 1,
    dropout: float = 0.0,
    weight_drop: float = 0.0,
    embedding: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
) -> keras.Sequential:
    """Build integer tokens -> one-hot (or embedding) -> recurrent layers -> per-timestep softmax.

    Recurrent kernels are orthogonal and an LSTM's forget bias is 1, which are Keras' own defaults (Saxe et al. 2014,
    arXiv:1312.6120; Jozefowicz et al. 2015).

    Args:
        vocabulary_size: V, the reserved ids included.
        cell: "lstm", "gru" or "rnn".
        units: U, of each recurrent layer.
        layers: How many recurrent layers.
        dropout: Share of a recurrent layer's outputs that is dropped while training, never on the recurrent connection
            (Zaremba et al. 2014, arXiv:1409.2329) and the same units at each timestep of a row (Gal and Ghahramani
            2016, arXiv:1512.05287).
        weight_drop: Share of the recurrent weights of an LSTM or GRU that is dropped while training, see
            `tfgen.layers.LSTM`.
        embedding: Size of a learned embedding of the tokens; None reads them one-hot.
        batch_size: B of a stateful network, whose state is carried from batch to batch; None starts every batch from
            the zero state and takes batches of any size.
        seed: Makes the initial weights and the dropout draws the same in every run; None draws them anew.

    Returns:
        A built Sequential from int ids (B, T) to probabilities (B, T, V).

    Raises:
        InputError: A setting is out of its range.
    """
    _check_settings(vocabulary_size, cell, units, layers, dropout, weight_drop, embedding, batch_size, seed)
    seeds = _seeds(seed)
    stack: list[Any] = [keras.Input(shape=(None,), batch_size=batch_size, dtype="int32", name="ids")]
    if embedding is not None:
        initializer = keras.initializers.RandomUniform(-0.05, 0.05, seed=next(seeds))
        stack.append(keras.layers.Embedding(vocabulary_size, embedding, embeddings_initializer=initializer))
    layer = getattr(keras_layers, CELLS[cell])
    dropped = {} if cell == "rnn" else {"weight_drop": weight_drop}
    for index in range(layers):
        stack.append(
            layer(
                units,
                one_hot=vocabulary_size if index == 0 and embedding is None else None,
                return_sequences=True,
                stateful=batch_size is not None,
                kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
                recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
                seed=next(seeds) if weight_drop else None,
                **dropped,
                name=f"{cell}_{index + 1}",
            )
        )
        if dropout:
            # The same units all along a row, which is what Keras' layer of this name does.
            stack.append(keras.layers.SpatialDropout1D(dropout, seed=next(seeds), name=f"dropout_{index + 1}"))
    initializer = keras.initializers.GlorotUniform(seed=next(seeds))
    stack.append(
        keras.layers.Dense(vocabulary_size, activation="softmax", kernel_initializer=initializer, name="softmax")
    )
    return keras.Sequential(stack, name="network")


def _check_settings(
    vocabulary_size: int,
    cell: str,
    units: int,
    layers: int,
    dropout: float,
    weight_drop: float,
    embedding: int | None,
    batch_size: int | None,
    seed: int | None,
) -> None:
    if seed is not None:
        errors.whole_number("seed", seed, 0, most=2**63 - 1)
    if not isinstance(cell, str) or cell not in CELLS:
        raise errors.InputError(f"cell must be one of {', '.join(CELLS)}; received {wording.shown(cell)}.")
    for name, share in (("dropout", dropout), ("weight_drop", weight_drop)):
        errors.real_number(name, share, at_least=0, below=1)
    if weight_drop and cell == "rnn":
        raise errors.InputError(f"weight_drop is for the cells lstm and gru; received {weight_drop} for a plain rnn.")
    counts = {"vocabulary_size": vocabulary_size, "units": units, "layers": layers}
    optional = {"embedding": embedding, "batch_size": batch_size}
    for name, value in {**counts, **{k: v for k, v in optional.items() if v is not None}}.items():
        errors.whole_number(name, value, 1)


def _seeds(seed: int | None) -> Iterator[int | None]:
    while True:
        yield seed
        if seed is not None:
            seed = (seed + 1) % 2**63  # TensorFlow takes no larger one
