"""Texts while they are written: pieces, stop strings, time limits, and the numbers behind each token.

Everything that writes goes through `Writing`: whole texts, batches, streams and sessions.
"""

import dataclasses
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import InputError, real_number, whole_number
from tfgen.sampling.chain import Chain
from tfgen.vocabulary.vocabulary import PADDING, Vocabulary
from tfgen.writing.compiled import Decoder, Record
from tfgen.writing.loop import Decoding
from tfgen.writing.stops import StopStrings

# How many tokens one call of the compiled loop writes, first and at most. A stream shows its first token at once. A
# whole text needs pieces to bound its memory, or to look for stop strings and at the clock. A session must not write
# past the token that completed a stop string, for it goes on from there.
STREAMED, WATCHED, WHOLE, SINGLE = (1, 32), (64, 64), (1024, 1024), (1, 1)

# XLA takes half a second to compile the loop, and then saves some 50 microseconds a token (docs/performance.md): it
# pays for texts of this length or more.
_LONG = 8_000


@dataclasses.dataclass(frozen=True)
class Limits:
    """When writing stops, beside the end of the text itself.

    Attributes:
        length: The largest number of new tokens.
        min_length: A text does not end before it has so many.
        stops: Strings that end a text.
        keep_stop: Whether the string that ended a text is part of it.
        max_time: Seconds, looked at between pieces; None for no limit.
        jit_compile: Whether XLA compiles the loop; None lets the length decide.

    Raises:
        InputError: One is out of its range.
    """

    length: int
    min_length: int = 0
    stops: tuple[str, ...] = ()
    keep_stop: bool = False
    max_time: float | None = None
    jit_compile: bool | None = None

    def __post_init__(self) -> None:
        """Check them."""
        whole_number("length", self.length, 1)
        whole_number("min_length", self.min_length, 0)
        if self.max_time is not None:
            real_number("max_time", self.max_time, above=0)
        if self.jit_compile not in (None, True, False):
            raise InputError(f"jit_compile is True, False or None; received {self.jit_compile!r}.")

    @property
    def compiled(self) -> bool:
        """Whether XLA compiles the loop: a function of the request alone, since XLA may round otherwise."""
        return self.length >= _LONG if self.jit_compile is None else self.jit_compile

    @property
    def watched(self) -> bool:
        """Whether something must be looked at while it is written."""
        return bool(self.stops) or self.max_time is not None


@dataclasses.dataclass(frozen=True, eq=False)
class Generated:
    """A text and the numbers behind each of its new tokens.

    Attributes:
        text: The text.
        tokens: The N new tokens; a word of which a stop string left only a part is none.
        log_probabilities: float64 (N,), nats: of each token under the model, among the tokens that may come at all.
        sampler_log_probabilities: float64 (N,), nats: of each token under the distribution that was drawn from.
        alternatives: For each new token, the likeliest tokens under the model in its place, each with its nats.
    """

    text: str
    tokens: tuple[str, ...]
    log_probabilities: npt.NDArray[np.float64]
    sampler_log_probabilities: npt.NDArray[np.float64]
    alternatives: tuple[tuple[tuple[str, float], ...], ...]


class Writing:
    """A batch of texts that is being written, row by row as long as each needs.

    Attributes:
        state: Where the rows stand.
        texts: What each row has written so far, without what a stop string took away.
        records: What was recorded, one entry a piece.
    """

    def __init__(
        self,
        decoder: Decoder,
        vocabulary: Vocabulary,
        chain: Chain,
        state: Decoding,
        limits: Limits,
        alternatives: int = 0,
    ) -> None:
        """Go on from a state that the decoder has given."""
        self._decoder = decoder
        self._vocabulary = vocabulary
        self._chain = chain
        self._limits = limits
        self._alternatives = alternatives
        self._no_end_before = int(state.drawn) + limits.min_length
        self._watches = [StopStrings(limits.stops, limits.keep_stop) for _ in range(len(state.finished))]
        self.state = state
        self.texts = [""] * len(self._watches)
        self.records: list[Record] = []

    def pieces(self, sizes: tuple[int, int]) -> Iterator[list[str]]:
        """Write to the end, giving what each row has got more; pieces grow from the first size to the second."""
        piece, longest = sizes
        left = self._limits.length
        deadline = None if self._limits.max_time is None else time.monotonic() + self._limits.max_time
        while left > 0 and not self.state.finished.numpy().all() and (deadline is None or time.monotonic() < deadline):
            written = self._write(min(piece, left), longest if self._limits.compiled else None)
            left -= self.records[-1]["ids"].shape[1]
            piece = min(2 * piece, longest)
            yield written
        yield self._add([watch.rest() for watch in self._watches])

    def _write(self, length: int, capacity: int | None) -> list[str]:
        self.state, record = self._decoder.write(
            self._chain, self.state, length, self._no_end_before, self._alternatives, capacity
        )
        self.records.append(record)
        ids = record["ids"]
        pieces = self._add(
            [watch.feed(self._vocabulary.decode(row)) for watch, row in zip(self._watches, ids, strict=True)]
        )
        self._stop()
        return pieces

    def _stop(self) -> None:
        """Finish the rows that a stop string has ended."""
        stopped = np.array([watch.stopped for watch in self._watches])
        if stopped.any():
            self.state = self.state._replace(finished=self.state.finished | tf.constant(stopped))

    def _add(self, pieces: list[str]) -> list[str]:
        self.texts = [text + piece for text, piece in zip(self.texts, pieces, strict=True)]
        return pieces

    def generated(self, row: int, prompt: str) -> Generated:
        """Give a row with the numbers behind it; `alternatives` must have been asked for."""
        if not self.records:  # there was no time for any
            nothing = np.empty(0)
            return Generated(prompt + self.texts[row], (), nothing, nothing, ())
        joined = {name: np.concatenate([record[name][row] for record in self.records]) for name in self.records[0]}
        tokens = self._vocabulary.decode_each(joined["ids"])
        # A stop string may have taken tokens away again.
        ends = np.cumsum([len(token) for token in tokens])
        kept = int(np.sum((ends <= len(self.texts[row])) & (joined["ids"] != PADDING)))
        return Generated(
            text=prompt + self.texts[row],
            tokens=tokens[:kept],
            log_probabilities=joined["log_p"][:kept],
            sampler_log_probabilities=joined["sampler_log_p"][:kept],
            alternatives=tuple(
                tuple((self._vocabulary.tokens[i], float(p)) for i, p in zip(ids, log_p, strict=True) if p > -np.inf)
                for ids, log_p in zip(joined["alternatives"][:kept], joined["alternatives_log_p"][:kept], strict=True)
            ),
        )
