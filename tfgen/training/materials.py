"""What a training reads: the vocabulary of a corpus, what reads its sources, its batches, and how long tokens are."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.corpora import Corpus
from tfgen.corpora.pairs import Pairs
from tfgen.datasets import cuts, pairing
from tfgen.errors import InputError
from tfgen.layers.stepping import CELLS
from tfgen.networks.text_encoder import text_encoder
from tfgen.prepared.corpus import Prepared
from tfgen.prepared.pairs import PreparedPairs
from tfgen.text_generator import TextGenerator
from tfgen.training.settings import Settings, Text
from tfgen.vocabulary.vocabulary import END, PADDING, UNKNOWN, Vocabulary, default_max_tokens

# Fewer different sources than this are labels: all of them are trained on, and texts are held out.
_LABELS = 100


def vocabulary_of(corpus: Corpus | Prepared, settings: Settings) -> Vocabulary:
    """Give the vocabulary of a text that is prepared, or count one."""
    if isinstance(corpus, Prepared):
        return corpus.vocabulary
    limit = default_max_tokens(settings.split) if settings.max_tokens is None else settings.max_tokens
    return Vocabulary.from_corpus(corpus, split=settings.split, max_tokens=limit, min_count=settings.min_count)


def encoder_of(corpus: Text, settings: Settings, generator: TextGenerator | None) -> Any:
    """Give what reads the sources: that of the generator to continue from, or an untrained one; None without sources.

    Raises:
        InputError: The corpus has sources and the generator no encoder of texts, or the other way round.
    """
    if generator is not None:
        encoder = getattr(generator.network, "encoder", None)
        if isinstance(corpus, Pairs | PreparedPairs) != hasattr(encoder, "vocabulary"):
            raise InputError(
                "the model to continue from writes from sources that are texts, and the corpus has none: give them."
                if encoder is not None
                else "the corpus has sources, and the model to continue from has no encoder that reads them: omit them."
            )
        return encoder
    if not isinstance(corpus, Pairs | PreparedPairs):
        return None
    vocabulary = vocabulary_of(corpus.sources, settings)
    assert settings.encoder_units is not None  # nothing is left open
    cell = settings.cell if settings.cell in CELLS else "lstm"  # there is no encoder of another kind
    return text_encoder(vocabulary, cell=cell, units=settings.encoder_units, seed=settings.seed)


def batches_of(
    corpus: Text, vocabulary: Vocabulary, settings: Settings, encoder: Any
) -> tuple[tf.data.Dataset, tf.data.Dataset | None]:
    """Cut a corpus into the batches of an epoch and those of its validation part, as the settings say."""
    names = ("batch_size", "length", "validation", "unknown")
    options: dict[str, Any] = {name: getattr(settings, name) for name in names}
    if settings.cut != "streams":
        options["seed"] = settings.seed
    if isinstance(corpus, Pairs | PreparedPairs):
        labels = pairing.different(corpus.sources, _LABELS) < _LABELS
        options |= {"source_vocabulary": encoder.vocabulary, "hold_out": "text" if labels else "source"}
        return pairing.pairs(corpus.sources, corpus.texts, vocabulary, **options)
    assert settings.cut is not None  # nothing is left open
    cut = {"streams": cuts.streams, "windows": cuts.windows, "documents": cuts.documents}[settings.cut]
    return cut(corpus, vocabulary, **options)


def lengths_of(texts: Corpus | Prepared, vocabulary: Vocabulary, tokens: int) -> list[float] | None:
    """Give how many characters each token stands for: one that was left out, as many as such words have on average."""
    if vocabulary.split == "character":
        return None
    lengths = vocabulary.lengths
    counts = np.array(vocabulary.counts)
    if counts[UNKNOWN] and counts.sum() == tokens:  # they are those of this corpus
        rest = texts.characters - (counts * lengths)[END + 1 :].sum()
        lengths[UNKNOWN] = max(rest / counts[UNKNOWN], 1.0)
    return [float(length) for length in lengths]


def mean_length(dataset: tf.data.Dataset, lengths: list[float]) -> float:
    """Give the mean length of all targets of some batches."""
    of_token, counted, characters = np.array(lengths), 0, 0.0
    for _, targets in dataset.as_numpy_iterator():
        real = targets[targets != PADDING]
        counted, characters = counted + len(real), characters + float(of_token[real].sum())
    return characters / counted
