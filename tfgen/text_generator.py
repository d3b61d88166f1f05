"""A vocabulary and a network as one Keras object that trains, writes, scores and saves.

Axis letters: B batch, T time, V vocabulary, N new tokens.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import keras
import numpy as np

from tfgen import export as exporting
from tfgen import sampling
from tfgen.errors import InputError, whole_number
from tfgen.fitting.model import TrainingModel
from tfgen.networks import building, recurrent
from tfgen.sampling.chain import Chain, chain_of
from tfgen.support import atomic_files
from tfgen.vocabulary.vocabulary import END, OnUnknown, Vocabulary
from tfgen.writing import loop, scoring
from tfgen.writing.compiled import NOTHING_LEFT, Decoder
from tfgen.writing.session import Session
from tfgen.writing.stops import as_stops
from tfgen.writing.texts import STREAMED, WATCHED, WHOLE, Limits, Writing


@keras.saving.register_keras_serializable(package="tfgen")
class TextGenerator(TrainingModel):
    """Text in, text out: a `Vocabulary` and a `keras.Sequential` from ids (B, T) to probabilities (B, T, V).

    It is an ordinary Keras model: `compile`, `fit`, `evaluate`, callbacks, `save` and `keras.saving.load_model` work as
    always, and one `.keras` file holds vocabulary, network and provenance. What `fit` does beside Keras' own stands in
    `TrainingModel`.

    Writing and scoring never touch that carried state: there the state is a value (see `tfgen.networks`).

    Attributes:
        vocabulary: Text to ids and back.
        network: The plain Sequential, which can be taken out and used alone.
        provenance: What the model was trained on and how, as plain JSON types.
        restart: The chance that a row of a training batch starts from the zero state instead of the carried one. It
            is compiled into the training step, so it is given when the generator is made.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        network: keras.Sequential,
        *,
        provenance: Mapping[str, Any] | None = None,
        restart: float = 0.1,
        **kwargs: Any,
    ) -> None:
        """Join a vocabulary and a network, for example one that was trained with Keras alone.

        Args:
            vocabulary: Its size is the V of the network.
            network: Built from Embedding, LSTM, GRU, SimpleRNN, Dropout, LayerNormalization and Dense, the last a
                Dense(V) with softmax.
            provenance: What is known of the training, as plain JSON types.
            restart: See the attribute; only a stateful network uses it.
            **kwargs: As for `keras.Model`.

        Raises:
            InputError: The network has a layer that cannot be stepped through, or another V.
        """
        recurrent.check(network)
        outputs = recurrent.vocabulary_size(network)
        if outputs != len(vocabulary):
            raise InputError(f"the vocabulary has {len(vocabulary)} tokens, but the network predicts {outputs}.")
        super().__init__(network, restart, **kwargs)
        self.vocabulary = vocabulary
        self.provenance = dict(provenance or {})
        self._decoder = Decoder(network, vocabulary.writable)
        self._scorer = scoring.Scorer(network)
        self.built = True

    @classmethod
    def build(
        cls,
        vocabulary: Vocabulary,
        *,
        cell: str = "lstm",
        units: int = 256,
        layers: int = 1,
        dropout: float = 0.0,
        weight_drop: float = 0.0,
        embedding: int | None = None,
        batch_size: int | None = None,
        restart: float = 0.1,
        seed: int | None = None,
    ) -> TextGenerator:
        """Make an untrained generator, see `tfgen.networks.build`.

        Args:
            vocabulary: Text to ids and back.
            cell: "lstm", "gru" or "rnn".
            units: U, of each recurrent layer.
            layers: How many recurrent layers.
            dropout: Share of a recurrent layer's outputs that is dropped while training.
            weight_drop: Share of the recurrent weights that is dropped while training.
            embedding: Size of a learned embedding; None reads tokens one-hot.
            batch_size: B of a stateful network, for `datasets.streams`; None starts every batch from the zero state,
                for `datasets.windows` and `datasets.documents`.
            restart: See the class.
            seed: Makes initial weights and dropout the same in every run.

        Raises:
            InputError: A setting is out of its range.
        """
        if not isinstance(vocabulary, Vocabulary):
            raise InputError(f"the vocabulary must be a tfgen.Vocabulary; received {vocabulary!r}.")
        network = building.build(
            len(vocabulary),
            cell=cell,
            units=units,
            layers=layers,
            dropout=dropout,
            weight_drop=weight_drop,
            embedding=embedding,
            batch_size=batch_size,
            seed=seed,
        )
        return cls(vocabulary, network, restart=restart)

    def with_batch_size(self, batch_size: int | None) -> TextGenerator:
        """Copy the model, with all that its optimizer has learned, for batches of another size.

        Args:
            batch_size: B of a stateful network, to train on `datasets.streams`; None starts each batch at zero.
        """
        network = recurrent.with_batch_size(self.network, batch_size)
        twin = TextGenerator(self.vocabulary, network, provenance=self.provenance, restart=self.restart, name=self.name)
        if self.compiled:
            twin.compile_from_config(self.get_compile_config())
        if self.compiled and self.optimizer.built:
            for own, learned in zip(twin.optimizer.variables, self.optimizer.variables, strict=True):
                own.assign(learned)
        return twin

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
            num_beams: More than 1 searches for the likeliest text with so many beams instead of drawing; `n` of them
                are given, the best first (fewer where the sampler permits fewer). Stop strings, `max_time` and
                `return_scores` do not go with it.
            length_penalty: Beams are compared by log-probability over length to this power.
            echo: Whether a result begins with its prompt.
            return_scores: Whether to give `Generated` values, with log-probabilities, in the place of texts.
            alternatives: How many of the likeliest tokens these hold for each new token.
            seed: Makes the draws the same in every run and batch, see `sampling.row_seeds`; None takes one from
                Python's `random`, which `keras.utils.set_random_seed` sets.
            unknown: What a token of a prompt outside the vocabulary does: "error", "skip" it, or read it as "unknown".
            sampler: Transforms in the order they are applied; None for those of the plain settings.
            **settings: `temperature` (1.0; 0 takes the likeliest), `top_k`, `top_p`, `min_p`, `typical_p`,
                `repetition_penalty`, see `sampling.default_chain`.

        Returns:
            str (or `Generated`) for one prompt, list for a sequence, and a list of `n` in the place of each text if `n`
            is given.

        Raises:
            InputError: A setting is out of its range, or a prompt has unknown tokens and `unknown` is "error".
        """
        limits = Limits(length, min_length, as_stops(stop), keep_stop, max_time, jit_compile)
        chain = chain_of(sampler, settings, self.vocabulary)
        prompts = _texts("prompt", prompt)
        copies = whole_number("n", 1 if n is None else n, 1)
        if whole_number("num_beams", num_beams, 1) > 1:
            if return_scores:
                raise InputError(f"num_beams={num_beams} gives texts alone; leave away return_scores.")
            groups: list[list[Any]] = self._search(
                prompts, copies, limits, chain, num_beams, length_penalty, unknown, echo
            )
        else:
            rows = [text for text in prompts for _ in range(copies)]
            scored = whole_number("alternatives", alternatives, 1) if return_scores else 0
            texts = self._write(rows, limits, chain, scored, seed, unknown, echo)
            groups = [texts[begin : begin + copies] for begin in range(0, len(texts), copies)]
        given: list[Any] = groups if n is not None else [group[0] for group in groups]
        return given[0] if isinstance(prompt, str) else given

    def _write(
        self,
        prompts: list[str],
        limits: Limits,
        chain: Chain,
        alternatives: int,
        seed: int | Sequence[int] | None,
        unknown: OnUnknown,
        echo: bool,
    ) -> list[Any]:
        """Write one text a row."""
        if not prompts:
            return []
        batch = self._writing(prompts, limits, chain, alternatives, seed, unknown)
        for _ in batch.pieces(WATCHED if limits.watched else WHOLE):
            pass
        heads = [prompt if echo else "" for prompt in prompts]
        if alternatives:
            return [batch.generated(row, head) for row, head in enumerate(heads)]
        return [head + text for head, text in zip(heads, batch.texts, strict=True)]

    def _search(
        self,
        prompts: list[str],
        copies: int,
        limits: Limits,
        chain: Chain,
        beams: int,
        length_penalty: float,
        unknown: OnUnknown,
        echo: bool,
    ) -> list[list[str]]:
        """Search for the likeliest texts of each prompt."""
        if copies > beams or limits.watched:
            raise InputError(
                f"num_beams={beams} gives up to {beams} texts, and takes neither stop strings nor max_time; received "
                f"n={copies}, stop={limits.stops}, max_time={limits.max_time}."
            )
        if (
            isinstance(length_penalty, bool)
            or not isinstance(length_penalty, (int, float))
            or not 0 <= length_penalty < 100
        ):
            raise InputError(f"length_penalty is a number from 0 to 100; received {length_penalty!r}.")
        if not prompts:
            return []
        rows = [text for text in prompts for _ in range(beams)]
        state = self._read(rows, chain, 0, unknown)
        ids, scores = self._decoder.search(chain, state, limits.length, limits.min_length, beams, length_penalty)
        if not np.isfinite(scores[:, 0]).all():
            raise InputError(NOTHING_LEFT)
        return [
            [
                (prompt if echo else "") + self.vocabulary.decode(text)
                for text, score in zip(best[:copies], of[:copies], strict=True)
                if np.isfinite(score)
            ]
            for prompt, best, of in zip(prompts, ids, scores, strict=True)
        ]

    def _read(
        self, prompts: list[str], chain: Chain, seed: int | Sequence[int] | None, unknown: OnUnknown
    ) -> loop.Decoding:
        """Read prompts; every text begins after an end of text, so that an empty prompt is a row like any other."""
        seeds = sampling.row_seeds(random.getrandbits(62) if seed is None else seed, len(prompts))
        start = np.array([END], np.int32)
        ids = [np.concatenate([start, self.vocabulary.encode(text, unknown)]) for text in prompts]
        return self._decoder.read(ids, seeds, chain)

    def _writing(
        self,
        prompts: list[str],
        limits: Limits,
        chain: Chain,
        alternatives: int,
        seed: int | Sequence[int] | None,
        unknown: OnUnknown,
    ) -> Writing:
        state = self._read(prompts, chain, seed, unknown)
        return Writing(self._decoder, self.vocabulary, chain, state, limits, alternatives)

    def start(self, prompt: str = "", *, seed: int | None = None, unknown: OnUnknown = "error") -> Session:
        """Read a prompt and give a session that writes on from it, as often as one likes.

        Args:
            prompt: The beginning of the text.
            seed: Of all that the session draws; None draws anew.
            unknown: As for `generate`.

        Raises:
            InputError: The prompt has unknown tokens and `unknown` is "error", or the seed is none.
        """
        state = self._read([prompt], (), seed, unknown)
        history = np.concatenate([[END], self.vocabulary.encode(prompt, unknown)]).astype(np.int32)
        return Session(self._decoder, self.vocabulary, prompt, history, state)

    def resume(self, path: str | os.PathLike[str]) -> Session:
        """Load a session that `Session.save` has written; its next character is the one it would have been.

        Raises:
            InputError: The file is no session, is damaged, or belongs to another model.
        """
        return Session.load(path, self._decoder, self.vocabulary)

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
            **settings: See there.

        Raises:
            InputError: As for `generate`, before the first piece.
        """
        if not isinstance(prompt, str):
            raise InputError(f"stream takes one prompt, a str; received {prompt!r}.")
        limits = Limits(length, min_length, as_stops(stop), keep_stop, max_time, jit_compile)
        batch = self._writing([prompt], limits, chain_of(sampler, settings, self.vocabulary), 0, seed, unknown)
        return (text for (text,) in batch.pieces(STREAMED) if text)

    @overload
    def score(self, text: str, *, unknown: OnUnknown = "error") -> scoring.Score: ...
    @overload
    def score(self, text: list[str] | tuple[str, ...], *, unknown: OnUnknown = "error") -> list[scoring.Score]: ...
    def score(
        self, text: str | list[str] | tuple[str, ...], *, unknown: OnUnknown = "error"
    ) -> scoring.Score | list[scoring.Score]:
        """Tell how likely the model finds a text, or each of several, read from the beginning.

        Args:
            text: One text, or several of any lengths; none is empty.
            unknown: What a token outside the vocabulary does: "error", "skip" it, or score it as "unknown".

        Returns:
            One `Score`, or a list of them.

        Raises:
            InputError: A text is empty, or has unknown tokens and `unknown` is "error".
        """
        texts = _texts("text", text)
        encoded = [self.vocabulary.encode(each, unknown) for each in texts]
        for each, ids in zip(texts, encoded, strict=True):
            if not len(ids):
                raise InputError(f"there is nothing to score in {each!r}; give a text of at least one known character.")
        read = [self.vocabulary.decode_each(ids) for ids in encoded]
        scores = [
            scoring.Score(each, tokens, len("".join(tokens) if unknown == "skip" else each), log_probabilities, ranks)
            for each, tokens, (log_probabilities, ranks) in zip(texts, read, self._scorer(encoded), strict=True)
        ]
        return scores[0] if isinstance(text, str) else scores

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True, **kwargs: Any) -> None:
        """Save as `keras.Model.save` does; the file is written under another name and renamed when it is whole.

        Args:
            filepath: Ends in `.keras`.
            overwrite: Whether a file of that name may be replaced.
            **kwargs: As for `keras.Model.save`.

        Raises:
            InputError: The path has another ending, or a file is there and `overwrite` is False.
            OSError: The file cannot be written; what was there before is unharmed.
        """
        path = Path(filepath)
        if path.suffix != ".keras":
            raise InputError(f"a model file's name ends in .keras; received {str(path)!r}.")
        if path.exists() and not overwrite:
            raise InputError(f"{str(path)!r} exists; choose another name or give overwrite=True.")
        with atomic_files.file(path) as new:
            super().save(new, **kwargs)

    def export(self, filepath: str | os.PathLike[str], format: str = "saved-model", overwrite: bool = False) -> None:
        """Write a directory that writes the same text without tfgen; see `tfgen.export`.

        It takes the place of `keras.Model.export`, which knows nothing of text; `network.export` is Keras' own.

        Args:
            filepath: The directory; it is written under another name and renamed when it is whole.
            format: "saved-model": strings in, strings out, for TensorFlow alone. "onnx", "litert" and "litert-int8":
                one step with its state as arguments, for ONNX Runtime and LiteRT; the last has 8-bit weights. They
                calculate in float32, also where the network has another dtype policy.
            overwrite: Whether an earlier export there may be replaced.

        Raises:
            InputError: There is no such format, or the package that it needs is not installed; something is there that
                may not be replaced; the weights are no numbers; or the format lacks an operation of the network.
            OSError: It cannot be written; what was there before is unharmed.
        """
        exporting.export(self, filepath, format, overwrite)

    def get_config(self) -> dict[str, Any]:
        """Give the constructor's arguments as plain JSON types."""
        return {
            "name": self.name,
            "vocabulary": self.vocabulary.get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "provenance": self.provenance,
            "restart": self.restart,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> TextGenerator:
        """Make the generator that `get_config` described; its network has fresh weights."""
        config = dict(config)
        vocabulary = Vocabulary.from_config(config.pop("vocabulary"))
        network = keras.saving.deserialize_keras_object(config.pop("network"), custom_objects=custom_objects)
        return cls(vocabulary, network, **config)

    def get_build_config(self) -> None:
        """Say nothing: the constructor builds everything, and `build` is this class's own."""


def _texts(name: str, given: Any) -> list[str]:
    texts = [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    if not all(isinstance(text, str) for text in texts):
        raise InputError(f"{name} must be a str, or a sequence of them; received {given!r}.")
    return texts
