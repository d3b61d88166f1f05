"""Texts that are written together although they began at different times: each joins when it comes, and leaves.

What is waited for by several people at once, as in a server, shares the cost of the loop so. Each text has its own
draws and its own end, and is what it would be alone; what shapes the distribution, the sampler, they have in common.

Axis letters: B batch, T time, V vocabulary, N new tokens.
"""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import InputError, check_instance, whole_number
from tfgen.sampling.chain import Chain
from tfgen.terms import draws
from tfgen.terms.faults import NOTHING_LEFT
from tfgen.terms.stops import StopStrings
from tfgen.vocabulary.vocabulary import END, PADDING, Vocabulary
from tfgen.writing.compiled import CompiledLoop
from tfgen.writing.loop import Position, chosen_rows
from tfgen.writing.texts import FinishReason

_TOGETHER = 16  # prompts of which a piece is read at once

Ids = npt.NDArray[np.int32]


class Token(NamedTuple):
    """A new token and the numbers behind it.

    Attributes:
        text: As the vocabulary spells it.
        log_probability: Nats, under the model, among the tokens that may come at all.
        alternatives: The likeliest tokens in its place, each with its nats.
    """

    text: str
    log_probability: float
    alternatives: tuple[tuple[str, float], ...]


class Piece(NamedTuple):
    """What one call of `Batch.write` has added to a text.

    Attributes:
        text: The new text, without what may yet become a stop string.
        size: How many tokens were written, the end of a text not counted.
        tokens: Those of `text`, where the batch records alternatives.
        reason: Why the text has ended; None while it goes on.
    """

    text: str
    size: int
    tokens: tuple[Token, ...] = ()
    reason: FinishReason | None = None


class Row:
    """One text on its way; made by `Writer.rows`.

    Attributes:
        prompt: int32 (T,), what it goes on from: an end of text, and the prompt. Rows with the same array read it once.
    """

    def __init__(
        self,
        prompt: Ids,
        seed: npt.NDArray[np.int64],
        length: int,
        watch: StopStrings,
        context: Any = (),
        drawn: int = 0,
    ) -> None:
        """Take the prompt, the source of its draws, int64 (2,), its largest number of tokens, and its context.

        `drawn` of the draws were used up before.
        """
        self.prompt, self.context = prompt, context
        self._seed, self._left, self._watch = seed, length, watch
        self._drawn, self._begun = drawn, False
        self._block, self._uniforms = -1, np.empty(0)
        self._waiting: collections.deque[tuple[int, Token]] = collections.deque()  # until their text is given
        self._spelled = self._given = 0

    @property
    def fits(self) -> tuple[tuple[int, ...], ...]:
        """The shape of its context: rows of one batch have the same."""
        return tuple(tuple(leaf.shape[1:]) for leaf in tf.nest.flatten(self.context))

    def draws(self, count: int) -> npt.NDArray[np.float64]:
        """Give the uniform numbers of the next steps, see `sampling.draws`."""
        numbers = np.empty(count)
        filled = 0
        while filled < count:
            block, first = divmod(self._drawn + filled, draws.BLOCK)
            if block != self._block:
                self._block, self._uniforms = block, draws.uniforms(self._seed[np.newaxis], block)[:, 0]
            some = self._uniforms[first : first + count - filled]
            numbers[filled : filled + len(some)] = some
            filled += len(some)
        return numbers

    def take(self, ids: Ids, tokens: list[Token], vocabulary: Vocabulary) -> Piece:
        """Take what was written, ids (N,) of which no more count than it may have, and give what that adds."""
        ids = ids[: self._left]
        if not self._begun and ids[0] == PADDING:
            raise InputError(NOTHING_LEFT)
        self._begun = True
        text, size = "", 0
        for token, spelled in zip(ids, vocabulary.decode_each(ids), strict=True):
            if token <= END or self._watch.stopped:
                break
            text += self._watch.feed(spelled)
            self._spelled += len(spelled)
            self._waiting += [(self._spelled, each) for each in tokens[size : size + 1]]
            size += 1
        self._left, self._drawn = self._left - size, self._drawn + size
        reason = self._reason(ids, size)
        text += self._watch.rest() if reason else ""
        return Piece(text, size, self._due(len(text)), reason)

    def cut(self) -> Piece:
        """End the text here, for there is no time left: what was held back of it."""
        text = self._watch.rest()
        return Piece(text, 0, self._due(len(text)), "time")

    def _reason(self, ids: Ids, size: int) -> FinishReason | None:
        if self._watch.stopped:
            return "stop"
        if size < len(ids):
            return "end" if ids[size] == END else "nothing_left"
        return None if self._left else "length"

    def _due(self, characters: int) -> tuple[Token, ...]:
        self._given += characters
        due = []
        while self._waiting and self._waiting[0][0] <= self._given:
            due.append(self._waiting.popleft()[1])
        return tuple(due)


