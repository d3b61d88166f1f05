"""A text that is written on and on: it continues, forks, is saved, and resumes in another process."""

from __future__ import annotations

import array
import copy
import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen import sampling
from tfgen.errors import InputError, check_instance, path_of
from tfgen.networks.adapting import Learner, learner_of, pieces
from tfgen.sampling.chain import Chain, chain_of
from tfgen.terms.limits import Limits
from tfgen.terms.stops import as_stops
from tfgen.vocabulary.vocabulary import END, PADDING, OnUnknown, Vocabulary
from tfgen.writing import places, session_file
from tfgen.writing.compiled import CompiledLoop
from tfgen.writing.given import plain
from tfgen.writing.loop import Position
from tfgen.writing.session_file import SamplerState, Stored
from tfgen.writing.texts import SINGLE, STREAMED, WATCHED, Drafts


class Session:
    """One text, and where the model stands after it.

    Made by `TextGenerator.start`. Each call of `generate` or `stream` goes on where the last one stopped; the seed was
    given at the start, and its draws go on too.

    The end of the text ends the session; the end of a match of a `Pattern` ends the answer alone: the model never reads
    it, and the next answer goes on after the match, where the same pattern begins anew.

    Attributes:
        text: The prompt and all that has been written.
    """

    def __init__(
        self,
        compiled: CompiledLoop,
        vocabulary: Vocabulary,
        text: str,
        history: npt.NDArray[np.int32],
        position: Position,
        sampler: SamplerState | None = None,
        context: Any = (),
    ) -> None:
        """Take a text that was read, its ids (T,), and the position after them."""
        self._compiled = compiled
        self._vocabulary = vocabulary
        self._prompt = text
        # An array that grows at its end: a copy for each piece would cost more and more.
        self._history = array.array("i", history.astype(np.intc).tobytes())
        self._read = len(self._history)
        self._position = position
        self._sampler = sampler
        self._context = context
        self._answers = 0
        self._learner: Learner | None = None
        self._learned: Any = None

    @property
    def text(self) -> str:
        """The prompt and all that has been written."""
        return self._prompt + self._vocabulary.decode(self._ids()[self._read :])

    def _ids(self) -> npt.NDArray[np.int32]:
        """Give the ids of the text so far, a copy: an array that is looked at cannot grow."""
        return np.array(self._history, np.int32)

    @property
    def finished(self) -> bool:
        """Whether the text has come to its end."""
        return bool(self._position.finished.numpy()[0])

    def read(self, text: str, *, adapt: bool = False, unknown: OnUnknown = "error") -> None:
        """Read more of the text, which somebody else has written; what is written next goes on from there.

        Args:
            text: What comes next, of at least one known token.
            adapt: Whether the model learns from it, see `TextGenerator.score`. What it has learned belongs to the
                session, and to its forks: the model itself stays as it is. The first token of each such text is not
                learned from by a network's head. The loop is compiled anew then, which takes seconds.
            unknown: What a token outside the vocabulary does, see `TextGenerator.start`.

        Raises:
            InputError: There is nothing to read, the text has unknown tokens and `unknown` is "error", the session has
                come to the end of its text, or the model cannot adapt.
        """
        text = plain(text)
        check_instance("the text", text, str, "a str")
        check_instance("adapt", adapt, bool, "True or False")
        ids = self._vocabulary.encode(text, unknown).astype(np.int32)
        if not len(ids):
            raise InputError(f"there is nothing to read in {text!r}; give a text of at least one known character.")
        if self.finished:
            raise InputError("the text has come to its end: start another session to read more.")
        if adapt:
            self._learn(ids)
        position = self._compiled.read_on(ids, self._position, self._context)
        self._answers += 1  # a stream that is open is at its end
        self._history.frombytes(ids.astype(np.intc).tobytes())
        self._position = position._replace(finished=tf.constant([bool((ids == END).any())]))
        self._sampler = None

    def _learn(self, ids: npt.NDArray[np.int32]) -> None:
        learner = self._learner or learner_of(self._compiled.model)
        history = self._ids()
        reading = learner.begin(history, self._learned)
        for piece in pieces(np.concatenate([history[-1:], ids])):
            reading.read(piece)
        self._learner, self._learned = learner, reading.learned()
        self._compiled = self._compiled.over(learner.model(self._learned))

    def generate(
        self,
        length: int = 200,
        *,
        min_length: int = 0,
        stop: str | Sequence[str] | None = None,
        keep_stop: bool = False,
        max_time: float | None = None,
        jit_compile: bool | None = None,
        sampler: Sequence[sampling.Transform] | None = None,
        **settings: Any,
    ) -> str:
        """Write on, and give the new text.

        Args:
            length: As for `TextGenerator.generate`, and so all that follow.
            min_length: See there.
            stop: See there. What a stop string takes from the text it takes from this answer alone: the network has
                read it, and the session goes on after it.
            keep_stop: See there.
            max_time: See there.
            jit_compile: See there.
            sampler: See there.
            **settings: See there.

        Raises:
            InputError: A setting is out of its range.
        """
        pieces = self.stream(
            length,
            min_length=min_length,
            stop=stop,
            keep_stop=keep_stop,
            max_time=max_time,
            jit_compile=jit_compile,
            sampler=sampler,
            _sizes=WATCHED,
            **settings,
        )
        return "".join(pieces)

    def stream(
        self,
        length: int = 200,
        *,
        min_length: int = 0,
        stop: str | Sequence[str] | None = None,
        keep_stop: bool = False,
        max_time: float | None = None,
        jit_compile: bool | None = None,
        sampler: Sequence[sampling.Transform] | None = None,
        _sizes: tuple[int, int] = STREAMED,
        **settings: Any,
    ) -> Iterator[str]:
        """Write on, and give the new text in pieces, see `generate`.

        The session has moved on by each piece that was taken. A stream that is open when another answer begins is at
        its end; `fork` the session to write two.
        """
        places.check()
        chain = chain_of(sampler, settings, self._vocabulary)
        limits = Limits(
            length, min_length, as_stops(stop, self._vocabulary.normalized), keep_stop, max_time, jit_compile
        )
        name = _name(chain)
        begun = self._position._replace(sampler=self._states(chain, name))
        answer = Drafts(self._compiled, self._vocabulary, chain, begun, limits, context=self._context)
        self._answers += 1
        # An answer must not go past the token that completed a stop string or a match, for the session goes on there.
        ends_itself = any(transform.ends for transform in chain)
        sizes = SINGLE if limits.stops or ends_itself else _sizes
        return self._follow(answer, sizes, self._answers, name, ends_itself)

    def _states(self, chain: Chain, name: str) -> Any:
        """Give the states of a sampler: those it had if it wrote last, else what it makes of the text."""
        if self._sampler is None or self._sampler.name != name:
            return self._compiled.start(chain, [self._ids()])
        like = self._compiled.start(chain, [np.array([END], np.int32)])
        return tf.nest.pack_sequence_as(like, _same(tf.nest.flatten(like), self._sampler.leaves))

    def _follow(
        self, answer: Drafts, sizes: tuple[int, int], number: int, name: str, ends_itself: bool
    ) -> Iterator[str]:
        for (text,) in answer.pieces(sizes):
            if number != self._answers:
                raise InputError("the session has begun another answer: take all of a stream first, or fork it.")
            (ids,) = answer.ids
            if ends_itself and END in ids:
                self._end_match(answer.position)
            elif len(ids):
                self._move(answer.settled(), ids, name)
            if text:
                yield text

    def _move(self, position: Position, ids: npt.NDArray[np.int32], name: str) -> None:
        self._history.frombytes(ids[ids != PADDING].astype(np.intc).tobytes())
        # A stop string ends an answer; only the end of a text ends the text.
        self._position = position._replace(finished=tf.constant([bool((ids == END).any())]))
        self._sampler = SamplerState(name, tf.nest.flatten(position.sampler))

    def _end_match(self, position: Position) -> None:
        """Stay before the end that a sampler has drawn, but for the draw."""
        self._position = self._position._replace(drawn=position.drawn)
        self._sampler = None

    def fork(self, seed: int | None = None) -> Session:
        """Give a twin that goes on from here by itself; the two share the model.

        Args:
            seed: Of the twin's draws; None lets it draw what this session would have drawn.
        """
        twin = copy.copy(self)
        twin._history = self._history[:]
        if seed is not None:
            seeds = tf.constant(sampling.row_seeds(seed, 1))
            twin._position = self._position._replace(seeds=seeds, drawn=tf.constant(0))
        return twin

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the session to a file; it is written under another name and renamed when it is whole.

        Raises:
            InputError: It is no path, or the session has learned while it read.
            OSError: The file cannot be written.
        """
        if self._learned is not None:
            raise InputError("a session that has learned while reading is not saved: what it learned is in no file.")
        session_file.write(
            path_of("path", path),
            self._compiled.fingerprint(),
            Stored(self.text, self._ids(), self._position, self._sampler, self._context),
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str], compiled: CompiledLoop, vocabulary: Vocabulary) -> Session:
        """Read a session of this model; see `TextGenerator.resume`."""
        stored = session_file.read(path_of("path", path), compiled, vocabulary)
        return cls(compiled, vocabulary, *stored)


def _same(expected: Sequence[Any], leaves: Sequence[Any]) -> Sequence[Any]:
    """Give the leaves of a sampler's state, if such a sampler can have them."""
    kinds = [[(each.shape.rank, each.dtype) for each in some] for some in (expected, leaves)]
    if kinds[0] != kinds[1]:
        raise InputError("the session is damaged: the state of its sampler is of another kind.")
    return leaves


def _name(chain: Chain) -> str:
    """Name a sampler by all that it is: its transforms, in order, and every number in them."""
    digest = hashlib.sha256(repr(tf.nest.map_structure(tf.type_spec_from_value, chain)).encode())
    for leaf in tf.nest.flatten(chain, expand_composites=True):
        digest.update(leaf.numpy().tobytes())
    return digest.hexdigest()
