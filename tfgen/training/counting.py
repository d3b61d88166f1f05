"""Counts of the text that a network is trained on: a model of their own, and what a network must beat."""

import dataclasses
import datetime
import math
import time
from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.corpora import Corpus
from tfgen.corpora.pairs import Pairs
from tfgen.datasets import cuts
from tfgen.errors import check_instance, whole_number
from tfgen.networks import counts
from tfgen.ngrams.tables import Tables
from tfgen.prepared.corpus import Prepared
from tfgen.prepared.pairs import PreparedPairs
from tfgen.text_generator import TextGenerator
from tfgen.training.jobs import Job
from tfgen.training.materials import batches_of, lengths_of, mean_length, vocabulary_of
from tfgen.training.provenance import origin, summary
from tfgen.training.settings import Settings, Text
from tfgen.vocabulary.vocabulary import PADDING, Vocabulary

# So many tokens are counted beside a training run, some 20 seconds.
_MOST_COUNTED = 1 << 24


def count(corpus: Corpus | Prepared, settings: Settings | None = None) -> TextGenerator:
    """Count the n-grams of the training part of a corpus, in the place of training a network.

    Args:
        corpus: What to count.
        settings: Those of the vocabulary, `order`, `cut`, `validation` and `seed` matter; None for the defaults.

    Returns:
        The counts. Their provenance has under `result` how long they took, and the loss on the validation part, read
        as a network reads it.

    Raises:
        InputError: An argument is something else, a setting is out of range, or the corpus is too short for it.
    """
    check_instance("the corpus", corpus, Corpus | Prepared, "what load_corpus or prepare_corpus gives, without sources")
    check_instance("settings", settings, Settings | None, "a tfgen.training.Settings")
    begun = time.monotonic()
    settings = Settings() if settings is None else settings
    vocabulary = vocabulary_of(corpus, settings)
    tokens = sum(vocabulary.counts) if isinstance(corpus, Corpus) else len(corpus.ids)
    settings = dataclasses.replace(settings, split=vocabulary.split, order=settings.order or 7)
    settings = settings.suited_to(corpus, tokens)
    _, validation = batches_of(corpus, vocabulary, settings, None)
    tables = _tables(corpus, vocabulary, settings)
    generator = TextGenerator(vocabulary, counts.of_tables(tables))
    chosen = ("split", "max_tokens", "min_count", "cut", "validation", "seed", "order")
    generator.provenance = {
        **origin(corpus, settings, generator),
        "settings": {"cell": "ngram", **{name: getattr(settings, name) for name in chosen}},
        "ngrams": tables.ngrams,
    }
    result: dict[str, Any] = {"finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
    if validation is not None:
        nats = float(_log_p(tables, validation, settings).mean() * -1)
        lengths = lengths_of(corpus, vocabulary, tokens)
        length = 1.0 if lengths is None else mean_length(validation, lengths)
        result |= {"val_nats": round(nats, 4), "val_bits": round(nats / math.log(2) / length, 4)}
        result["unit"] = f"nats per {vocabulary.split}"
    result["seconds"] = round(time.monotonic() - begun, 1)
    generator.provenance["result"] = result
    return generator


@dataclasses.dataclass(frozen=True, eq=False)
class Floor:
    """What counts of the training part make of the validation part: what a network should do better.

    Attributes:
        generator: The counts.
        nats: Per token, on the validation part, read as the network reads it.
        bits: Per character.
        log_p: The log-probabilities of its targets, (T,), in the order of the batches.
    """

    generator: TextGenerator
    nats: float
    bits: float
    log_p: np.ndarray


def floor(corpus: Text, job: Job, order: int = 7) -> Floor | None:
    """Count what a job trains on, and look how well that predicts its validation part.

    Args:
        corpus: Of the job.
        job: From `prepare`.
        order: How many tokens an n-gram has at most.

    Returns:
        None where texts have sources, which counts do not read; where there is no validation; or where there are more
        than 16 million tokens, for counting must not take long beside the training.

    Raises:
        InputError: An argument is something else, or out of its range.
    """
    check_instance("job", job, Job, "what tfgen.training.prepare gives")
    check_instance("the corpus", corpus, Text, "what load_corpus or prepare_corpus gives")
    order = whole_number("order", order, 1, most=32)
    if isinstance(corpus, Pairs | PreparedPairs) or job.validation is None or job.tokens > _MOST_COUNTED:
        return None
    begun = time.monotonic()
    settings = dataclasses.replace(job.settings, order=order)
    tables = _tables(corpus, job.generator.vocabulary, settings)
    log_p = _log_p(tables, job.validation, settings)
    generator = TextGenerator(job.generator.vocabulary, counts.of_tables(tables))
    generator.provenance = {
        "corpus": summary(corpus),
        "settings": {"cell": "ngram", "order": order},
        "result": {"seconds": round(time.monotonic() - begun, 1)},
    }
    nats = -float(log_p.mean())
    return Floor(generator, nats, job.bits_per_character(nats), log_p)


def _tables(corpus: Corpus | Prepared, vocabulary: Vocabulary, settings: Settings) -> Tables:
    """Count what a network of these settings is trained on."""
    parts = cuts.parts_of_training(
        corpus,
        vocabulary,
        documents=settings.cut == "documents",
        validation=settings.validation,
        seed=settings.seed,
        unknown=settings.unknown,
    )
    return counts.tables_of(parts, vocabulary, settings.order or 7)


def _log_p(tables: Tables, dataset: tf.data.Dataset, settings: Settings) -> np.ndarray:
    """Give the log-probabilities of all targets of some batches; of streams, rows go on from batch to batch."""
    found, before, order = [], None, tables.order
    for inputs, targets in dataset.as_numpy_iterator():
        if before is None or settings.cut != "streams":
            before = np.full((len(inputs), order - 1), PADDING)
        text = np.concatenate([before, inputs], axis=1)
        steps = inputs.shape[1]
        tokens = [targets, *(text[:, order - 1 - back + 1 :][:, :steps] for back in range(1, order))]
        real = targets != PADDING
        found.append(np.log(tables.probabilities([each[real] for each in tokens])))
        before = text[:, steps:]
    return np.concatenate(found)