class _Prompt:
    """A prompt that is being read, and the rows that go on from it."""

    def __init__(self, row: Row) -> None:
        self.ids, self.context, self.rows = row.prompt, row.context, [row]
        self.read = 0
        self.position: Position | None = None


class Batch:
    """Rows of one model and one sampler, of which each is written as long as it needs; made by `Writer.batch`.

    Prompts are read in pieces too, so that no call takes long: `read` and `write` say how much.
    """

    def __init__(self, compiled: CompiledLoop, vocabulary: Vocabulary, chain: Chain, alternatives: int = 0) -> None:
        """Take a sampler, and how many of the likeliest tokens to give for each new one."""
        self._compiled, self._vocabulary = compiled, vocabulary
        self._chain, self._alternatives = chain, alternatives
        self._prompts: list[_Prompt] = []
        self._rows: list[Row] = []
        self._position: Position | None = None
        self._context: Any = ()
        self._fits: tuple[Any, ...] = ()

    def __len__(self) -> int:
        """Count the rows, those whose prompts are not read yet among them."""
        return len(self._rows) + sum(len(prompt.rows) for prompt in self._prompts)

    @property
    def reads(self) -> bool:
        """Whether there are prompts to be read."""
        return bool(self._prompts)

    @property
    def writes(self) -> bool:
        """Whether there are rows to be written."""
        return bool(self._rows)

    def add(self, rows: Iterable[Row]) -> None:
        """Let rows join: their prompts are read, and they are written from then on.

        Raises:
            InputError: Something is no row.
        """
        for row in _checked(rows):
            if row.fits != self._fits and len(self):
                raise InputError("the rows of a batch must have sources of one shape; received two shapes.")
            self._fits = row.fits
            if self._prompts and self._prompts[-1].ids is row.prompt and not self._prompts[-1].read:
                self._prompts[-1].rows.append(row)
            else:
                self._prompts.append(_Prompt(row))

    def drop(self, rows: Collection[Row]) -> None:
        """Let rows leave before their end; those that have left already are no matter.

        Raises:
            InputError: Something is no row.
        """
        gone = set(_checked(rows))
        for prompt in self._prompts:
            prompt.rows = [row for row in prompt.rows if row not in gone]
        self._prompts = [prompt for prompt in self._prompts if prompt.rows]
        self._keep([row not in gone for row in self._rows])

    def read(self, length: int) -> None:
        """Read on in prompts: up to `length` tokens of some that came first, or of one that is longer.

        Raises:
            InputError: `length` is no whole number from 1, or the model has lost its distribution.
        """
        whole_number("length", length, 1)
        if not self._prompts:
            return
        # In turns: what is not read to its end goes to the end of the queue, so that those who come hold up nobody.
        prompt = self._prompts[0]
        if prompt.position is None:
            self._begin([each for each in self._prompts if each.position is None][:_TOGETHER], length)
            return
        piece = prompt.ids[prompt.read : prompt.read + length]
        prompt.position = self._compiled.read_on(piece, prompt.position, prompt.context)
        prompt.read += len(piece)
        if prompt.read == len(prompt.ids):
            self._join([prompt], prompt.position, prompt.context)
        else:
            self._prompts.append(self._prompts.pop(0))

    def _begin(self, prompts: list[_Prompt], length: int) -> None:
        heads = [prompt.ids[:length] for prompt in prompts]
        context = prompts[0].context
        if len(prompts) > 1:
            context = tf.nest.map_structure(lambda *leaves: tf.concat(leaves, 0), *(each.context for each in prompts))
        position = self._compiled.read(heads, np.zeros((len(prompts), 2), np.int64), (), context)
        done = []
        for i, prompt in enumerate(prompts):
            prompt.read = len(heads[i])
            if prompt.read == len(prompt.ids):
                done.append(i)
            else:
                prompt.position, _ = chosen_rows(position, (), np.array([i]))
                self._prompts.append(self._prompts.pop(self._prompts.index(prompt)))
        if done:
            self._join([prompts[i] for i in done], *chosen_rows(position, context, np.array(done)))

    def _join(self, prompts: list[_Prompt], position: Position, context: Any) -> None:
        """Let the rows of prompts that were read be written from now on."""
        sampler = self._compiled.start(self._chain, [prompt.ids for prompt in prompts])
        copies = np.repeat(np.arange(len(prompts)), [len(prompt.rows) for prompt in prompts])
        position, context = chosen_rows(position._replace(sampler=sampler), context, copies)
        if self._position is None or not self._rows:
            self._position, self._context = position, context
        else:
            drawn = position.drawn
            both = [
                (each._replace(drawn=()), of) for each, of in ((self._position, self._context), (position, context))
            ]
            joined, self._context = _concatenated(*both)
            self._position = joined._replace(drawn=drawn)
        self._rows += [row for prompt in prompts for row in prompt.rows]
        self._prompts = [prompt for prompt in self._prompts if prompt not in prompts]

    def write(self, length: int) -> list[tuple[Row, Piece | InputError]]:
        """Write up to `length` tokens of each row whose prompt was read.

        Returns:
            What each row has become longer by; those that have ended have left the batch. An error in the place of a
            piece says that the sampler leaves this row nothing to begin with.

        Raises:
            InputError: `length` is no whole number from 1, or the model has lost its distribution.
        """
        whole_number("length", length, 1)
        if not self._rows or self._position is None:
            return []
        uniforms = np.stack([row.draws(length) for row in self._rows], axis=1)
        # Each row has a number of steps of its own, that of the batch stays at its beginning.
        begun = self._position
        after, record = self._compiled.write(
            self._chain, begun, length, 0, self._alternatives, None, self._context, uniforms
        )
        self._position = after._replace(drawn=begun.drawn)
        written = [(row, self._piece(row, i, record)) for i, row in enumerate(self._rows)]
        self._keep([isinstance(piece, Piece) and piece.reason is None for _, piece in written])
        return written

    def _piece(self, row: Row, place: int, record: dict[str, npt.NDArray[Any]]) -> Piece | InputError:
        try:
            return row.take(record["ids"][place], self._tokens(place, record), self._vocabulary)
        except InputError as error:
            return error

    def _tokens(self, place: int, record: dict[str, npt.NDArray[Any]]) -> list[Token]:
        if not self._alternatives:
            return []
        names = self._vocabulary.tokens
        of_row = (record[name][place] for name in ("ids", "log_p", "alternatives", "alternatives_log_p"))
        return [
            Token(names[i], float(p), _named(names, others, log_p)) for i, p, others, log_p in zip(*of_row, strict=True)
        ]

    def _keep(self, kept: list[bool]) -> None:
        if all(kept):
            return
        chosen = np.flatnonzero(kept)
        self._rows = [self._rows[i] for i in chosen]
        if self._rows and self._position is not None:
            self._position, self._context = chosen_rows(self._position, self._context, chosen)
        else:
            self._position, self._context = None, ()


def _named(names: Sequence[str], ids: Ids, log_p: npt.NDArray[np.float64]) -> tuple[tuple[str, float], ...]:
    return tuple((names[i], float(p)) for i, p in zip(ids, log_p, strict=True) if p > -np.inf)


def _checked(rows: Any) -> list[Row]:
    check_instance("rows", rows, Iterable, "rows that Writer.rows has made")
    found = list(rows)
    for row in found:
        check_instance("a row", row, Row, "one that Writer.rows has made")
    return found


def _concatenated(first: Any, second: Any) -> Any:
    """Put the rows of two nests together, which may differ in being lists or tuples: a graph may have made one."""
    leaves = zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True)
    return tf.nest.pack_sequence_as(first, [tf.concat(both, axis=0) for both in leaves])
