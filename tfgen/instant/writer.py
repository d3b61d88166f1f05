"""Texts and scores as `tfgen.writing.Writer` gives them, for one prompt and plain settings.

Axis letters: B batch, T time, V vocabulary.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.errors import InputError
from tfgen.instant import chain as chains
from tfgen.instant.network import Array, Network, State
from tfgen.portable.layers import Layer
from tfgen.support import interrupts
from tfgen.terms.draws import uniforms
from tfgen.terms.faults import NO_DISTRIBUTION
from tfgen.terms.limits import Limits
from tfgen.terms.scores import Score
from tfgen.terms.seeds import given_or_drawn
from tfgen.terms.stops import StopStrings, as_stops
from tfgen.vocabulary.vocabulary import END, PADDING, OnUnknown, Vocabulary

_PIECE = 256  # tokens that are scored at once
_KEPT = 32  # readings that a longer text goes on from


class _Reading(NamedTuple):
    """A text that was read: ids (T,), state and logits (1, V) after it, log-probabilities and ranks of its tokens."""

    ids: Array
    state: State
    logits: Array
    log_p: Array
    ranks: Array


class Writer:
    """Text in, text out; a text that goes on from one that was read before is read from there."""

    def __init__(self, vocabulary: Vocabulary, layers: Sequence[Layer]) -> None:
        """Join a vocabulary and layers with their arrays."""
        self.vocabulary = vocabulary
        self._network = Network(layers)
        no_logits, nothing = np.empty((0, len(vocabulary)), layers[-1].dtype), np.empty(0, np.int32)
        self._nothing = _Reading(nothing, self._network.start(1), no_logits, np.empty(0), nothing)
        self._readings: list[_Reading] = []

    def generate(self, prompt: Any = "", *, n: int = 1, echo: bool = True, seed: Any = None, **call: Any) -> list[Any]:
        """Give `n` texts, or those of each of several prompts; the other arguments are those of `stream`."""
        prompts, written = [prompt] if isinstance(prompt, str) else prompt, []
        for each, seeds in zip(prompts, np.split(given_or_drawn(seed, len(prompts) * n), len(prompts)), strict=True):
            rows = zip(*self._write(each, seeds, **call), strict=True)
            written.append([(each if echo else "") + "".join(pieces) for pieces in rows])
        return written[0] if isinstance(prompt, str) else written

    def stream(self, prompt: str = "", *, seed: int | None = None, **call: Any) -> Iterator[str]:
        """Give a text token by token; for the arguments, as far as there are any, see `tfgen.writing.Writer`."""
        return (text for (text,) in self._write(prompt, given_or_drawn(seed, 1), **call) if text)

    def score(self, text: str, *, unknown: OnUnknown = "error") -> Score:
        """Tell how likely the model finds a text, see `tfgen.writing.Writer`."""
        ids = self.vocabulary.encode(text := self.vocabulary.normalized(text), unknown)
        if not len(ids):
            raise InputError(f"there is nothing to score in {text!r}; give a text of at least one known character.")
        reading = self._read(ids)
        if np.isnan(reading.log_p).any():
            raise InputError(NO_DISTRIBUTION)
        tokens = self.vocabulary.decode_each(ids)
        return Score(text, tokens, len("".join(tokens) if unknown == "skip" else text), reading.log_p, reading.ranks)

    def _write(
        self,
        prompt: str,
        seeds: npt.NDArray[np.int64],
        *,
        length: int = 200,
        min_length: int = 0,
        stop: str | Sequence[str] | None = None,
        max_time: float | None = None,
        unknown: OnUnknown = "error",
        **settings: Any,
    ) -> Iterator[list[str]]:
        """Check everything, then write to the end: the new text of each row, token by token."""
        chain = chains.default_chain(**settings)
        limits = Limits(length, min_length, as_stops(stop, self.vocabulary.normalized), max_time=max_time)
        reading = self._read(self.vocabulary.encode(prompt, unknown))
        if np.isnan(reading.logits).any() or not np.isfinite(reading.logits).any():
            raise InputError(NO_DISTRIBUTION)
        return self._drawn(reading, chain, limits, seeds)

    def _drawn(
        self, reading: _Reading, chain: chains.Chain, limits: Limits, seeds: npt.NDArray[np.int64]
    ) -> Iterator[list[str]]:
        rows, places = len(seeds), np.arange(len(self.vocabulary))
        logits = np.repeat(reading.logits, rows, axis=0)
        state = [[np.repeat(each, rows, axis=0) for each in kept] for kept in reading.state]
        counts = np.tile(np.bincount(reading.ids, minlength=len(places)) * (places > END), (rows, 1))
        finished, watches = np.zeros(rows, bool), [StopStrings(limits.stops) for _ in seeds]
        deadline = np.inf if limits.max_time is None else time.monotonic() + limits.max_time
        draws = (uniform for block in itertools.count() for uniform in uniforms(seeds, block))
        for t, uniform in zip(range(limits.length), draws, strict=False):
            if finished.all() or time.monotonic() >= deadline:
                break
            interrupts.check()
            allowed = self.vocabulary.writable & ((places != END) | (t >= limits.min_length))
            shaped = chains.apply(chain, np.where(allowed, logits.astype(np.float64), -np.inf), counts)
            ids = np.where(finished, PADDING, chains.select(shaped, uniform))
            if ((ids == PADDING) & ~finished).any():
                raise InputError(NO_DISTRIBUTION)  # for no plain setting leaves nothing
            counts[np.arange(rows), ids] += ids > END
            yield [watch.feed(text) for watch, text in zip(watches, self.vocabulary.decode_each(ids), strict=True)]
            finished |= (ids == END) | [watch.stopped for watch in watches]
            features, state = self._network.step(ids, state)
            logits = self._network.logits(features)
        yield [watch.rest() for watch in watches]

    def _read(self, ids: Array) -> _Reading:
        """Read a text, which begins after an end of text, on from the longest beginning that was read before."""
        ids = np.concatenate([[END], ids])
        begun = [each for each in self._readings if np.array_equal(each.ids, ids[: len(each.ids)])]
        reading = max(begun, key=lambda each: len(each.ids), default=self._nothing)
        while len(reading.ids) < len(ids):
            reading = self._read_piece(reading, ids[len(reading.ids) :][:_PIECE])
        self._readings = [*self._readings, reading][-_KEPT:]
        return reading

    def _read_piece(self, before: _Reading, ids: Array) -> _Reading:
        """Read on, token by token, so that where a piece begins changes nothing."""
        state, features = before.state, []
        for each in ids:
            row, state = self._network.step(np.array([each]), state)
            features.append(row)
        within = self._network.logits(np.concatenate(features)[:-1])
        every = np.concatenate([before.logits, within]).astype(np.float64)
        targets = ids[len(ids) - len(every) :, np.newaxis]
        with np.errstate(invalid="ignore"):
            log_p = np.take_along_axis(chains.log_softmax(every), targets, axis=1)[:, 0]
        ranks = 1 + (every > np.take_along_axis(every, targets, axis=1)).sum(axis=1, dtype=np.int32)
        pairs = ((before.ids, ids), (before.log_p, log_p), (before.ranks, ranks))
        all_ids, log_p, ranks = map(np.concatenate, pairs)
        return _Reading(all_ids, state, self._network.logits(features[-1]), log_p, ranks)
