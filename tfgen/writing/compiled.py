"""The loop compiled over one network: shapes of batch, prompt and text are free, so it compiles once a sampler."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.networks import recurrent
from tfgen.sampling import chain as chains
from tfgen.vocabulary.vocabulary import END, PADDING
from tfgen.writing.loop import Beams, Decoding, Sampling, begin, decode

_WHOLE = tf.TensorSpec([], tf.int32)
_REAL = tf.TensorSpec([], tf.float64)
_IDS, _LENGTHS = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)

NOTHING_LEFT = (
    "the sampler leaves no token to choose from: put masks and biases before temperature 0 and truncation, "
    "or forbid less."
)

Record = dict[str, npt.NDArray[Any]]


class Decoder:
    """Reads prompts, and writes or searches on from them."""

    def __init__(self, network: Any, allowed: npt.NDArray[np.bool_]) -> None:
        """Take a network that passes `recurrent.check`, and which tokens (V,) may be chosen."""
        self._network = network
        self._allowed = tf.constant(allowed)
        self._compiled: dict[Any, Any] = {}

    def _read(self, ids: tf.Tensor, lengths: tf.Tensor | None = None) -> tuple[tf.Tensor, Any]:
        state = recurrent.zero_state(self._network, tf.shape(ids)[0])
        return recurrent.prefill(self._network, ids, lengths, state)

    def zero_state(self) -> Any:
        """Give the state of one text before its first token."""
        return recurrent.zero_state(self._network, 1)

    def fingerprint(self) -> str:
        """Give a hash of the weights and of which tokens may come, which tells one model from another."""
        digest = hashlib.sha256(self._allowed.numpy().tobytes())
        for weight in self._network.get_weights():
            digest.update(repr((weight.shape, weight.dtype)).encode())
            digest.update(weight.tobytes())
        return digest.hexdigest()

    def read(self, prompts: list[npt.NDArray[np.int32]], seeds: npt.NDArray[np.int64], chain: chains.Chain) -> Decoding:
        """Read prompts of any lengths, each of at least one token.

        Args:
            prompts: Ids, one row each.
            seeds: See `sampling.row_seeds`.
            chain: The sampler that will write on.
        """
        lengths = np.array([len(ids) for ids in prompts], np.int32)
        arguments = [tf.constant(_padded(prompts, lengths.max(), left=False))]
        if (lengths < lengths.max()).any():
            arguments.append(tf.constant(lengths))
        read = self._compile(("read", len(arguments)), self._read, [_IDS, _LENGTHS][: len(arguments)])
        logits, network = read(*arguments)
        if not np.isfinite(logits.numpy()).all():
            raise InputError(recurrent.NO_NUMBERS)
        return begin(logits, network, self.start(chain, prompts), tf.constant(seeds))

    def start(self, chain: chains.Chain, texts: list[npt.NDArray[np.int32]]) -> Any:
        """Give the states of a sampler that goes on from texts."""
        history = _padded(texts, max(map(len, texts)), left=True)
        return chains.start(chain, tf.constant(history), self._allowed.shape[0])

    def write(
        self,
        chain: chains.Chain,
        state: Decoding,
        length: int,
        min_length: int = 0,
        alternatives: int = 0,
        capacity: int | None = None,
    ) -> tuple[Decoding, Record]:
        """Draw up to `length` tokens a row, see `decoding.Sampling`; there are no more alternatives than tokens.

        With a capacity, `length` at most, the loop is compiled by XLA, see `decoding.decode`.
        """
        alternatives = min(alternatives, self._allowed.shape[0])

        def run(chain: Any, state: Decoding, length: tf.Tensor, min_length: tf.Tensor) -> Any:
            strategy = Sampling(self._permitted(chain), chain, min_length, alternatives)
            return decode(self._step, strategy, state, length, capacity)[:2]

        rows = None if capacity is None else len(state.finished)
        loop = self._compile(
            ("write", alternatives, capacity), run, [*_with_rows((chain, state), rows), _WHOLE, _WHOLE]
        )
        after, record = loop(chain, state, _whole(length), _whole(min_length))
        written = {name: value.numpy() for name, value in record.items()}
        _check_written(written["ids"], state.finished.numpy())
        return after, written

    def search(
        self, chain: chains.Chain, state: Decoding, length: int, min_length: int, width: int, length_penalty: float
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
        """Search for the likeliest texts, see `decoding.Beams`.

        Returns:
            Ids (P, K, N), the best first, and their scores (P, K).
        """

        def run(chain: Any, state: Decoding, length: tf.Tensor, min_length: tf.Tensor, penalty: tf.Tensor) -> Any:
            strategy = Beams(self._permitted(chain), chain, min_length, penalty, width)
            _, record, (scores, lengths) = decode(self._step, strategy, state, length)
            return record["ids"], record["parents"], scores / lengths**penalty

        loop = self._compile(("search", width), run, [*_with_rows((chain, state), None), _WHOLE, _WHOLE, _REAL])
        penalty = tf.constant(length_penalty, tf.float64)
        found = loop(chain, state, _whole(length), _whole(min_length), penalty)
        ids, parents, scores = (value.numpy() for value in found)
        # A beam is read from its end: each token's row of the step before is its parent.
        texts = np.empty_like(ids)
        rows = np.arange(len(ids))
        for t in reversed(range(ids.shape[1])):
            texts[:, t] = ids[rows, t]
            rows = parents[rows, t]
        return texts.reshape(-1, width, ids.shape[1]), scores

    def _permitted(self, chain: chains.Chain) -> tf.Tensor:
        """Say which tokens may be chosen: the end of text also where the sampler decides where a text ends."""
        ends = any(transform.ends for transform in chain)
        return self._allowed | (tf.range(self._allowed.shape[0]) == END) if ends else self._allowed

    def _step(self, ids: tf.Tensor, state: Any) -> tuple[tf.Tensor, Any]:
        return recurrent.step(self._network, ids, state)

    def _compile(self, kind: Any, function: Callable[..., Any], signature: list[Any]) -> Any:
        """Compile a function once for each kind and structure of its arguments."""
        key = (kind, *tf.nest.flatten(signature))
        if key not in self._compiled:
            # Nothing here is for autograph to rewrite, and its search takes most of the time before the first token.
            # The one trace is taken here: called through tf.function, each sampler would count towards its retracing
            # warning.
            compiled = tf.function(function, input_signature=signature, autograph=False)
            self._compiled[key] = compiled.get_concrete_function()
        return self._compiled[key]


def _check_written(ids: npt.NDArray[np.int32], finished: npt.NDArray[np.bool_]) -> None:
    """Refuse what a row without any possible token gives, which is padding before its end."""
    ended = np.cumsum(ids == END, axis=1) > 0
    if ((ids == PADDING) & ~ended & ~finished[:, np.newaxis]).any():
        raise InputError(NOTHING_LEFT)


def _whole(number: int) -> tf.Tensor:
    return tf.constant(number, tf.int32)


def _with_rows(values: Any, rows: int | None) -> Any:
    """Give the types of values for so many rows; None leaves their number open."""

    def of(value: Any) -> Any:
        spec = tf.type_spec_from_value(value)
        batched = isinstance(spec, tf.TensorSpec) and spec.shape.rank
        return tf.TensorSpec([rows, *spec.shape[1:]], spec.dtype) if batched else spec

    return tf.nest.map_structure(of, values)


def _padded(rows: list[npt.NDArray[np.int32]], length: int, left: bool) -> npt.NDArray[np.int32]:
    padded = np.full((len(rows), length), PADDING, np.int32)
    for row, ids in zip(padded, rows, strict=True):
        row[slice(length - len(ids), None) if left else slice(len(ids))] = ids
    return padded
