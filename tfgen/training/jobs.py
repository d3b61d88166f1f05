"""Everything that a run needs, built from a corpus and settings."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfgen import metrics
from tfgen.corpora import Corpus
from tfgen.datasets import cuts
from tfgen.errors import check_instance, offering, real_number
from tfgen.layers.stepping import TRANSFORMER
from tfgen.networks import kinds, recurrent
from tfgen.text_generator import TextGenerator
from tfgen.training.materials import batches_of, encoder_of, lengths_of, mean_length, vocabulary_of
from tfgen.training.optimizers import optimizer
from tfgen.training.provenance import origin
from tfgen.training.settings import Settings, Text, texts_of
from tfgen.vocabulary.vocabulary import GROWING

_DECAY = 0.1  # of a transformer, as GPT-2 and nanoGPT have it


@dataclasses.dataclass(frozen=True)
class Job:
    """A generator, compiled, and the batches to train it on.

    Attributes:
        generator: To be trained.
        train: Training batches of one epoch.
        validation: Validation batches, or None.
        settings: With nothing left open.
        tokens: How many tokens an epoch trains on.
        characters: How many characters these are.
        characters_per_token: How long a token is, on average of the validation part or, without one, of the training
            part; 1 where tokens are characters.
        lengths: How many characters each token stands for, (V,); None where tokens are characters.
        rate: The peak of the learning rate; that of the settings, halved with each `retry`.
    """

    generator: TextGenerator
    train: tf.data.Dataset
    validation: tf.data.Dataset | None
    settings: Settings
    tokens: int
    characters: int
    characters_per_token: float
    lengths: Sequence[float] | None
    rate: float

    def bits_per_character(self, nats: float) -> float:
        """Turn nats per token, of the validation part, into bits per character."""
        return nats / math.log(2) / self.characters_per_token


def prepare(
    corpus: Text,
    settings: Settings | None = None,
    generator: TextGenerator | None = None,
    retried: Sequence[float] = (),
) -> Job:
    """Build everything that a run needs.

    Args:
        corpus: What to learn; one that is prepared has its vocabulary, which overrules `split`, `max_tokens` and
            `min_count`. Of pairs the texts are learned from their sources, which an encoder reads, split as they are.
        settings: What to train; None for the defaults.
        generator: A trained model to continue from, with its vocabulary and network; its shape overrules the settings'
            `split`, `cell`, `units`, `layers`, `dropout`, `weight_drop`, `embedding`, `heads` and `window`, and of
            an encoder `encoder_units` and `attention`. Its optimizer begins anew.
        retried: The rates at which the run was resumed after it diverged, see `retry`.

    Raises:
        InputError: An argument is something else, a setting is out of range, the corpus is too short for it, or it has
            characters that the generator to continue from does not know.
    """
    check_instance("the corpus", corpus, Text, "what load_corpus or prepare_corpus gives")
    check_instance("settings", settings, Settings | None, "a tfgen.training.Settings")
    check_instance("generator", generator, TextGenerator | None, "a tfgen.TextGenerator")
    check_instance("retried", retried, Sequence, "a list of learning rates")
    if generator is not None:
        kinds.check_learns(generator.network)
    retried = [real_number("each rate of retried", rate, above=0) for rate in retried]
    settings = Settings() if settings is None else settings
    before: dict[str, Any] | None = None
    texts = texts_of(corpus)
    vocabulary = generator.vocabulary if generator else vocabulary_of(texts, settings)
    counted = generator is None and isinstance(texts, Corpus)
    with offering(*GROWING):
        tokens = sum(vocabulary.counts) if counted else len(cuts.joined_ids(texts, vocabulary, settings.unknown))
    known = {"split": vocabulary.split, **(recurrent.shape(kinds.decoder_of(generator.network)) if generator else {})}
    settings = dataclasses.replace(settings, **known).suited_to(corpus, tokens)
    encoder = encoder_of(corpus, settings, generator)
    with offering(*GROWING):
        train, validation = batches_of(corpus, vocabulary, settings, encoder)
    batch_size = settings.batch_size if settings.cut == "streams" else None
    if generator is None:
        shape = ("cell", "units", "layers", "dropout", "weight_drop", "embedding", "heads", "window", "seed")
        options = {name: getattr(settings, name) for name in shape}
        options |= {"encoder": encoder, "attention": bool(settings.attention)}
        generator = TextGenerator.build(vocabulary, batch_size=batch_size, **options)
    else:
        before, generator = generator.provenance, generator.with_batch_size(batch_size)
        settings = dataclasses.replace(settings, **_shape(generator.network))
    generator.provenance = origin(corpus, settings, generator) | ({} if before is None else {"before": before})
    lengths = lengths_of(texts, vocabulary, tokens)
    of_training = 1 - settings.validation
    assert settings.learning_rate is not None  # nothing is left open
    job = Job(
        generator,
        train,
        validation,
        settings,
        round(tokens * of_training),
        round(texts.characters * of_training),
        1.0 if lengths is None else mean_length(train if validation is None else validation, lengths),
        lengths,
        settings.learning_rate,
    )
    return _compiled(job, retried)


def retry(job: Job) -> Job:
    """Give a run that diverged half its learning rate, which its model's provenance lists under `retried`.

    `run` it with `tfgen.callbacks.Resume(..., new_rate=True)` to continue from the last good checkpoint.

    Raises:
        InputError: It is no `Job`.
    """
    check_instance("job", job, Job, "what tfgen.training.prepare gives")
    return _compiled(job, [*job.generator.provenance.get("retried", []), job.rate / 2])


def _compiled(job: Job, retried: Sequence[float]) -> Job:
    rate = retried[-1] if retried else job.rate
    assert job.settings.epochs is not None  # nothing is left open
    pairs = job.settings.cut == "pairs"
    job.generator.compile(
        optimizer=optimizer(
            job.settings.epochs * len(job.train), rate, _DECAY if job.settings.cell == TRANSFORMER else None
        ),
        loss="sparse_categorical_crossentropy",
        metrics=[metrics.NatsPerCharacter(), metrics.BitsPerCharacter(lengths=job.lengths)]
        + [metrics.ExactMatch()] * pairs,
    )
    if retried:
        job.generator.provenance = {**job.generator.provenance, "retried": list(retried)}
    return dataclasses.replace(job, rate=rate)


def _shape(network: kinds.Network) -> dict[str, Any]:
    """Describe a network that is trained on in the terms of the settings."""
    described = recurrent.shape(kinds.decoder_of(network))
    if network is kinds.decoder_of(network):
        return described
    units = getattr(network.encoder, "units", None)
    return {**described, "encoder_units": units, "attention": network.attention is not None}
