"""Texts while they are written: pieces, stop strings, time limits, and the numbers behind each token.

Everything that draws goes through `Drafts`: whole texts, batches, streams and sessions.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.sampling.chain import Chain
from tfgen.support import interrupts, pages, wording
from tfgen.terms.faults import NOTHING_LEFT
from tfgen.terms.limits import Limits
from tfgen.terms.stops import StopStrings
from tfgen.vocabulary.vocabulary import END, PADDING, Vocabulary
from tfgen.writing.compiled import CompiledLoop, Record
from tfgen.writing.loop import Position

# How many tokens one call of the compiled loop writes, first and at most. A stream shows its first token at once. A
# whole text needs pieces to bound its memory, or to look for stop strings and at the clock. A session must not write
# past the token that completed a stop string, for it goes on from there.
STREAMED, WATCHED, WHOLE, SINGLE = (1, 32), (64, 64), (1024, 1024), (1, 1)


FinishReason = Literal["end", "stop", "length", "time", "nothing_left"]


@dataclasses.dataclass(frozen=True, eq=False)
class Generated:
    """A text and the numbers behind each of its new tokens.

    Attributes:
        text: The text.
        tokens: The N new tokens, as the vocabulary spells them (the end of a text is U+0003, which the text itself does
            not have); a word of which a stop string left only a part is none.
        log_probabilities: float64 (N,), nats: of each token under the model, among the tokens that may come at all.
        sampler_log_probabilities: float64 (N,), nats: of each token under the distribution that was drawn from.
        alternatives: For each new token, the likeliest tokens under the model in its place, each with its nats.
        finish_reason: Why it ends where it does: "end" (by itself), "stop" (a stop string), "length", "time"
            (`max_time`), or "nothing_left" (what the sampler forbids and demands left no token).
        attention: float32 (N, S): how much each place of the source counted for each new token, where the model
            attends to a source; each row sums to 1. None elsewhere.
    """

    text: str
    tokens: tuple[str, ...]
    log_probabilities: npt.NDArray[np.float64]
    sampler_log_probabilities: npt.NDArray[np.float64]
    alternatives: tuple[tuple[tuple[str, float], ...], ...]
    finish_reason: FinishReason
    attention: npt.NDArray[np.float32] | None = None

    def __repr__(self) -> str:
        """Say in one line what was written, and why it ends there."""
        number = wording.number(len(self.tokens), "new token")
        return f"<Generated {wording.shorten(repr(self.text))}: {number}; finish_reason={self.finish_reason!r}>"

    def _repr_html_(self) -> str:
        """Show the text in a notebook, coloured by surprise; the alternatives to a token are under the pointer."""
        notes = []
        for place, (token, nats) in enumerate(zip(self.tokens, self.log_probabilities, strict=True)):
            others = [(token, nats), *(self.alternatives[place] if self.alternatives else ())]
            notes.append("\n".join(f"{pages.percent(each)} {other!r}" for other, each in dict(others).items()))
        bits = -self.log_probabilities / math.log(2)
        # Before them stands a prompt, and after them what a stop string left of a word.
        new = "".join(self.tokens).removesuffix("\x03")
        begin = self.text.rfind(new) if new else len(self.text)
        return pages.surprises(self.tokens, bits, notes, self.text[:begin], self.text[begin + len(new) :])


# (row, its new ids) to what each of them attended to, (N, S).
Look = Callable[[int, npt.NDArray[np.int32]], npt.NDArray[np.float32]]


class Drafts:
    """A batch of texts that is being written, row by row as long as each needs.

    Nothing is kept of what was written but, on request, the numbers behind it.

    Attributes:
        position: Where the rows stand.
        ids: int32 (B, N), the tokens of the last piece.
        reasons: For each row, why it has ended; None while it goes on.
    """

    def __init__(
        self,
        compiled: CompiledLoop,
        vocabulary: Vocabulary,
        chain: Chain,
        position: Position,
        limits: Limits,
        alternatives: int = 0,
        context: Any = (),
    ) -> None:
        """Go on from a position to which prompts were read.

        Raises:
            InputError: XLA was asked for, and may not compile the model.
        """
        self._compiled = compiled
        self._vocabulary = vocabulary
        self._chain = chain
        self._limits = limits
        self._alternatives = alternatives
        self._context = context
        self._jit = limits.jit_compiles(compiled.model.supports_jit)
        self._capacity: int | None = None
        self._no_end_before = int(position.drawn) + limits.min_length
        self._watches = [StopStrings(limits.stops, limits.keep_stop) for _ in range(len(position.finished))]
        self._records: list[Record] = []
        self._begun = False
        self.position = self._before = position
        self.ids = np.empty((len(self._watches), 0), np.int32)
        self.reasons: list[FinishReason | None] = [None] * len(self._watches)

    def pieces(self, sizes: tuple[int, int]) -> Iterator[list[str]]:
        """Write to the end, giving the new text of each row; pieces grow from the first size to the second.

        The last piece, whose `ids` are none, is what was held back of what might have become a stop string.

        Raises:
            InputError: The model has lost its distribution, or the sampler leaves no row anything to begin with.
        """
        piece, longest = sizes
        left = self._limits.length
        self._capacity = longest if self._jit else None
        deadline = None if self._limits.max_time is None else time.monotonic() + self._limits.max_time
        while left > 0 and not self._all_finished() and (deadline is None or time.monotonic() < deadline):
            interrupts.check()
            written = self._write(min(piece, left))
            left -= self.ids.shape[1]
            piece = min(2 * piece, longest)
            yield written
        self.ids = self.ids[:, :0]
        unfinished: FinishReason = "time" if left > 0 else "length"
        self.reasons = [unfinished if reason is None else reason for reason in self.reasons]
        yield [watch.rest() for watch in self._watches]

    def texts(self, sizes: tuple[int, int]) -> list[str]:
        """Write to the end: the new text of each row, without what a stop string took away."""
        return ["".join(pieces) for pieces in zip(*self.pieces(sizes), strict=True)]

    def _all_finished(self) -> bool:
        return bool(self.position.finished.numpy().all())

    def settled(self) -> Position:
        """Give where a single row stands after its last token: one that nothing was left for has read on without."""
        kept = int(np.sum(self.ids[0] != PADDING))
        if self.reasons[0] != "nothing_left" or kept == self.ids.shape[1]:
            return self.position
        return self._go_on(self._before, kept)[0] if kept else self._before

    def _go_on(self, position: Position, length: int) -> tuple[Position, Record]:
        return self._compiled.write(
            self._chain,
            position,
            length,
            self._no_end_before,
            self._alternatives,
            self._capacity,
            self._context,
        )

    def _write(self, length: int) -> list[str]:
        self._before = begun = self.position
        self.position, record = self._go_on(begun, length)
        if self._alternatives:
            self._records.append(record)
        self.ids = record["ids"]
        if not self._begun and (self.ids[:, 0] == PADDING).all() and not begun.finished.numpy().any():
            raise InputError(NOTHING_LEFT)
        self._begun = True
        pieces = [watch.feed(self._vocabulary.decode(row)) for watch, row in zip(self._watches, self.ids, strict=True)]
        self._end(begun.finished.numpy())
        return pieces

    def _end(self, ended: npt.NDArray[np.bool_]) -> None:
        """Finish the rows that a stop string has ended, and note why rows end."""
        stopped = np.array([watch.stopped for watch in self._watches])
        if stopped.any():
            self.position = self.position._replace(finished=self.position.finished | tf.constant(stopped))
        for row in np.flatnonzero(self.position.finished.numpy() & ~ended):
            of_itself: FinishReason = "end" if END in self.ids[row] else "nothing_left"
            self.reasons[row] = "stop" if stopped[row] else of_itself

    def generated(self, sizes: tuple[int, int], prompts: Sequence[str], look: Look | None = None) -> list[Generated]:
        """Write to the end, with the numbers behind each text; `alternatives` must have been asked for.

        Args:
            sizes: As for `pieces`.
            prompts: What each text begins with.
            look: Gives the attention of a row for its new tokens, where the model attends.
        """
        texts = self.texts(sizes)
        return [
            self._generated(row, prompt, text, look)
            for row, (prompt, text) in enumerate(zip(prompts, texts, strict=True))
        ]

    def _generated(self, row: int, prompt: str, text: str, look: Look | None) -> Generated:
        if not self._records:  # there was no time for any
            nothing = np.empty(0)
            seen = look(row, nothing.astype(int)) if look else None
            return Generated(prompt + text, (), nothing, nothing, (), "time", seen)
        joined = {name: np.concatenate([record[name][row] for record in self._records]) for name in self._records[0]}
        ids, tokens = joined["ids"], self._vocabulary.tokens
        # A stop string may have taken tokens away again.
        ends = np.cumsum([len(each) for each in self._vocabulary.decode_each(ids)])
        kept = int(np.sum((ends <= len(text)) & (ids != PADDING)))
        likeliest = zip(joined["alternatives"][:kept], joined["alternatives_log_p"][:kept], strict=True)
        return Generated(
            text=prompt + text,
            tokens=tuple(tokens[i] for i in ids[:kept]),
            log_probabilities=joined["log_p"][:kept],
            sampler_log_probabilities=joined["sampler_log_p"][:kept],
            alternatives=tuple(
                tuple((tokens[i], float(p)) for i, p in zip(some, log_p, strict=True) if p > -np.inf)
                for some, log_p in likeliest
            ),
            finish_reason=self.reasons[row] or "length",
            attention=look(row, ids[:kept]) if look else None,
        )
