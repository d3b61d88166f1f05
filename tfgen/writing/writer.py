"""A vocabulary and a language model that write: whole texts, streams, searches, sessions and scores.

What is served, exported or mixed needs a writer alone; it knows nothing of training.

Axis letters: B batch, T time, V vocabulary, N new tokens.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen import sampling
from tfgen.errors import InputError, check_instance, read_each, whole_number
from tfgen.layers import graphs
from tfgen.networks.adapting import Learner, learner_of
from tfgen.networks.model import LanguageModel, state_of_a_row
from tfgen.sampling.chain import Chain, chain_of
from tfgen.support import forks, wording
from tfgen.terms.limits import Limits
from tfgen.terms.scores import Score
from tfgen.terms.seeds import given_or_drawn
from tfgen.terms.stops import StopStrings, as_stops
from tfgen.vocabulary.vocabulary import END, OnUnknown, Vocabulary
from tfgen.writing import places
from tfgen.writing.batch import Batch, Row
from tfgen.writing.compiled import CompiledLoop
from tfgen.writing.given import plain
from tfgen.writing.loop import Position, chosen_rows, rows_of
from tfgen.writing.scoring import Scorer, score_learning
from tfgen.writing.session import Session
from tfgen.writing.sources import Sources
from tfgen.writing.texts import STREAMED, WATCHED, WHOLE, Drafts, Look

# So many texts are written at once, and so many bytes of states and distributions; each number of a distribution is
# held in some places and types.
_ROWS, _BYTES, _LOGIT = 4096, 2**28, 40

_BEAMS = 2**10

_NO_TIME = 1e-9  # seconds


class _Prompts(NamedTuple):
    """What is read before anything is written.

    Attributes:
        texts: P of them.
        context: Of the P texts.
        unknown: What a token outside the vocabulary does.
        seed: Of the draws; None draws anew.
        copies: How many rows go on from each.
    """

    texts: list[str]
    context: Any
    unknown: OnUnknown
    seed: int | Sequence[int] | None = None
    copies: int = 1


class Writer:
    """Text in, text out, over any language model.

    Attributes:
        vocabulary: Text to ids and back.
        model: What gives the next token's distribution.
    """

    def __init__(self, vocabulary: Vocabulary, model: LanguageModel) -> None:
        """Join a vocabulary and a model.

        Raises:
            InputError: One of them is something else, or the model predicts another number of tokens.
        """
        forks.check()
        check_instance("the vocabulary", vocabulary, Vocabulary, "a tfgen.Vocabulary")
        if not isinstance(model, LanguageModel):
            raise InputError(
                "the model must have the attributes and methods of tfgen.networks.LanguageModel; received "
                f"{wording.shown(model)}."
            )
        if model.size != len(vocabulary):
            raise InputError(f"the vocabulary has {len(vocabulary)} tokens, but the model predicts {model.size}.")
        self.vocabulary = vocabulary
        self.model = model
        self._compiled = CompiledLoop(model, vocabulary.writable)
        self._scorer = Scorer(model)
        self._sources = Sources(model)

    @functools.cached_property
    def _learner(self) -> Learner:
        return learner_of(self.model)

    def generate(
        self,
        prompt: str | Sequence[str] = "",
        *,
        length: int = 200,
        min_length: int = 0,
        stop: str | Sequence[str] | None = None,
        keep_stop: bool = False,
        max_time: float | None = None,
        jit_compile: bool | None = None,
        n: int | None = None,
        num_beams: int = 1,
        length_penalty: float = 1.0,
        echo: bool = True,
        return_scores: bool = False,
        alternatives: int = 5,
        seed: int | Sequence[int] | None = None,
        unknown: OnUnknown = "error",
        sampler: Sequence[sampling.Transform] | None = None,
        source: Any = None,
        **settings: Any,
    ) -> Any:
        """Write on from a prompt, or from several at once.

        A text that ends by itself (a title, a verse) stops there; others stop after `length`.

        Args:
            prompt: One text, or a sequence of texts of any lengths. The empty prompt begins a new text.
            length: N, the largest number of new tokens (characters, or words of a word vocabulary).
            min_length: A text does not end by itself before it has so many new tokens.
            stop: A string, or several, at which a text stops.
            keep_stop: Whether the string at which it stopped is part of the text.
            max_time: Seconds after which no more is written, looked at every 64 tokens.
            jit_compile: Whether XLA compiles the loop, once for each number of rows: that takes about a second, and
                each token is written in about half the time. None does it for a `length` of 8,000 or more. Logits
                then differ in their last bits, so that a draw on the border of two tokens may rarely differ too.
            n: How many texts to write for each prompt; None for one, which is then no list.
            num_beams: More than 1, and at most 1,024, searches for the likeliest text with so many beams instead of
                drawing; `n` of them are given, the best first (fewer where the sampler permits fewer). Stop strings,
                `max_time` and `return_scores` do not go with it.
            length_penalty: Beams are compared by log-probability over length to this power.
            echo: Whether a result begins with its prompt.
            return_scores: Whether to give `Generated` values, with log-probabilities, in the place of texts.
            alternatives: How many of the likeliest tokens these hold for each new token.
            seed: Makes the draws the same in every run and batch, see `sampling.row_seeds`; None takes one from
                Python's `random`, which `keras.utils.set_random_seed` sets.
            unknown: What a token of a prompt outside the vocabulary does: "error", "skip" it, or read it as "unknown".
            sampler: Transforms in the order they are applied; None for those of the plain settings.
            source: What the texts depend on beside themselves, where the model has an encoder: a text, a picture, a
                vector, as the encoder takes it, or a batch or list of them, one for each prompt. A single prompt
                goes on from each of several sources, and several prompts from a single source. A model of one's own
                that takes a context is given that, a nest of arrays with one row a prompt.
            **settings: `temperature` (1.0; 0 takes the likeliest; a list gives each row its own), `top_k`, `top_p`,
                `min_p`, `typical_p`, `repetition_penalty`, see `sampling.default_chain`.

        Returns:
            str (or `Generated`) for one prompt and source, list for several, and a list of `n` in the place of each
            text if `n` is given.

        Raises:
            InputError: A setting is out of its range, a prompt or a source has unknown tokens and `unknown` is
                "error", or the source is not what the model takes.
        """
        places.check()
        prompt = plain(prompt)
        stops = as_stops(stop, self.vocabulary.normalized)
        limits = Limits(length, min_length, stops, keep_stop, max_time, jit_compile)
        chain = chain_of(sampler, settings, self.vocabulary, _ARGUMENTS)
        copies = whole_number("n", 1 if n is None else n, 1)
        alternatives = whole_number("alternatives", alternatives, 1)
        for name, value in (("echo", echo), ("return_scores", return_scores)):
            check_instance(name, value, bool, "True or False")
        texts, context, several = self._in_context(
            _texts("prompt", prompt), not isinstance(prompt, str), source, unknown
        )
        prompts = _Prompts(texts, context, unknown, seed, copies)
        if whole_number("num_beams", num_beams, 1, _BEAMS) > 1:
            _check_search(num_beams, copies, limits, length_penalty, return_scores)
            groups = self._search(prompts, limits, chain, num_beams, length_penalty, echo)
        else:
            groups = self._write(prompts, limits, chain, alternatives if return_scores else 0, echo)
        given: list[Any] = groups if n is not None else [group[0] for group in groups]
        return given if several else given[0]

    def _in_context(
        self, texts: list[str], several: bool, source: Any, unknown: OnUnknown
    ) -> tuple[list[str], Any, bool]:
        """Give texts and their context, row by row, and whether these are several; see `Sources.context`."""
        context, rows, several = self._sources.context(source, len(texts), several, unknown)
        return texts if len(texts) == rows else texts * rows, context, several

    def _alone(self, text: str, source: Any, unknown: OnUnknown) -> Any:
        """Give the context of one text."""
        texts, context, _ = self._in_context([text], False, source, unknown)
        if len(texts) != 1:
            raise InputError(f"there must be one source for one text; received {len(texts)}.")
        return context

    def _write(self, prompts: _Prompts, limits: Limits, chain: Chain, alternatives: int, echo: bool) -> list[list[Any]]:
        """Write the copies of each prompt."""
        sizes = WATCHED if limits.watched else WHOLE
        look = self._look(prompts) if alternatives else None
        until: float | None = None
        rows: list[Any] = []
        for position, context in self._batches(prompts, chain):
            if limits.max_time is not None:
                until = until or time.monotonic() + limits.max_time
                limits = dataclasses.replace(limits, max_time=max(until - time.monotonic(), _NO_TIME))
            drafts = Drafts(self._compiled, self.vocabulary, chain, position, limits, alternatives, context)
            done = len(rows)
            of_rows = [row // prompts.copies for row in range(done, done + len(position.finished))]
            heads = [prompts.texts[i] if echo else "" for i in of_rows]
            if alternatives:
                rows.extend(drafts.generated(sizes, heads, look and _of_prompts(look, of_rows)))
            else:
                rows.extend(head + text for head, text in zip(heads, drafts.texts(sizes), strict=True))
        return [rows[begin : begin + prompts.copies] for begin in range(0, len(rows), prompts.copies)]

    def _look(self, prompts: _Prompts) -> Look | None:
        """Give what tells the attention of a prompt's new tokens; None where the model does not attend to a source."""
        if not getattr(self.model, "attends", False):
            return None

        def look(of: int, new: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
            context = rows_of(prompts.context, tf.constant([of]))
            return self._attended(self._begun(prompts.texts[of], prompts.unknown), new, context)

        return look

    def _attended(
        self, begun: npt.NDArray[np.int32], new: npt.NDArray[np.int32], context: Any
    ) -> npt.NDArray[np.float32]:
        places = context.memory.mask.numpy()[0]
        if not len(new):
            return np.empty((0, int(places.sum())), np.float32)
        # A token is predicted from those before it: the last one is never looked from.
        read = np.concatenate([begun, new])[np.newaxis, :-1]
        weights = self._looked(tf.constant(read, tf.int32), context)[0, len(begun) - 1 :]
        found: npt.NDArray[np.float32] = tf.cast(weights, tf.float32).numpy()[:, places]
        return found

    @functools.cached_property
    def _looked(self) -> Any:
        model: Any = self.model
        return graphs.compiled(model.attention, reduce_retracing=True)

    def _search(
        self, prompts: _Prompts, limits: Limits, chain: Chain, beams: int, length_penalty: float, echo: bool
    ) -> list[list[str]]:
        """Search for the likeliest texts of each prompt, as many as its copies, the best first."""
        groups: list[list[str]] = []
        for position, context in self._batches(prompts._replace(seed=0, copies=beams), chain, whole=True):
            some = prompts.texts[len(groups) : len(groups) + len(position.finished) // beams]
            ids, scores = self._compiled.search(
                chain, position, limits.length, limits.min_length, beams, length_penalty, context
            )
            groups += [
                [
                    (prompt if echo else "") + self.vocabulary.decode(text)
                    for text, score in zip(best[: prompts.copies], of[: prompts.copies], strict=True)
                    if np.isfinite(score)
                ]
                for prompt, best, of in zip(some, ids, scores, strict=True)
            ]
        return groups

    def _read(self, prompts: _Prompts, chain: Chain) -> tuple[Position, Any]:
        """Read each prompt once: where all copies of all of them stand, and the context of these rows."""
        ((position, context),) = self._batches(prompts, chain)
        return position, context

    def _batches(self, prompts: _Prompts, chain: Chain, whole: bool = False) -> Iterator[tuple[Position, Any]]:
        """Read each prompt once, and give where its copies stand, and their context, in batches that fit into memory.

        Args:
            prompts: What is read.
            chain: That will write.
            whole: Whether all copies of a prompt are in one batch.
        """
        number, copies = len(prompts.texts), prompts.copies
        ids = read_each("prompt", prompts.texts, lambda text: self._begun(text, prompts.unknown))
        seeds = given_or_drawn(prompts.seed, number * copies)
        most = 1 if len(seeds) == 1 else self._most_rows(chain, prompts.context)
        step = max(most // copies, 1) if whole else most
        for begin in range(0, number, step):
            of_batch = range(begin, min(begin + step, number))
            context = rows_of(prompts.context, None if len(of_batch) == number else np.array(of_batch))
            read = functools.partial(self._compiled.read, ids[begin : of_batch.stop], chain=chain, context=context)
            some = seeds[begin * copies : of_batch.stop * copies]
            of_rows = np.repeat(np.arange(len(of_batch)), copies)
            if whole or len(some) <= most:
                yield read(some, copies=copies), rows_of(context, None if copies == 1 else of_rows)
                continue
            position = read(some[: len(of_batch)])
            for first in range(0, len(some), most):
                part = slice(first, first + most)
                chosen, of_part = chosen_rows(position, context, of_rows[part])
                yield chosen._replace(seeds=tf.constant(some[part])), of_part

    def _most_rows(self, chain: Chain, context: Any) -> int:
        """Give how many texts are written at once: those whose contexts, states and distributions there is room for."""
        states = state_of_a_row(self.model), self._compiled.start(chain, [np.array([END], np.int32)])
        leaves = tf.nest.flatten(states)
        of_row = sum(leaf.dtype.size * leaf.shape.num_elements() for leaf in leaves) + _LOGIT * self.model.size
        of_row += sum(leaf.dtype.size * leaf.shape[1:].num_elements() for leaf in tf.nest.flatten(context))
        return max(min(_BYTES // of_row, _ROWS), 1)

    def _begun(self, prompt: str, unknown: OnUnknown) -> npt.NDArray[np.int32]:
        """Give the ids of a prompt: it begins after an end of text, so that an empty one is a row like any other."""
        return np.concatenate([np.array([END], np.int32), self.vocabulary.encode(prompt, unknown)])

    def start(
        self, prompt: str = "", *, seed: int | None = None, unknown: OnUnknown = "error", source: Any = None
    ) -> Session:
        """Read a prompt and give a session that writes on from it, as often as one likes.

        Args:
            prompt: The beginning of the text.
            seed: Of all that the session draws; None draws anew.
            unknown: As for `generate`.
            source: As for `generate`, a single one.

        Raises:
            InputError: The prompt has unknown tokens and `unknown` is "error", the seed is none, or the source is not
                what the model takes.
        """
        places.check()
        prompt = plain(prompt)
        check_instance("the prompt", prompt, str, "a str")
        context = self._alone(prompt, source, unknown)
        position, of_prompt = self._read(_Prompts([prompt], context, unknown, seed), ())
        history = self._begun(prompt, unknown)
        return Session(self._compiled, self.vocabulary, prompt, history, position, context=of_prompt)

    def resume(self, path: str | os.PathLike[str]) -> Session:
        """Load a session that `Session.save` has written; its next character is the one it would have been.

        Raises:
            InputError: The file is no session, is damaged, or belongs to another model.
        """
        places.check()
        return Session.load(path, self._compiled, self.vocabulary)

    def stream(
        self,
        prompt: str = "",
        *,
        length: int = 200,
        min_length: int = 0,
        stop: str | Sequence[str] | None = None,
        keep_stop: bool = False,
        max_time: float | None = None,
        jit_compile: bool | None = None,
        seed: int | None = None,
        unknown: OnUnknown = "error",
        sampler: Sequence[sampling.Transform] | None = None,
        source: Any = None,
        **settings: Any,
    ) -> Iterator[str]:
        """Write on from a prompt and give the new text in pieces, while it is written.

        Joined, the pieces are the text of `generate` with the same arguments and `echo=False`. What may be the
        beginning of a stop string is held back until that is known.

        Args:
            prompt: One text.
            length: As for `generate`, and so all that follow.
            min_length: See there.
            stop: See there.
            keep_stop: See there.
            max_time: See there.
            jit_compile: See there.
            seed: See there.
            unknown: See there.
            sampler: See there.
            source: See there; a single one.
            **settings: See there.

        Raises:
            InputError: As for `generate`, before the first piece.
        """
        places.check()
        prompt = plain(prompt)
        if not isinstance(prompt, str):
            raise InputError(f"stream takes one prompt, a str; received {wording.shown(prompt)}.")
        stops = as_stops(stop, self.vocabulary.normalized)
        limits = Limits(length, min_length, stops, keep_stop, max_time, jit_compile)
        chain = chain_of(sampler, settings, self.vocabulary, _ARGUMENTS)
        prompts = _Prompts([prompt], self._alone(prompt, source, unknown), unknown, seed)
        position, context = self._read(prompts, chain)
        drafts = Drafts(self._compiled, self.vocabulary, chain, position, limits, context=context)
        return (text for (text,) in drafts.pieces(STREAMED) if text)

    def batch(
        self,
        *,
        alternatives: int = 0,
        sampler: Sequence[sampling.Transform] | None = None,
        **settings: Any,
    ) -> Batch:
        """Give an empty batch, which texts join and leave one by one; see `tfgen.writing.Batch`.

        Args:
            alternatives: How many of the likeliest tokens to give for each new one; 0 gives no numbers.
            sampler: As for `generate`.
            **settings: See there.

        Raises:
            InputError: A setting is out of its range.
        """
        places.check()
        chain = chain_of(sampler, settings, self.vocabulary)
        return Batch(self._compiled, self.vocabulary, chain, whole_number("alternatives", alternatives, 0))

    def rows(
        self,
        prompt: str | Sequence[str] = "",
        *,
        length: int = 200,
        stop: str | Sequence[str] | None = None,
        n: int = 1,
        seed: int | Sequence[int] | None = None,
        unknown: OnUnknown = "error",
        source: Any = None,
        drawn: int = 0,
    ) -> list[Row]:
        """Give the texts that `generate` would write, as rows that any `batch` of this writer may write.

        Args:
            prompt: As for `generate`, and so all that follow.
            length: See there.
            stop: See there.
            n: See there; the rows of a prompt follow one another.
            seed: See there: row r of these draws what it would draw there.
            unknown: See there.
            source: See there.
            drawn: How many draws of its seed each row leaves out. A prompt that ends with what was written with so many
                draws is continued as if nothing had happened.

        Raises:
            InputError: As for `generate`; or `drawn` is no whole number from 0 to 2^31 - 1.
        """
        places.check()
        whole_number("drawn", drawn, 0, 2**31 - 1)
        prompt = plain(prompt)
        limits = Limits(length, stops=as_stops(stop, self.vocabulary.normalized))
        copies = whole_number("n", n, 1)
        given = _texts("prompt", prompt)
        texts, context, _ = self._in_context(given, not isinstance(prompt, str), source, unknown)
        seeds = given_or_drawn(seed, len(texts) * copies)
        rows = []
        for i, begun in enumerate(read_each("prompt", texts, lambda text: self._begun(text, unknown))):
            of_text = rows_of(context, tf.constant([i]))
            rows += [
                Row(begun, seeds[i * copies + copy], limits.length, StopStrings(limits.stops), of_text, drawn)
                for copy in range(copies)
            ]
        return rows

    def attention(
        self, text: str, *, prompt: str = "", unknown: OnUnknown = "error", source: Any = None
    ) -> npt.NDArray[np.float32]:
        """Tell what each token of a text attended to in the source, as `Generated.attention` does of what is written.

        Args:
            text: Any text, of N tokens.
            prompt: What comes before it.
            unknown: What a token outside the vocabulary does, see `generate`.
            source: As for `generate`, one.

        Returns:
            float32 (N, S), the weights of the S places of the source; each row sums to 1.

        Raises:
            InputError: The model does not attend to a source, or as for `generate`.
        """
        places.check()
        if not getattr(self.model, "attends", False):
            raise InputError("this model does not attend to a source.")
        for name, given in (("text", text), ("prompt", prompt)):
            check_instance(name, given, str, "a text")
        context = self._alone(prompt, source, unknown)
        return self._attended(self._begun(prompt, unknown), self.vocabulary.encode(text, unknown), context)

    @overload
    def score(self, text: str, *, unknown: OnUnknown = "error", source: Any = None, adapt: bool = False) -> Score: ...
    @overload
    def score(
        self,
        text: list[str] | tuple[str, ...],
        *,
        unknown: OnUnknown = "error",
        source: Any = None,
        adapt: bool = False,
    ) -> list[Score]: ...
    def score(
        self,
        text: str | list[str] | tuple[str, ...],
        *,
        unknown: OnUnknown = "error",
        source: Any = None,
        adapt: bool = False,
    ) -> Score | list[Score]:
        """Tell how likely the model finds a text, or each of several, read from the beginning.

        Args:
            text: One text, or several of any lengths; none is empty.
            unknown: What a token outside the vocabulary does: "error", "skip" it, or score it as "unknown".
            source: As for `generate`, one for each text; a single text is scored under each of several sources, and
                several texts under a single one.
            adapt: Whether the model learns from each text while it reads it (dynamic evaluation, see
                `tfgen.networks.adapting`): every part is scored first and learned from after it, each text begins with
                the model as it is, and nothing of the model changes. A figure of it is another protocol than a static
                one: say which. Recurrent networks, counts and mixtures of them.

        Returns:
            One `Score`, or a list of them, of the texts in the normalisation form of the vocabulary.

        Raises:
            InputError: A text is empty, or has unknown tokens and `unknown` is "error"; or the model cannot adapt.
        """
        places.check()
        check_instance("adapt", adapt, bool, "True or False")
        text = plain(text)
        texts, context, several = self._in_context(_texts("text", text), not isinstance(text, str), source, unknown)
        texts = [*map(self.vocabulary.normalized, texts)]
        encoded = read_each("text", texts, lambda each: self.vocabulary.encode(each, unknown))
        for each, ids in zip(texts, encoded, strict=True):
            if not len(ids):
                raise InputError(f"there is nothing to score in {each!r}; give a text of at least one known character.")
        read = [self.vocabulary.decode_each(ids) for ids in encoded]
        scored = [score_learning(self._learner, ids) for ids in encoded] if adapt else self._scorer(encoded, context)
        scores = [
            Score(each, tokens, len("".join(tokens) if unknown == "skip" else each), log_probabilities, ranks)
            for each, tokens, (log_probabilities, ranks) in zip(texts, read, scored, strict=True)
        ]
        return scores if several else scores[0]


_ARGUMENTS = [name for name in inspect.signature(Writer.generate).parameters if name not in ("self", "settings")]


def _of_prompts(look: Look, prompts: Sequence[int]) -> Look:
    """Give what tells the attention of a row, from what tells that of its prompt."""
    return lambda row, new: look(prompts[row], new)


def _texts(name: str, given: Any) -> list[str]:
    texts = [given] if isinstance(given, str) or not isinstance(given, Iterable) else [plain(each) for each in given]
    if not all(isinstance(text, str) for text in texts):
        raise InputError(f"{name} must be a str, or a sequence of them; received {wording.shown(given)}.")
    return texts


def _check_search(beams: int, copies: int, limits: Limits, length_penalty: float, return_scores: bool) -> None:
    """Refuse what does not go with a search.

    Raises:
        InputError: Names it.
    """
    if return_scores:
        raise InputError(f"num_beams={beams} gives texts alone; received return_scores=True: remove it.")
    if copies > beams or limits.watched:
        raise InputError(
            f"num_beams={beams} gives up to {beams} texts, and takes neither stop strings nor max_time; received "
            f"n={copies}, stop={limits.stops}, max_time={limits.max_time}."
        )
    number = isinstance(length_penalty, (int, float)) and not isinstance(length_penalty, bool)
    if not number or not 0 <= length_penalty < 100:
        raise InputError(f"length_penalty is a number from 0 to 100; received {wording.shown(length_penalty)}.")
