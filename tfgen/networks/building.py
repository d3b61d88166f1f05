"""Builds a network: a plain `keras.Sequential` from integer tokens to probabilities, recurrent or a transformer.

Axis letters: B batch, T time, V vocabulary, U units.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import keras

from tfgen import errors
from tfgen.layers import keras_layers
from tfgen.layers.stepping import CELLS, TRANSFORMER
from tfgen.layers.transformer import Transformer
from tfgen.support import keywords, wording

_RECURRENT = {"units": 256, "layers": 1}
_TRANSFORMER = {"units": 128, "layers": 4, "heads": 4, "window": 64}


def usual(cell: str) -> Mapping[str, int]:
    """Give the sizes that a network of a cell has where none are given."""
    return _TRANSFORMER if cell == TRANSFORMER else _RECURRENT


@keywords.suggesting
def build(
    vocabulary_size: int,
    *,
    cell: str = "lstm",
    units: int | None = None,
    layers: int | None = None,
    dropout: float = 0.0,
    weight_drop: float = 0.0,
    embedding: int | None = None,
    heads: int | None = None,
    window: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
) -> keras.Sequential:
    """Build integer tokens -> one-hot (or embedding) -> recurrent layers -> per-timestep softmax.

    Or, as cell "transformer", tokens -> embedding -> `tfgen.layers.Transformer` -> per-timestep softmax.

    Recurrent kernels are orthogonal and an LSTM's forget bias is 1, which are Keras' own defaults (Saxe et al. 2014,
    arXiv:1312.6120; Jozefowicz et al. 2015).

    Args:
        vocabulary_size: V, the reserved ids included.
        cell: "lstm", "gru", "rnn" or "transformer".
        units: U, of each layer; None: 256, and 128 of a transformer.
        layers: How many recurrent layers, or blocks of a transformer; None: 1, and 4 of a transformer.
        dropout: Share of a recurrent layer's outputs that is dropped while training, never on the recurrent connection
            (Zaremba et al. 2014, arXiv:1409.2329) and the same units at each timestep of a row (Gal and Ghahramani
            2016, arXiv:1512.05287).
        weight_drop: Share of the recurrent weights of an LSTM or GRU that is dropped while training, see
            `tfgen.layers.LSTM`.
        embedding: Size of a learned embedding of the tokens; None reads them one-hot. That of a transformer has U.
        heads: H, of a transformer; None: 4.
        window: W, how many tokens a transformer sees at most, see `tfgen.layers.Transformer`; None: 64.
        batch_size: B of a stateful network, whose state is carried from batch to batch; None starts every batch from
            the zero state and takes batches of any size.
        seed: Makes the initial weights and the dropout draws the same in every run; None draws them anew.

    Returns:
        A built Sequential from int ids (B, T) to probabilities (B, T, V).

    Raises:
        InputError: A setting is out of its range, or is for networks of another kind.
    """
    _check_cell(cell)
    sizes = dict(usual(cell))
    given = {"units": units, "layers": layers, "heads": heads, "window": window}
    sizes |= {name: value for name, value in given.items() if value is not None}
    _check_settings(vocabulary_size, cell, sizes, dropout, weight_drop, embedding, batch_size, seed)
    seeds = _seeds(seed)
    if cell == TRANSFORMER:
        return _transformer(vocabulary_size, dropout=dropout, seeds=seeds, **sizes)
    units, layers = sizes["units"], sizes["layers"]
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


def _transformer(
    vocabulary_size: int, *, units: int, layers: int, heads: int, window: int, dropout: float, seeds: Iterator[Any]
) -> keras.Sequential:
    def drawn() -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(stddev=0.02, seed=next(seeds))

    return keras.Sequential(
        [
            keras.Input(shape=(None,), dtype="int32", name="ids"),
            keras.layers.Embedding(vocabulary_size, units, embeddings_initializer=drawn(), name="tokens"),
            Transformer(layers, heads, window, dropout, seed=next(seeds), name="transformer"),
            keras.layers.Dense(
                vocabulary_size, activation="softmax", use_bias=False, kernel_initializer=drawn(), name="softmax"
            ),
        ],
        name="network",
    )


def _check_cell(cell: str) -> None:
    if not isinstance(cell, str) or cell not in (*CELLS, TRANSFORMER):
        names = ", ".join([*CELLS, TRANSFORMER])
        raise errors.InputError(f"cell must be one of {names}; received {wording.shown(cell)}.")


def _check_settings(
    vocabulary_size: int,
    cell: str,
    sizes: Mapping[str, int],
    dropout: float,
    weight_drop: float,
    embedding: int | None,
    batch_size: int | None,
    seed: int | None,
) -> None:
    if seed is not None:
        errors.whole_number("seed", seed, 0, most=2**63 - 1)
    for name, share in (("dropout", dropout), ("weight_drop", weight_drop)):
        errors.real_number(name, share, at_least=0, below=1)
    if weight_drop and cell == "rnn":
        raise errors.InputError(f"weight_drop is for the cells lstm and gru; received {weight_drop} for a plain rnn.")
    if foreign := sorted({*sizes} - {*usual(cell)}):
        raise errors.InputError(f"{wording.listing(foreign)} is for a transformer; received cell={cell!r}: omit it.")
    if cell == TRANSFORMER:
        recurrent = {"weight_drop": weight_drop, "embedding": embedding, "batch_size": batch_size}
        for name, value in recurrent.items():
            if value:
                raise errors.InputError(
                    f"{name} is for recurrent networks; received {value} for a transformer: omit it, for its embedding "
                    "has its units, and it carries no state from batch to batch."
                )
    counts = {"vocabulary_size": vocabulary_size, **sizes}
    optional = {"embedding": embedding, "batch_size": batch_size}
    for name, value in {**counts, **{k: v for k, v in optional.items() if v is not None}}.items():
        errors.whole_number(name, value, 1)


def _seeds(seed: int | None) -> Iterator[int | None]:
    while True:
        yield seed
        if seed is not None:
            seed = (seed + 1) % 2**63  # TensorFlow takes no larger one
