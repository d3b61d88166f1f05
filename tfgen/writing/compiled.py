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
from tfgen.support import interrupts, wording
from tfgen.support.recent import Recent
from tfgen.support.rooms import power_of_two, room_for
from tfgen.terms.faults import NO_DISTRIBUTION, NOTHING_LEFT
from tfgen.vocabulary.vocabulary import END, PADDING, UNKNOWN
from tfgen.writing.like_lengths import in_batches
from tfgen.writing.loop import Position, begin, chosen_rows, decode, rows_of
from tfgen.writing.prefill import prefill, width_of
from tfgen.writing.strategies import BeamSearch, Drawing, first_beams
from tfgen.writing.traces import Piece, joined, traced

_WHOLE = tf.TensorSpec([], tf.int32)
_UNIFORMS = tf.TensorSpec([None, None], tf.float64)
# Length, least length, number of beams, and penalty.
_SEARCH = [_WHOLE, _WHOLE, _WHOLE, tf.TensorSpec([], tf.float64)]
_IDS, _LENGTHS = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)

# So many compiled functions are kept, some megabytes each: the usual caller has two or three, and a server that lets
# its clients choose transforms, alternatives or numbers of beams must not grow for ever.
KEPT = 24

# What one call does, after which signals are obeyed: so many pieces of a prompt are read, and tokens searched for.
_READ, _SEARCHED = 16, 64

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
        batches = list(in_batches([len(ids) for ids in prompts]))
        if len(batches) == 1:
            batches = [list(range(len(prompts)))]
        parts = [
            self._read_batch([prompts[i] for i in batch], chain, rows_of(context, tf.constant(batch)))
            for batch in batches
        ]
        together = tf.nest.map_structure(lambda *leaves: tf.concat(leaves, axis=0), *parts) if parts[1:] else parts[0]
        # Each copy begins with all that was read of its prompt.
        places = np.repeat(np.argsort(np.concatenate(batches)), copies)
        logits, state, sampler = rows_of(together, places if parts[1:] or copies > 1 else None)
        return begin(logits, state, sampler, tf.constant(seeds))

    def _read_batch(self, prompts: list[npt.NDArray[np.int32]], chain: chains.Chain, context: Any) -> tuple[Any, ...]:
        lengths = np.array([len(ids) for ids in prompts], np.int32)
        logits, state = self._read(_padded(prompts, lengths.max(), left=False), lengths, context)
        if not np.isfinite(logits.numpy()).any(axis=1).all():
            raise InputError(NO_DISTRIBUTION)
        return logits, state, self.start(chain, prompts)

    def read_on(self, ids: npt.NDArray[np.int32], position: Position, context: Any) -> Position:
        """Read more of one text, ids (T,) of at least one token: the position after it."""
        begun = position.logits, position.state
        logits, state = self._read(ids[np.newaxis], np.array([len(ids)], np.int32), context, begun)
        return position._replace(logits=logits, state=state)

    def _read(
        self, ids: npt.NDArray[np.int32], lengths: npt.NDArray[np.int32], context: Any, begun: Any = None
    ) -> tuple[tf.Tensor, Any]:
        """Read a batch (B, T) in several calls, between which signals are obeyed; see `prefill`."""

        def run(ids: tf.Tensor, context: Any, begun: Any, *lengths: tf.Tensor) -> tuple[tf.Tensor, Any]:
            return prefill(self.model, ids, lengths[0] if lengths else None, context, begun or None)

        begun = begun or ()
        span = _READ * int(width_of(len(ids)))
        for place in range(0, ids.shape[1], span):
            interrupts.check()
            piece = ids[:, place : place + span]
            inside = np.clip(lengths - place, 0, piece.shape[1])
            # A mask changes the last digits, so that it is there only where it is needed.
            of_rows = [tf.constant(inside)] if (inside < piece.shape[1]).any() else []
            signature = [_IDS, *_with_rows((context, begun), None), *[_LENGTHS][: len(of_rows)]]
            read = self._compile(("read", len(of_rows)), run, signature)
            begun = read(tf.constant(piece, tf.int32), context, begun, *of_rows)
            if np.isnan(begun[0].numpy()).any():
                raise InputError(NO_DISTRIBUTION)
        return begun

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
        recorded = min(room_for(alternatives), self._allowed.shape[0]) if alternatives else 0

        def run(
            chain: Any, position: Position, context: Any, length: tf.Tensor, min_length: tf.Tensor, *uniforms: tf.Tensor
        ) -> Any:
            strategy = Drawing(self._permitted(chain), chain, min_length, recorded, *uniforms)
            return decode(self._step_in(context), strategy, position, length, capacity)[:2]

        rows = len(position.finished)
        _check_rows(chain, rows)
        # XLA compiles for a number of rows, and never forgets: batches are filled up to a power of two.
        room = None if capacity is None else power_of_two(rows)
        chain = chain if room is None else tuple(transform.in_rooms() for transform in chain)
        begun, of_rows = (position, context) if room is None else _filled(position, context, room)
        decided = [] if uniforms is None else [tf.constant(uniforms, tf.float64)]
        signature = [*_with_rows((chain, begun, of_rows), room), _WHOLE, _WHOLE, *[_UNIFORMS][: len(decided)]]
        loop = self._compile(("write", recorded, capacity), run, signature)
        after, record = loop(chain, begun, of_rows, _whole(length), _whole(min_length), *decided)
        if room is not None:
            after = tf.nest.map_structure(lambda value: value[:rows] if value.shape.rank else value, after)
        written = {name: value.numpy()[:rows] for name, value in record.items()}
        if (written["ids"] == UNKNOWN).any():
            raise InputError(NO_DISTRIBUTION)
        likeliest = {name: written[name][..., :alternatives] for name in written if name.startswith("alternatives")}
        return after, written | likeliest

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

        It goes on in pieces, between which signals are obeyed, and holds what its beams have written alone.

        Returns:
            Ids (P, K, N), the best first, and their scores (P, K): minus infinity where there are fewer texts.

        Raises:
            InputError: The model has lost its distribution; or there is nothing that any text could begin with.
        """
        _check_rows(chain, 1)
        room = room_for(width)
        prompts = len(position.finished) // width
        of_prompt = np.arange(prompts)[:, np.newaxis] * width
        position, context = chosen_rows(position, context, (of_prompt + np.minimum(np.arange(room), width - 1)).ravel())
        penalty = tf.constant(length_penalty, tf.float64)
        so_far = first_beams(prompts, room)
        pieces: list[Piece] = []
        left = length
        while left > 0 and not (pieces and position.finished.numpy().all()):
            interrupts.check()
            values = chain, position, context, so_far
            loop = self._compile(("search", room), self._search_on(room), [*_with_rows(values, None), *_SEARCH])
            numbers = _whole(min(left, _SEARCHED)), _whole(min_length), _whole(width), penalty
            position, so_far, record = loop(*values, *numbers)
            if np.isnan(so_far[0].numpy()).any():
                raise InputError(NO_DISTRIBUTION)
            pieces.append(traced(record["ids"].numpy(), record["parents"].numpy()))
            left -= pieces[-1][0].shape[1]
        scores, lengths = so_far
        scores = (scores / tf.minimum(lengths**penalty, _LARGEST)).numpy()
        texts = joined(pieces)
        beams = texts.reshape(prompts, room, texts.shape[1])[:, :width]
        if (beams[:, 0, 0] == PADDING).all():
            raise InputError(NOTHING_LEFT)
        return beams, scores[:, :width]

    def _search_on(self, room: int) -> Callable[..., Any]:
        def run(
            chain: Any,
            position: Position,
            context: Any,
            so_far: Any,
            length: tf.Tensor,
            min_length: tf.Tensor,
            beams: tf.Tensor,
            penalty: tf.Tensor,
        ) -> Any:
            strategy = BeamSearch(self._permitted(chain), chain, min_length, penalty, room, beams, so_far)
            position, record, so_far = decode(self._step_in(context), strategy, position, length)
            return position, so_far, record

        return run

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
    filled, context = chosen_rows(position, context, np.minimum(np.arange(room), rows - 1))
    return filled._replace(finished=filled.finished | (np.arange(room) >= rows)), context


def _check_rows(chain: chains.Chain, rows: int) -> None:
    """Refuse settings of rows that are not so many.

    Raises:
        InputError: Says how many there are.
    """
    for transform in chain:
        if transform.rows not in (None, rows):
            raise InputError(
                f"there must be one temperature, or one for each of {wording.number(rows, 'row')}; received "
                f"{transform.rows}."
            )


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
