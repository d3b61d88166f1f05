"""A vocabulary and a network as one Keras object that trains, writes, scores and saves.

Axis letters: B batch, T time, V vocabulary, N new tokens.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

import keras
import numpy as np

from tfgen.datasets import cuts
from tfgen.errors import InputError, check_instance, path_of, real_number, whole_number
from tfgen.fitting.model import TrainingModel
from tfgen.networks import building, counts, described, kinds, mixture
from tfgen.networks.encoder_decoder import EncoderDecoder
from tfgen.page.contents import Weights
from tfgen.prepared.corpus import Prepared
from tfgen.support import atomic_files, hdf5, keywords, wording
from tfgen.terms.faults import NO_DISTRIBUTION
from tfgen.vocabulary.vocabulary import Documents, OnUnknown, Vocabulary
from tfgen.writing.writer import Writer

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def _handed_on(
    method: Callable[Concatenate[Writer, Parameters], Result],
) -> Callable[Concatenate[Any, Parameters], Result]:
    """Make a method that the generator's writer carries out, with the signature and the documentation of that one."""

    @functools.wraps(method)
    def call(self: Any, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return method(self.writer, *args, **kwargs)

    return call


@keras.saving.register_keras_serializable(package="tfgen")
class TextGenerator(TrainingModel):
    """Text in, text out: a `Vocabulary` and a `keras.Sequential` from ids (B, T) to probabilities (B, T, V).

    With an encoder before it (`tfgen.networks.EncoderDecoder`) the text depends on a source: a picture, a text in
    another language, a label, a vector of features. `fit` then takes `(source, ids)`, see `tfgen.datasets.pairs`.

    It is an ordinary Keras model: `compile`, `fit`, `evaluate`, callbacks, `save` and `keras.saving.load_model` work as
    always, and one `.keras` file holds vocabulary, network and provenance. What `fit` does beside Keras' own stands in
    `TrainingModel`.

    Writing and scoring never touch that carried state: there the state is a value (see `tfgen.networks`).

    Attributes:
        vocabulary: Text to ids and back.
        network: The plain Sequential, or the encoder and the decoder; it can be taken out and used alone.
        provenance: What the model was trained on and how, as plain JSON types.
        restart: The chance that a row of a training batch starts from the zero state instead of the carried one. It
            is compiled into the training step, so it is given when the generator is made.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        network: kinds.Network,
        *,
        provenance: Mapping[str, Any] | None = None,
        restart: float = 0.1,
        **kwargs: Any,
    ) -> None:
        """Join a vocabulary and a network, for example one that was trained with Keras alone.

        Args:
            vocabulary: Its size is the V of the network.
            network: Built from Embedding, LSTM, GRU, SimpleRNN, Transformer, Dropout, LayerNormalization, Dense, and
                layers of your own that can be stepped (`tfgen.layers.Stepped`); the last is a Dense(V), with softmax or
                logits. A Sequential, or a Functional model that is a chain, see `tfgen.networks.chain`.
                Or a `tfgen.networks.EncoderDecoder`, which has an encoder before such a network.
            provenance: What is known of the training, as plain JSON types.
            restart: See the attribute; only a stateful network uses it.
            **kwargs: As for `keras.Model`.

        Raises:
            InputError: The network has a layer that cannot be stepped through, or another V; or the provenance is not a
                mapping.
        """
        check_instance("provenance", provenance, Mapping | None, "a mapping of names to plain values")
        writer = Writer(vocabulary, kinds.language_model(network))
        super().__init__(network, restart, **kwargs)
        self.vocabulary = vocabulary
        self.provenance = dict(provenance or {})
        self._writer = writer
        self.built = True

    @classmethod
    @keywords.suggesting
    def build(
        cls,
        vocabulary: Vocabulary,
        *,
        cell: str = "lstm",
        units: int | None = None,
        layers: int | None = None,
        dropout: float = 0.0,
        weight_drop: float = 0.0,
        embedding: int | None = None,
        heads: int | None = None,
        window: int | None = None,
        batch_size: int | None = None,
        restart: float = 0.1,
        seed: int | None = None,
        encoder: keras.Model | None = None,
        attention: bool = False,
    ) -> TextGenerator:
        """Make an untrained generator, see `tfgen.networks.build`.

        Args:
            vocabulary: Text to ids and back.
            cell: "lstm", "gru", "rnn" or "transformer".
            units: U, of each layer; None: 256, and 128 of a transformer.
            layers: How many layers; None: 1, and 4 of a transformer.
            dropout: Share of a layer's outputs that is dropped while training.
            weight_drop: Share of the recurrent weights that is dropped while training.
            embedding: Size of a learned embedding; None reads tokens one-hot. That of a transformer has U.
            heads: Of a transformer; None: 4.
            window: How many tokens a transformer sees at most; None: 64.
            batch_size: B of a stateful network, for `datasets.streams`; None starts every batch from the zero state,
                for `datasets.windows` and `datasets.documents`.
            restart: See the class.
            seed: Makes initial weights and dropout the same in every run.
            encoder: What reads a source that the texts depend on: any Keras model from a source to a vector a row,
                (B, D), or to a sequence, (B, S, D), such as `tfgen.networks.text_encoder`. None: texts depend on
                nothing.
            attention: Whether each token looks at the places of the source, of which the encoder gives a sequence.

        Raises:
            InputError: A setting is out of its range.
        """
        check_instance("the vocabulary", vocabulary, Vocabulary, "a tfgen.Vocabulary")
        network = building.build(
            len(vocabulary),
            cell=cell,
            units=units,
            layers=layers,
            dropout=dropout,
            weight_drop=weight_drop,
            embedding=embedding,
            heads=heads,
            window=window,
            batch_size=batch_size,
            seed=seed,
        )
        if encoder is not None:
            network = EncoderDecoder(encoder, network, attention=attention, seed=seed)
        elif attention:
            raise InputError("attention looks at what an encoder has read; received attention=True without an encoder.")
        return cls(vocabulary, network, restart=restart)

    @classmethod
    def count(
        cls,
        corpus: Documents | Prepared,
        vocabulary: Vocabulary | None = None,
        *,
        order: int = 7,
        unknown: OnUnknown | None = None,
    ) -> TextGenerator:
        """Count the n-grams of a text: a model that needs no training, and an honest floor for one that does.

        It is interpolated modified Kneser-Ney (Chen and Goodman 1998), see `tfgen.networks.ngram`; all verbs work with
        it, but for `fit`. A text of a million characters takes about a second.

        Args:
            corpus: All of it is counted, documents that end one by one. A prepared one is read in pieces: memory grows
                with the number of different n-grams alone.
            vocabulary: Turns it into ids; a prepared corpus has its own.
            order: How many tokens an n-gram has at most.
            unknown: As for `tfgen.datasets.streams`.

        Raises:
            InputError: The corpus is none, or empty, or `order` is out of its range.
        """
        parts = cuts.parts_of_training(corpus, vocabulary, documents=False, validation=0, unknown=unknown)
        known: Any = corpus.vocabulary if isinstance(corpus, Prepared) else vocabulary
        return cls(known, counts.ngram(parts, known, order=order))

    @classmethod
    def mix(
        cls,
        members: Sequence[TextGenerator],
        *,
        weights: Sequence[float] | None = None,
        on: str | Sequence[str] | None = None,
    ) -> TextGenerator:
        """Mix models of one vocabulary: the probability of each token is the weighted sum of what they give.

        Args:
            members: At least two, without encoders: recurrent networks, counts and others, each as it is now.
            weights: Of each, which sum to 1; None fits them, or takes the usual ones.
            on: A text, or several, that no member has learned from, on which the weights are fitted by likelihood
                (expectation and maximisation). Without it networks weigh 0.6 together and counts 0.4, or all the same.

        Raises:
            InputError: The members do not go together, the weights do not fit them, or there is nothing to fit them on.
        """
        members = _checked_members(members)
        if weights is not None and on is not None:
            raise InputError("weights are given, or fitted on a text; received both: omit one.")
        shares = kinds.usual_shares([each.network for each in members])
        if weights is not None:
            shares = _checked_weights(weights, len(members))
        if on is not None:
            shares = _fitted_shares(members, on)
        plain = [kinds.with_batch_size(kinds.plain(each.network), None) for each in members]
        network = mixture.Mixture(plain, name="mixture")
        network.shares.assign(shares)
        provenance = {
            "members": [each.provenance for each in members],
            "shares": [round(float(share), 4) for share in shares],
            "shares_fitted": on is not None,
        }
        return cls(members[0].vocabulary, network, provenance=provenance)

    def with_batch_size(self, batch_size: int | None) -> TextGenerator:
        """Copy the model, with all that its optimizer has learned, for batches of another size.

        Args:
            batch_size: B of a stateful network, to train on `datasets.streams`; None starts each batch at zero.

        Raises:
            InputError: The size is no whole number, or below 1.
        """
        batch_size = None if batch_size is None else whole_number("batch_size", batch_size, 1)
        network = kinds.with_batch_size(self.network, batch_size)
        twin = TextGenerator(self.vocabulary, network, provenance=self.provenance, restart=self.restart, name=self.name)
        if self.compiled:
            twin.compile_from_config(self.get_compile_config())
        if self.compiled and self.optimizer.built:
            for own, learned in zip(twin.optimizer.variables, self.optimizer.variables, strict=True):
                own.assign(learned)
        return twin

    def with_vocabulary(self, vocabulary: Vocabulary, of_sources: Vocabulary | None = None) -> TextGenerator:
        """Copy the model for a vocabulary that has more tokens, to go on learning from a text that has them.

        Every weight is kept. What belongs to a new token (its row of an embedding, or of a kernel that reads one-hot
        rows, and its column of the head) is the mean over the old tokens. The optimizer begins anew.

        Args:
            vocabulary: Begins with the tokens of the model, such as `generator.vocabulary.extended(other)`.
            of_sources: The same for the sources that an encoder of texts reads; None leaves them.

        Returns:
            A generator that is not compiled. Its provenance says, under `grown`, from how many tokens to how many.

        Raises:
            InputError: A vocabulary does not begin with the tokens of the model, or the network is none that learns.
        """
        _check_begins("the vocabulary", vocabulary, self.vocabulary)
        if of_sources is not None:
            known = getattr(getattr(self.network, "encoder", None), "vocabulary", None)
            if known is None:
                raise InputError("the model reads no texts as sources; received a vocabulary of them: omit of_sources.")
            _check_begins("of_sources", of_sources, known)
        network = kinds.grown(self.network, len(vocabulary), of_sources)
        step = {"from": len(self.vocabulary), "to": len(vocabulary)}
        provenance = {**self.provenance, "grown": [*self.provenance.get("grown", []), step]}
        return TextGenerator(vocabulary, network, provenance=provenance, restart=self.restart, name=self.name)

    @property
    def writer(self) -> Writer:
        """What writes with the network as it is now, without anything of training; see `tfgen.writing.Writer`."""
        return self._writer

    generate = _handed_on(Writer.generate)
    stream = _handed_on(Writer.stream)
    start = _handed_on(Writer.start)
    resume = _handed_on(Writer.resume)
    score = _handed_on(Writer.score)

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
        path = path_of("filepath", filepath)
        if path.suffix != ".keras":
            raise InputError(f"a model file's name ends in .keras; received {str(path)!r}.")
        if path.exists() and not overwrite:
            raise InputError(f"{str(path)!r} exists; choose another name or give overwrite=True.")
        with atomic_files.file(path) as new:
            super().save(new, **kwargs)

    def export(
        self,
        filepath: str | os.PathLike[str],
        format: str = "saved-model",
        overwrite: bool = False,
        weights: Weights | None = None,
    ) -> None:
        """Write a directory, or a page, that writes the same text without tfgen; see `tfgen.export`.

        It takes the place of `keras.Model.export`, which knows nothing of text; `network.export` is Keras' own.

        Args:
            filepath: The directory; it is written under another name and renamed when it is whole.
            format: "saved-model": strings in, strings out, for TensorFlow alone. "onnx", "litert" and "litert-int8":
                one step with its state as arguments, and the encoder if there is one, for ONNX Runtime and LiteRT; the
                last has 8-bit weights. They calculate in float32, also where the network has another dtype policy.
                "html": one page for browsers, at `filepath` with `.html` (see `tfgen.page`).
            weights: What the weights of a page are kept as: "int8", if None, "float16" or "float32".
            overwrite: Whether an earlier export there may be replaced.

        Raises:
            InputError: There is no such format, or the package that it needs is not installed; something is there that
                may not be replaced; some weights are not finite; or the format lacks an operation of the network.
            OSError: It cannot be written; what was there before is unharmed.
        """
        from tfgen.export import export

        if not all(np.isfinite(weight).all() for weight in self.network.get_weights()):
            raise InputError(NO_DISTRIBUTION)
        about = {"network": {**kinds.shape(self.network), **_stack(self.network)}, "provenance": self.provenance}
        export(self.writer, filepath, format, overwrite, about, weights)

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

    def load_own_variables(self, store: Any) -> None:
        """Look at the weights of a file before Keras reads them: this one has none that are not its network's.

        Raises:
            InputError: Some are complex.
        """
        # A store of Keras that is no HDF5 file has none to look through.
        if (file := getattr(store, "h5_file", None)) is not None and (wrong := hdf5.complex_arrays(file)):
            raise InputError(f"the file holds complex numbers in {wording.shown(wrong[0])}; give real weights.")
        super().load_own_variables(store)

    def get_build_config(self) -> None:
        """Say nothing: the constructor builds everything, and `build` is this class's own."""


def _check_begins(name: str, vocabulary: Any, known: Vocabulary) -> None:
    """Refuse a vocabulary that does not begin with one that is known already.

    Raises:
        InputError: Says so.
    """
    check_instance(name, vocabulary, Vocabulary, "a tfgen.Vocabulary")
    kept = ("split", "normalize", "lower")
    same = all(getattr(vocabulary, each) == getattr(known, each) for each in kept)
    if not same or vocabulary.tokens[: len(known)] != known.tokens:
        raise InputError(
            f"{name} must begin with the {len(known):,} tokens of the model, as its vocabulary.extended(other) does; "
            f"received one of {len(vocabulary):,} tokens that does not."
        )


def _checked_members(members: Any) -> list[TextGenerator]:
    """Refuse what cannot be mixed.

    Raises:
        InputError: Says what.
    """
    if not isinstance(members, (list, tuple)) or len(members) < 2:
        raise InputError(f"mix takes a list of at least two generators; received {wording.shown(members)}.")
    for each in members:
        check_instance("each member", each, TextGenerator, "a tfgen.TextGenerator")
        if isinstance(each.network, EncoderDecoder | mixture.Mixture):
            raise InputError(
                f"a mixture has networks without an encoder and counts; received {wording.shown(each.network)}."
            )
        known, first = each.vocabulary, members[0].vocabulary
        if (known.tokens, known.split, known.ends) != (first.tokens, first.split, first.ends):
            raise InputError(
                "the members of a mixture must have one vocabulary: train them on one text, or the one with the "
                f"vocabulary of the other; received vocabularies of {len(first)} and {len(known)} tokens that differ."
            )
    return list(members)


def _fitted_shares(members: list[TextGenerator], on: Any) -> list[float]:
    """Fit the weights of a mixture on texts.

    Raises:
        InputError: There are none.
    """
    texts = [on] if isinstance(on, str) else on
    if not isinstance(texts, (list, tuple)) or not texts:
        raise InputError(f"on must be a text, or a list of texts; received {wording.shown(on)}.")
    scores = [each.score(list(texts)) for each in members]
    log_p = [np.concatenate([text.log_probabilities for text in of_member]) for of_member in scores]
    return [float(share) for share in mixture.fitted(log_p)]


def _checked_weights(weights: Any, number: int) -> list[float]:
    if not isinstance(weights, (list, tuple)) or len(weights) != number:
        raise InputError(f"weights must be a list of {number} numbers; received {wording.shown(weights)}.")
    checked = [real_number("each weight", weight, at_least=0, at_most=1) for weight in weights]
    if abs(sum(checked) - 1) > 1e-6:
        raise InputError(f"weights must sum to 1; received {wording.shown(weights)}.")
    return checked


def _stack(network: Any) -> dict[str, Any]:
    """List the layers that read the text, for a manifest; nothing where one of them cannot be described."""
    try:
        return {"stack": described.listed(kinds.decoder_of(network))}
    except InputError:
        return {}
