"""A transformer that looks back over a window of tokens, and writes texts of any length at a constant cost a token.

Positions are learned for each place of a window, as in GPT-2, so that keys and values which were computed for one place
cannot be moved to another: a window cannot roll. Instead a text of any length is read in overlapping contexts. Context
j begins at token j W / 2 and is W tokens long. Each token is predicted from the longest context that it lies in, the
one before the last to have begun, and so from itself and at least W / 2 - 1 tokens before it, at places at which the
network was trained. So what is written is exactly what the network gives on these contexts, each as a text of its own.

Two contexts are open at any time: one to predict from, and the one that will be in its place. Both are kept as state,
and each token is read in both. That costs two rows for each row of a batch, at every token the same, whatever the
lengths of the rows of a batch: nothing is ever read again.

Axis letters: B batch, T time, W window, U units, H heads, D units of a head, C contexts (2).
"""

from typing import Any

import keras
import tensorflow as tf

from tfgen.errors import InputError, real_number, whole_number
from tfgen.layers.transformer_block import Block, Normalization

State = list[tf.Tensor]


@keras.saving.register_keras_serializable(package="tfgen")
class Transformer(keras.layers.Layer):
    """Blocks of attention to what came before (Vaswani et al. 2017), as GPT-2 has them (Radford et al. 2019): learned
    positions, normalisation before each part and after the last, GELU by its tanh approximation.

    It maps embedded tokens (B, T, U) to features (B, T, U). Of at most W tokens each sees all before it; for longer
    texts see the module: `call`, `read` and `step` give the same.

    Args:
        layers: How many blocks.
        heads: H, which divides U.
        window: W, an even number: how far back it sees at most.
        dropout: Share of the embeddings, of the attention's weights and of each part's output that is dropped while
            training, as GPT-2 does.
        seed: Makes the initial weights and the dropout the same in every run; None draws them anew.
        **kwargs: As for `keras.layers.Layer`.

    Raises:
        InputError: A setting is out of its range, or the heads do not divide the units.
    """

    def __init__(
        self,
        layers: int = 4,
        heads: int = 4,
        window: int = 64,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.layers = whole_number("layers", layers, 1)
        self.heads = whole_number("heads", heads, 1)
        self.window = whole_number("window", window, 2)
        if self.window % 2:
            raise InputError(f"window must be an even number, for texts are read by its halves; received {window}.")
        self.dropout = real_number("dropout", dropout, at_least=0, below=1)
        self.seed = None if seed is None else whole_number("seed", seed, 0, most=2**63 - 1)
        # Its own number for each block, so that no two begin alike.
        seeds = [None if self.seed is None else (self.seed + 1 + 8 * i) % 2**63 for i in range(self.layers)]
        self.blocks = [
            Block(self.heads, self.layers, self.dropout, seed, name=f"block_{i + 1}", dtype=self.dtype_policy)
            for i, seed in enumerate(seeds)
        ]
        self.normalization = Normalization(name="normalization", dtype=self.dtype_policy)
        self._dropped = keras.layers.Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs (B, T, U)."""
        units = input_shape[-1]
        if len(input_shape) != 3 or units % self.heads:
            raise InputError(
                f"a transformer reads (B, T, U), where {self.heads} heads divide U; received the shape {input_shape}."
            )
        initializer = keras.initializers.RandomNormal(stddev=0.02, seed=self.seed)
        self.positions = self.add_weight(name="positions", shape=(self.window, units), initializer=initializer)
        for block in self.blocks:
            block.build(input_shape)
        self.normalization.build(input_shape)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Read texts (B, T, U) from their beginning."""
        length = inputs.shape[1]
        if length is not None and length <= self.window:
            return self._window(inputs, training)
        return self._contexts(inputs, training)

    def _window(self, inputs: tf.Tensor, training: bool) -> tf.Tensor:
        """Read rows (B, T, U) of at most W tokens, each a context of its own."""
        shape = tf.shape(inputs)
        x = self._dropped(inputs + self._positions()[: shape[1]], training=training)
        for block in self.blocks:
            x = block(x, training=training)
        return self.normalization(x)

    def _contexts(self, inputs: tf.Tensor, training: bool) -> tf.Tensor:
        """Read rows of any lengths, in all their contexts at once."""
        rows, length, units = tf.shape(inputs)[0], tf.shape(inputs)[1], inputs.shape[2]
        width, half = tf.minimum(length, self.window), self.window // 2
        more = tf.maximum(length - self.window + half - 1, 0) // half  # contexts after the first
        padded = tf.pad(inputs, [[0, 0], [0, width + more * half - length], [0, 0]])
        places = tf.range(more + 1)[:, tf.newaxis] * half + tf.range(width)
        contexts = tf.reshape(tf.gather(padded, places, axis=1), [-1, width, units])
        read = tf.reshape(self._window(contexts, training), [rows, more + 1, width, units])
        later = tf.reshape(read[:, 1:, width - tf.minimum(half, width) :], [rows, -1, units])
        return tf.ensure_shape(tf.concat([read[:, 0], later], axis=1)[:, :length], [None, inputs.shape[1], units])

    # As `layers.Stepped` has it: the place of the next token, and of each block the keys and values of both contexts.

    def first_state(self, rows: Any) -> State:
        """Give the state before the first token: a place (B,), and keys and values (B, 2, W, U) of each block."""
        empty = tf.zeros([rows, 2, self.window, self.positions.shape[1]], self.compute_dtype)
        return [tf.zeros([rows], tf.int32), *[empty for _ in range(2 * self.layers)]]

    def read(self, inputs: tf.Tensor, state: State, mask: tf.Tensor | None = None) -> tuple[tf.Tensor, State]:
        """Read sequences (B, T, U) on from a state; see `tfgen.layers.Stepped`."""
        rows, length, units = tf.shape(inputs)[0], tf.shape(inputs)[1], inputs.shape[2]
        lengths = tf.fill([rows], length) if mask is None else tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
        pieces = -(-length // self.window)
        padded = tf.pad(inputs, [[0, 0], [0, pieces * self.window - length], [0, 0]])
        outputs = tf.TensorArray(inputs.dtype, pieces, element_shape=[None, self.window, units])

        def read_piece(i: tf.Tensor, state: State, outputs: tf.TensorArray) -> tuple[tf.Tensor, State, tf.TensorArray]:
            begin = i * self.window
            real = tf.clip_by_value(lengths - begin, 0, self.window)
            output, state = self._read_piece(padded[:, begin : begin + self.window], real, state)
            return i + 1, state, outputs.write(i, output)

        shapes = [tf.TensorShape([None]), *[tf.TensorShape([None, 2, self.window, units])] * (2 * self.layers)]
        _, state, outputs = tf.while_loop(
            lambda i, *_: i < pieces,
            read_piece,
            (tf.constant(0), state, outputs),
            (tf.TensorShape([]), shapes, tf.TensorShape(None)),
            parallel_iterations=1,
        )
        joined = tf.reshape(tf.transpose(outputs.stack(), [1, 0, 2, 3]), [rows, -1, units])
        return joined[:, :length], state

    def _read_piece(self, inputs: tf.Tensor, real: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        """Read (B, T, U), of which the first `real` (B,) are no padding."""
        begun, *kept = state
        tokens = begun[:, tf.newaxis] + tf.range(tf.shape(inputs)[1])
        places = self._places(tokens)  # (B, C, T)
        first = tf.maximum(tokens[:, tf.newaxis] - places, 0)  # of the context that each token is read in
        # Of what is kept, the token that stands at each place: the last one before this piece that had it.
        kept_tokens = _last_at(self.window, begun - 1, places[..., 0] - 1)
        seen_kept = kept_tokens[:, :, tf.newaxis] >= first[..., tf.newaxis]
        new = tokens[:, tf.newaxis]
        seen_new = (new[..., tf.newaxis, :] >= first[..., tf.newaxis]) & (
            new[..., tf.newaxis, :] <= new[..., tf.newaxis]
        )
        seen = tf.concat([seen_kept, seen_new], axis=-1)  # (B, C, T, W + T)
        # What is kept of this piece: at each place the last real token that has it.
        last = begun + real - 1
        held = _last_at(self.window, last, (places[..., 0] + (real - 1)[:, tf.newaxis]) % self.window)
        taken = held >= begun[:, tf.newaxis, tf.newaxis]
        chosen = tf.maximum(held - begun[:, tf.newaxis, tf.newaxis], 0)
        x = inputs[:, tf.newaxis] + tf.gather(self._positions(), places)
        after = []
        for block, keys, values in zip(self.blocks, kept[::2], kept[1::2], strict=True):
            x, new_keys, new_values = block.read(x, keys, values, seen)
            for old, given in ((keys, new_keys), (values, new_values)):
                after.append(tf.where(taken[..., tf.newaxis], tf.gather(given, chosen, axis=2, batch_dims=2), old))
        return self.normalization(self._predicting(x, tokens)), [self._counted(begun + real), *after]

    def step(self, inputs: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        """Read one token a row, (B, U); see `tfgen.layers.Stepped`."""
        token, *kept = state
        places = self._places(token[:, tf.newaxis])[..., 0]  # (B, C)
        here = tf.range(self.window) == places[..., tf.newaxis]
        begun = places - tf.minimum(places, token[:, tf.newaxis])
        seen = (tf.range(self.window) <= places[..., tf.newaxis]) & (tf.range(self.window) >= begun[..., tf.newaxis])
        x = inputs[:, tf.newaxis] + tf.gather(self._positions(), places)
        after = []
        for block, keys, values in zip(self.blocks, kept[::2], kept[1::2], strict=True):
            x, keys, values = block.step(x, keys, values, here, seen)
            after += [keys, values]
        x = self._predicting(x[:, :, tf.newaxis], token[:, tf.newaxis])[:, 0]
        return self.normalization(x), [self._counted(token + 1), *after]

    def _places(self, tokens: tf.Tensor) -> tf.Tensor:
        """Give the places of tokens (B, T) in both contexts, (B, C, T)."""
        return tf.stack([tokens % self.window, (tokens + self.window // 2) % self.window], axis=1)

    def _predicting(self, x: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
        """Take of what was read in both contexts, (B, C, T, U), for each token (B, T) the one in which it stands later.

        The second of them has no first half, and so the first half of a text is read in the first.
        """
        half = self.window // 2
        second = (tokens >= half) & (tokens % self.window < half)
        return tf.where(second[..., tf.newaxis], x[:, 1], x[:, 0])

    def _counted(self, tokens: tf.Tensor) -> tf.Tensor:
        """Count on in a circle, once a window is full: a text may be longer than int32."""
        return tf.where(tokens < self.window, tokens, self.window + tokens % self.window)

    def _positions(self) -> tf.Tensor:
        return tf.cast(self.positions.value, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Give (B, T, U)."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Give the arguments of the constructor."""
        names = ("layers", "heads", "window", "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _last_at(window: int, last: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Give the last token that stands at each place of a window, (B, C, W), of tokens up to `last`, (B,), at `place`.

    It is negative where there was none.
    """
    back = (place[..., tf.newaxis] - tf.range(window)) % window
    return last[:, tf.newaxis, tf.newaxis] - back
