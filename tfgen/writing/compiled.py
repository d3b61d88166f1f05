"""The loop compiled over one model: shapes of batch, prompt and text are free, so it compiles once a sampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.networks.model import LanguageModel
from tfgen.sampling import chain as chains
from tfgen.support.recent import Recent
from tfgen.terms.faults import NO_DISTRIBUTION, NOTHING_LEFT
from tfgen.vocabulary.vocabulary import END, PADDING, UNKNOWN
from tfgen.writing.loop import Position, begin, decode, rows_of
from tfgen.writing.prefill import prefill
from tfgen.writing.strategies import BeamSearch, Drawing

_WHOLE = tf.TensorSpec([], tf.int32)
_REAL = tf.TensorSpec([], tf.float64)
_UNIFORMS = tf.TensorSpec([None, None], tf.float64)
_IDS, _LENGTHS = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)

# So many compiled functions are kept, some megabytes each: the usual caller has two or three, and a server that lets
# its clients choose transforms, alternatives or numbers of beams must not grow for ever.
KEPT = 24

_LARGEST = 1e300  # that a score is divided by

Record = dict[str, npt.NDArray[Any]]


class CompiledLoop:
    """Reads prompts, and writes or searches on from them."""

    def __init__(self, model: LanguageModel, allowed: npt.NDArray[np.bool_]) -> None:
        """Take a model, and which tokens (V,) may be chosen."""
        self.model = model
        self._allowed = tf.constant(allowed)
        self._functions = Recent(KEPT)

    def fingerprint(self) -> str:
        """Give a hash of the weights and of which tokens may come, which tells one model from another."""
        return self.model.fingerprint(self._allowed.numpy().tobytes())

    def read(
        self,
        prompts: list[npt.NDArray[np.int32]],
        seeds: npt.NDArray[np.int64],
        chain: chains.Chain,
        context: Any = (),
        copies: int = 1,
    ) -> Position:
        """Read prompts of any lengths, each of at least one token, once each.

        Args:
            prompts: Ids, P rows.
            seeds: Of P times `copies` rows, see `sampling.row_seeds`.
            chain: The sampler that will write on.
            context: Of the P rows.
            copies: How many rows go on from each prompt, one after another.
        """
        lengths = np.array([len(ids) for ids in prompts], np.int32)
        ids = tf.constant(_padded(prompts, lengths.max(), left=False))
        # A mask changes the last digits, so that it is there only where it is needed.
        of_rows = [tf.constant(lengths)] if (lengths < lengths.max()).any() else []

        def run(ids: tf.Tensor, context: Any, *lengths: tf.Tensor) -> tuple[tf.Tensor, Any]:
            return prefill(self.model, ids, lengths[0] if lengths else None, context)

        signature = [_IDS, _with_rows(context, None), *[_LENGTHS][: len(of_rows)]]
        logits, state = self._compile(("read", len(of_rows)), run, signature)(ids, context, *of_rows)
        found = logits.numpy()
        if np.isnan(found).any() or not np.isfinite(found).any(axis=1).all():
            raise InputError(NO_DISTRIBUTION)
        # Each copy begins with all that was read of its prompt.
        rows = None if copies == 1 else np.repeat(np.arange(len(prompts)), copies)
        logits, state, sampler = rows_of((logits, state, self.start(chain, prompts)), rows)
        return begin(logits, state, sampler, tf.constant(seeds))

    def read_on(self, ids: npt.NDArray[np.int32], position: Position, context: Any) -> Position:
        """Read more of one text, ids (T,) of at least one token: the position after it."""

        def run(ids: tf.Tensor, context: Any, state: Any) -> tuple[tf.Tensor, Any]:
            return prefill(self.model, ids, None, context, state)

        signature = [_IDS, *_with_rows((context, position.state), None)]
        read = self._compile("read on", run, signature)
        logits, state = read(tf.constant(ids[np.newaxis], tf.int32), context, position.state)
        if np.isnan(logits.numpy()).any():
            raise InputError(NO_DISTRIBUTION)
        return position._replace(logits=logits, state=state)

    def over(self, model: LanguageModel) -> CompiledLoop:
        """Give the same over another model of the same vocabulary."""
        return CompiledLoop(model, self._allowed.numpy())

    def start(self, chain: chains.Chain, texts: list[npt.NDArray[np.int32]]) -> Any:
        """Give the states of a sampler that goes on from texts."""
        history = _padded(texts, max(map(len, texts)), left=True)
        return chains.start(chain, tf.constant(history), self._allowed.shape[0])

    def write(
        self,
        chain: chains.Chain,
        position: Position,
        length: int,
        min_length: int = 0,
        alternatives: int = 0,
        capacity: int | None = None,
        context: Any = (),
        uniforms: npt.NDArray[np.float64] | None = None,
    ) -> tuple[Position, Record]:
        """Draw up to `length` tokens a row, see `strategies.Drawing`; there are no more alternatives than tokens.

        With uniforms (`length`, B) these decide, and the seeds and the step of the position do not count.

        With a capacity, `length` at most, the loop is compiled by XLA, see `loop.decode`. A row for which the sampler
        leaves nothing ends with padding in the place of the end of a text.

        Raises:
            InputError: The model has lost its distribution.
        """
        alternatives = min(alternatives, self._allowed.shape[0])

        def run(
            chain: Any, position: Position, context: Any, length: tf.Tensor, min_length: tf.Tensor, *uniforms: tf.Tensor
        ) -> Any:
            strategy = Drawing(self._permitted(chain), chain, min_length, alternatives, *uniforms)
            return decode(self._step_in(context), strategy, position, length, capacity)[:2]

        rows = len(position.finished)
        # XLA compiles for a number of rows, and never forgets: batches are filled up to a power of two.
        room = None if capacity is None else 1 << (rows - 1).bit_length()
        begun, of_rows = (position, context) if room is None else _filled(position, context, room)
        decided = [] if uniforms is None else [tf.constant(uniforms, tf.float64)]
        signature = [*_with_rows((chain, begun, of_rows), room), _WHOLE, _WHOLE, *[_UNIFORMS][: len(decided)]]
        loop = self._compile(("write", alternatives, capacity), run, signature)
        after, record = loop(chain, begun, of_rows, _whole(length), _whole(min_length), *decided)
        if room is not None:
            after = tf.nest.map_structure(lambda value: value[:rows] if value.shape.rank else value, after)
        written = {name: value.numpy()[:rows] for name, value in record.items()}
        if (written["ids"] == UNKNOWN).any():
            raise InputError(NO_DISTRIBUTION)
        return after, written

    def search(
        self,
        chain: chains.Chain,
        position: Position,
        length: int,
        min_length: int,
        width: int,
        length_penalty: float,
        context: Any = (),
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
        """Search for the likeliest texts, see `strategies.BeamSearch`.

        Returns:
            Ids (P, K, N), the best first, and their scores (P, K): minus infinity where there are fewer texts.

        Raises:
            InputError: The model has lost its distribution; or there is nothing that any text could begin with.
        """

        def run(
            chain: Any, position: Position, context: Any, length: tf.Tensor, min_length: tf.Tensor, penalty: tf.Tensor
        ) -> Any:
            strategy = BeamSearch(self._permitted(chain), chain, min_length, penalty, width)
            _, record, (scores, lengths) = decode(self._step_in(context), strategy, position, length)
            return record["ids"], record["parents"], scores / tf.minimum(lengths**penalty, _LARGEST)

        signature = [*_with_rows((chain, position, context), None), _WHOLE, _WHOLE, _REAL]
        loop = self._compile(("search", width), run, signature)
        penalty = tf.constant(length_penalty, tf.float64)
        found = loop(chain, position, context, _whole(length), _whole(min_length), penalty)
        ids, parents, scores = (value.numpy() for value in found)
        if np.isnan(scores).any():
            raise InputError(NO_DISTRIBUTION)
        # A beam is read from its end: each token's row of the step before is its parent.
        texts = np.empty_like(ids)
        rows = np.arange(len(ids))
        for t in reversed(range(ids.shape[1])):
            texts[:, t] = ids[rows, t]
            rows = parents[rows, t]
        beams = texts.reshape(-1, width, ids.shape[1])
        if (beams[:, 0, 0] == PADDING).all():
            raise InputError(NOTHING_LEFT)
        return beams, scores

    def _permitted(self, chain: chains.Chain) -> tf.Tensor:
        """Say which tokens may be chosen: the end of text also where the sampler decides where a text ends."""
        ends = any(transform.ends for transform in chain)
        return self._allowed | (tf.range(self._allowed.shape[0]) == END) if ends else self._allowed

    def _step_in(self, context: Any) -> Callable[[tf.Tensor, Any], tuple[tf.Tensor, Any]]:
        return lambda ids, state: self.model.step(ids, state, context)

    def _compile(self, kind: Any, function: Callable[..., Any], signature: list[Any]) -> Any:
        """Compile a function once for each kind and structure of its arguments."""

        def make() -> Any:
            # Nothing here is for autograph to rewrite, and its search takes most of the time before the first token.
            # The one trace is taken here: called through tf.function, each sampler would count towards its retracing
            # warning.
            return tf.function(function, input_signature=signature, autograph=False).get_concrete_function()

        return self._functions.get((kind, *tf.nest.flatten(signature)), make)


def _whole(number: int) -> tf.Tensor:
    return tf.constant(number, tf.int32)


def _filled(position: Position, context: Any, room: int) -> tuple[Position, Any]:
    """Fill a batch up with copies of its last row, which are finished."""
    rows = len(position.finished)
    chosen = np.minimum(np.arange(room), rows - 1)
    drawn, batched = position.drawn, position._replace(drawn=())
    filled, context = rows_of((batched, context), chosen)
    return filled._replace(drawn=drawn, finished=filled.finished | (np.arange(room) >= rows)), context


def _with_rows(values: Any, rows: int | None) -> Any:
    """Give the types of values for so many rows; None leaves their number open, and other sizes of a context too."""

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
