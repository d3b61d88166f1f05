"""The one loop: read the prompts, then draw tokens and feed each back, with everything it needs in one value.

The network enters as two callables, `prefill` and `step` (see `tfgen.networks`), so that tests can drive the loop with
an alphabet. Greedy and sampled text, whole texts, streams, batches and exports all run through `decode`.

Axis letters: B batch, T time, V vocabulary, N new tokens.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfgen import networks, sampling
from tfgen.vocabulary import END, PADDING


class Decoding(NamedTuple):
    """Where a batch of texts stands: all that the loop needs to go on.

    Attributes:
        network: The recurrent state after the last token of each row, see `networks.State`.
        logits: (B, V), of each row's next token.
        seeds: int64 (B, 2), each row's source of draws, see `sampling.row_seeds`.
        drawn: Scalar int32, how many tokens each row has drawn.
        finished: bool (B,), True for a row that has drawn the end of text; it gives padding from there on.
    """

    network: Any
    logits: tf.Tensor
    seeds: tf.Tensor
    drawn: tf.Tensor
    finished: tf.Tensor


Step = Callable[[tf.Tensor, Any], tuple[tf.Tensor, Any]]


def begin(logits: tf.Tensor, network_state: Any, seeds: tf.Tensor) -> Decoding:
    """Give the value from which a batch starts to write, after its prompts have been read."""
    return Decoding(network_state, logits, seeds, tf.constant(0), tf.zeros(tf.shape(logits)[:1], tf.bool))


def decode(
    step: Step,
    allowed: tf.Tensor,
    sampler: Sequence[sampling.Transform],
    state: Decoding,
    length: tf.Tensor,
) -> tuple[Decoding, tf.Tensor]:
    """Write up to `length` tokens a row.

    Args:
        step: Maps (ids (B,), network state) to (logits (B, V), network state).
        allowed: bool (V,), the tokens that may ever be drawn.
        sampler: Transforms, applied in the order given.
        state: From `begin`, or from the call before: chunks give the text that one call gives.
        length: Scalar int32, at least 1.

    Returns:
        The value to go on from, and ids int32 (B, N): N is `length`, or less (but at least 1) when every row has come
        to its end. A row that ends gives the end of text once and padding after it.
    """
    uniforms = sampling.draws(state.seeds, state.drawn, length)
    ids = tf.TensorArray(tf.int32, size=length, element_shape=state.finished.shape)

    def unfinished(t: tf.Tensor, state: Decoding, _: tf.TensorArray) -> tf.Tensor:
        # One step at least: an empty TensorArray of rows of unknown number cannot be gathered.
        return (t < length) & ((t == 0) | ~tf.reduce_all(state.finished))

    def write_one(t: tf.Tensor, state: Decoding, ids: tf.TensorArray) -> tuple[tf.Tensor, Decoding, tf.TensorArray]:
        logits = tf.where(allowed, tf.cast(state.logits, tf.float64), -np.inf)
        chosen = sampling.select(sampling.apply(sampler, logits), uniforms[t])
        chosen = tf.where(state.finished, PADDING, chosen)
        logits, network = step(chosen, state.network)
        finished = state.finished | (chosen == END)
        return t + 1, Decoding(network, logits, state.seeds, state.drawn + 1, finished), ids.write(t, chosen)

    written, state, ids = tf.while_loop(unfinished, write_one, (0, state, ids), parallel_iterations=1)
    return state, _batch_major(ids.gather(tf.range(written)))


def _batch_major(ids: tf.Tensor) -> tf.Tensor:
    """Transpose (N, B); by gather, because oneDNN reports an error on standard error when it transposes integers."""
    steps, rows = tf.unstack(tf.shape(ids))
    places = tf.range(rows)[:, tf.newaxis] + tf.range(steps) * rows
    return tf.gather(tf.reshape(ids, [-1]), places)


class Decoder:
    """The loop compiled over one network: shapes of batch, prompt and text are free, so it compiles once a sampler."""

    def __init__(self, network: Any, allowed: np.ndarray) -> None:
        """Take a network that passes `networks.check`, and which tokens (V,) may be drawn."""
        self._network = network
        self._allowed = tf.constant(allowed)
        self._loops: dict[Any, Any] = {}
        ids, lengths = tf.TensorSpec([None, None], tf.int32, "ids"), tf.TensorSpec([None], tf.int32, "lengths")
        seeds = tf.TensorSpec([None, 2], tf.int64, "seeds")
        self._read_padded = _compiled(self._read_prompts, [ids, seeds, lengths])
        self._read_equal = _compiled(self._read_prompts, [ids, seeds])

    def _read_prompts(self, ids: tf.Tensor, seeds: tf.Tensor, lengths: tf.Tensor | None = None) -> Decoding:
        state = networks.zero_state(self._network, tf.shape(ids)[0])
        logits, state = networks.prefill(self._network, ids, lengths, state)
        return begin(logits, state, seeds)

    def read(self, ids: np.ndarray, lengths: np.ndarray, seeds: np.ndarray) -> Decoding:
        """Read prompts (B, T), padded on the right, each at least one token long."""
        if (lengths == ids.shape[1]).all():
            return self._read_equal(ids, seeds)
        return self._read_padded(ids, seeds, lengths)

    def write(self, sampler: Sequence[sampling.Transform], state: Decoding, length: int) -> tuple[Decoding, np.ndarray]:
        """Write up to `length` tokens a row, see `decode`."""
        sampler = tuple(sampler)
        signature = tf.nest.map_structure(_any_batch, (sampler, state), expand_composites=False)
        key = tuple(tf.nest.flatten(signature))
        if key not in self._loops:
            self._loops[key] = _compiled(self._decode, [*signature, tf.TensorSpec([], tf.int32, "length")])
        state, ids = self._loops[key](sampler, state, length)
        return state, ids.numpy()

    def _decode(self, sampler: Any, state: Decoding, length: tf.Tensor) -> tuple[Decoding, tf.Tensor]:
        def step(ids: tf.Tensor, network_state: Any) -> tuple[tf.Tensor, Any]:
            return networks.step(self._network, ids, network_state)

        return decode(step, self._allowed, sampler, state, length)


def _compiled(function: Callable[..., Any], signature: list[Any]) -> Any:
    # Nothing here is for autograph to rewrite, and its search takes most of the time before the first token.
    return tf.function(function, input_signature=signature, autograph=False)


def _any_batch(value: Any) -> Any:
    spec = tf.type_spec_from_value(value)
    batched = isinstance(spec, tf.TensorSpec) and spec.shape.rank
    return tf.TensorSpec([None, *spec.shape[1:]], spec.dtype) if batched else spec
