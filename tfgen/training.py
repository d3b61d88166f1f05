"""The settings that make a good model of a text, and the run that trains it.

`tfgen train` takes three steps: `Settings` say what is wanted, `prepare` builds vocabulary, batches and generator from
a corpus, `run` fits. Whoever wants it otherwise writes the same few lines with Keras: nothing here is needed to use a
`TextGenerator`.
"""

import dataclasses
import datetime
import math
import platform
import time
from collections.abc import Sequence
from typing import Any, Literal, get_args

import keras
import numpy as np
import tensorflow as tf

import tfgen
from tfgen import metrics
from tfgen.corpora import Corpus
from tfgen.corpora.pairs import Pairs
from tfgen.datasets import cuts, pairing
from tfgen.errors import InputError, check_choice, check_instance, real_number, whole_number
from tfgen.fitting.adamw import AdamW
from tfgen.layers.stepping import CELLS, TRANSFORMER
from tfgen.networks import counts, kinds, mixture, recurrent
from tfgen.networks.building import usual
from tfgen.networks.text_encoder import text_encoder
from tfgen.ngrams.tables import Tables
from tfgen.prepared.corpus import Prepared
from tfgen.prepared.pairs import PreparedPairs
from tfgen.support import keywords, wording
from tfgen.text_generator import TextGenerator
from tfgen.vocabulary.vocabulary import (
    END,
    PADDING,
    UNKNOWN,
    OnUnknown,
    Split,
    Vocabulary,
    checked_limits,
    default_max_tokens,
)

__all__ = ["Floor", "Job", "Settings", "count", "floor", "mix", "optimizer", "prepare", "retry", "run"]

Text = Corpus | Prepared | Pairs | PreparedPairs
Cut = Literal["streams", "windows", "documents", "pairs"]

# Documents longer than this, on average, are read as streams: the state is carried through them.
_LONG_DOCUMENT = 400
_BATCH_SIZE = 32
# A short row is many updates; the state is carried through streams, and not from window to window.
_LENGTHS = {"streams": 32, "windows": 64, "documents": 500, "pairs": None}
_BATCH_SIZE_OF_PAIRS = 64
_RATE, _RATE_OF_PAIRS = 8e-3, 3e-3
_RATE_OF_TRANSFORMER = 2e-3
_DECAY = 0.1  # of a transformer, as GPT-2 and nanoGPT have it
# Fewer different sources than this are labels: all of them are trained on, and texts are held out.
_LABELS = 100
# So many updates an epoch, at least, before a larger batch is worth its speed.
_UPDATES = 30
# So many tokens are read in all, if the number of epochs is left open.
_TOKENS = 6_000_000
_WARM_UP = 50
# So many tokens are counted beside a training run, some 20 seconds.
_MOST_COUNTED = 1 << 24


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to train, and how; None leaves a choice to `prepare`, which suits it to the corpus.

    Attributes:
        split: "character", or "word" for tokens that are words.
        max_tokens: The largest vocabulary; None for no limit (10,000 for words).
        min_count: Rarer tokens are left out of the vocabulary.
        unknown: What a token of the corpus outside the vocabulary does, see `Vocabulary.encode`; None: it is an error,
            but where the vocabulary has left tokens out and knows what the unknown one means.
        cut: "streams", "windows" or "documents", see `tfgen.datasets`; None: documents if they are short, else streams,
            and windows for a transformer, which has no state to carry.
            Texts that have sources are "pairs", and nothing else.
        cell: "lstm", "gru", "rnn" or "transformer"; or "ngram" for counts, see `count`.
        order: How many tokens the n-grams of counts have at most; None: 7.
        units: U, of each layer; None: 256, and 128 of a transformer.
        layers: How many layers; None: 1, and 4 of a transformer.
        dropout: Share of each layer's outputs that is dropped while training.
        weight_drop: Share of the recurrent weights of an LSTM or GRU that is dropped while training.
        embedding: Size of the tokens' embedding; None: one-hot characters, and 128 for words.
        heads: Of a transformer; None: 4.
        window: How many tokens a transformer sees at most; None: 64.
        encoder_units: U of the encoder of sources, in each direction; None: half the units.
        attention: Whether each token looks at the places of its source; None: it does, where there are sources.
        batch_size: B; None: 32, less for a small corpus, and 64 for pairs.
        length: T; None: 32 for streams, 64 for windows and the window of a transformer, for documents the longest row,
            500, and pairs of any length.
        epochs: None: as many as read 6 million tokens, at least 3 and at most 50.
        learning_rate: The peak of the schedule; None: 0.008, 0.003 for pairs, 0.002 for a transformer.
        validation: Share of the corpus that is kept from training.
        patience: Stop after so many epochs without a better validation; None never stops early. The best weights are
            kept either way.
        seed: Of weights, order and dropout.
    """

    def __new__(cls, *args: Any, **settings: Any) -> "Settings":
        """Check the names of the settings."""
        if message := keywords.unexpected(settings, [field.name for field in dataclasses.fields(cls)]):
            raise TypeError(message)
        return super().__new__(cls)

    split: Split = "character"
    max_tokens: int | None = None
    min_count: int = 1
    unknown: OnUnknown | None = None
    cut: Cut | None = None
    cell: str = "lstm"
    order: int | None = None
    units: int | None = None
    layers: int | None = None
    dropout: float = 0.0
    weight_drop: float = 0.0
    embedding: int | None = None
    heads: int | None = None
    window: int | None = None
    encoder_units: int | None = None
    attention: bool | None = None
    batch_size: int | None = None
    length: int | None = None
    epochs: int | None = None
    learning_rate: float | None = None
    validation: float = 0.1
    patience: int | None = 4
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no corpus could make right; the rest is checked where it is used."""
        max_tokens, min_count = checked_limits(self.split, self.max_tokens, self.min_count)
        checked: dict[str, Any] = {
            "max_tokens": max_tokens,
            "min_count": min_count,
            "seed": whole_number("seed", self.seed, 0, most=2**63 - 1),
            "validation": real_number("validation", self.validation, at_least=0, below=1),
        }
        if self.learning_rate is not None:
            checked["learning_rate"] = real_number("learning_rate", self.learning_rate, above=0)
        whole = ("order", "batch_size", "length", "embedding", "heads", "window", "encoder_units", "epochs", "patience")
        for name in whole:
            if (value := getattr(self, name)) is not None:
                checked[name] = whole_number(name, value, 1)
        for name, value in checked.items():  # as Python's own numbers, which a model's provenance can hold
            object.__setattr__(self, name, value)
        if self.cut is not None:
            check_choice("cut", self.cut, get_args(Cut))
        if self.unknown is not None:
            check_choice("unknown", self.unknown, get_args(OnUnknown))
        if self.attention is not None and not isinstance(self.attention, bool):
            raise InputError(f"attention is True, False or None; received {wording.shown(self.attention)}.")

    def suited_to(self, corpus: Text, tokens: int) -> "Settings":
        """Fill in what was left open, for a corpus of so many tokens."""
        of_pairs = isinstance(corpus, Pairs | PreparedPairs)
        if self.cut is not None and (self.cut == "pairs") != of_pairs:
            raise InputError(f"texts with sources are cut into pairs, and no others are; received cut={self.cut!r}.")
        if not of_pairs and (self.encoder_units or self.attention):
            raise InputError("encoder_units and attention are for texts with sources; this corpus has none: omit them.")
        transformer = self.cell == TRANSFORMER
        if transformer and self.cut == "streams":
            raise InputError("a transformer carries no state through streams: cut the text into windows or documents.")
        texts = _texts_of(corpus)
        short = texts.ends and texts.characters / texts.number_of_documents < _LONG_DOCUMENT
        sizes: dict[str, Any] = {k: size for k, size in usual(self.cell).items() if getattr(self, k) is None}
        units, window = (sizes.get(name, getattr(self, name)) for name in ("units", "window"))
        long = "windows" if transformer else "streams"
        cut = "pairs" if of_pairs else ("documents" if short else long) if self.cut is None else self.cut
        usual_length = window if transformer and cut == "windows" else _LENGTHS[cut]
        length = usual_length if self.length is None else self.length
        of_training = tokens * (1 - self.validation)
        if cut == "streams" and self.length is None and length is not None:
            length = int(np.clip(of_training - 2, 1, length))  # a text of a line or two is one short row
        row = tokens / texts.number_of_documents if cut in ("documents", "pairs") else tokens
        row = row if length is None else min(row, length)
        most = _BATCH_SIZE_OF_PAIRS if of_pairs else _BATCH_SIZE
        suited: dict[str, Any] = {
            "cut": cut,
            "length": length,
            "batch_size": int(np.clip(of_training / (_UPDATES * row), 1, most)),
            "embedding": 128 if self.split == "word" and not transformer else None,
            "epochs": int(np.clip(round(_TOKENS / of_training), 3, 50)),
            "learning_rate": _RATE_OF_TRANSFORMER if transformer else _RATE_OF_PAIRS if of_pairs else _RATE,
            "encoder_units": max(units // 2, 1) if of_pairs else None,
            "attention": True if of_pairs else None,
        }
        left_open = {name: value for name, value in suited.items() if getattr(self, name) is None}
        return dataclasses.replace(self, **left_open, **sizes)


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


def optimizer(steps: int, learning_rate: float = 8e-3, weight_decay: float | None = None) -> keras.optimizers.Optimizer:
    """Give the optimizer that the defaults were measured with.

    Adam with beta_2 = 0.99, gradients clipped to a global norm of 1 (Pascanu et al. 2013, arXiv:1211.5063), a linear
    warm-up over 50 steps and a cosine down to 2 % of the peak (Loshchilov and Hutter 2017, arXiv:1608.03983).

    Args:
        steps: Of the whole run: epochs times batches.
        learning_rate: The peak.
        weight_decay: Of matrices, by AdamW, see `tfgen.fitting.adamw`; None: Adam, without any.

    Raises:
        InputError: One is no number, or out of its range.
    """
    steps = whole_number("steps", steps, 1)
    learning_rate = real_number("learning_rate", learning_rate, above=0)
    warm_up = min(_WARM_UP, steps // 2)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warm_up else learning_rate,
        decay_steps=max(steps - warm_up, 1),
        alpha=0.02,
        warmup_target=learning_rate if warm_up else None,
        warmup_steps=warm_up,
    )
    if weight_decay is None:
        return keras.optimizers.Adam(schedule, beta_2=0.99, global_clipnorm=1.0)
    weight_decay = real_number("weight_decay", weight_decay, at_least=0, below=1)
    return AdamW(schedule, weight_decay=weight_decay, beta_2=0.99, global_clipnorm=1.0)


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
    texts = _texts_of(corpus)
    vocabulary = generator.vocabulary if generator else _vocabulary(texts, settings)
    counted = generator is None and isinstance(texts, Corpus)
    tokens = sum(vocabulary.counts) if counted else len(cuts.joined_ids(texts, vocabulary, settings.unknown))
    known = {"split": vocabulary.split, **(recurrent.shape(kinds.decoder_of(generator.network)) if generator else {})}
    settings = dataclasses.replace(settings, **known).suited_to(corpus, tokens)
    encoder = _encoder(corpus, settings, generator)
    train, validation = _batches(corpus, vocabulary, settings, encoder)
    batch_size = settings.batch_size if settings.cut == "streams" else None
    if generator is None:
        shape = ("cell", "units", "layers", "dropout", "weight_drop", "embedding", "heads", "window", "seed")
        options = {name: getattr(settings, name) for name in shape}
        options |= {"encoder": encoder, "attention": bool(settings.attention)}
        generator = TextGenerator.build(vocabulary, batch_size=batch_size, **options)
    else:
        before, generator = generator.provenance, generator.with_batch_size(batch_size)
        settings = dataclasses.replace(settings, **_shape(generator.network))
    generator.provenance = _provenance(corpus, settings, generator) | ({} if before is None else {"before": before})
    lengths = _lengths(texts, vocabulary, tokens)
    of_training = 1 - settings.validation
    assert settings.learning_rate is not None  # nothing is left open
    job = Job(
        generator,
        train,
        validation,
        settings,
        round(tokens * of_training),
        round(texts.characters * of_training),
        1.0 if lengths is None else _mean_length(train if validation is None else validation, lengths),
        lengths,
        settings.learning_rate,
    )
    return _compiled(job, retried)


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
    vocabulary = _vocabulary(corpus, settings)
    tokens = sum(vocabulary.counts) if isinstance(corpus, Corpus) else len(corpus.ids)
    settings = dataclasses.replace(settings, split=vocabulary.split, order=settings.order or 7)
    settings = settings.suited_to(corpus, tokens)
    _, validation = _batches(corpus, vocabulary, settings, None)
    tables = _tables(corpus, vocabulary, settings)
    generator = TextGenerator(vocabulary, counts.of_tables(tables))
    chosen = ("split", "max_tokens", "min_count", "cut", "validation", "seed", "order")
    generator.provenance = {
        **_provenance(corpus, settings, generator),
        "settings": {"cell": "ngram", **{name: getattr(settings, name) for name in chosen}},
        "ngrams": tables.ngrams,
    }
    result: dict[str, Any] = {"finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
    if validation is not None:
        nats = float(_log_p(tables, validation, settings).mean() * -1)
        lengths = _lengths(corpus, vocabulary, tokens)
        length = 1.0 if lengths is None else _mean_length(validation, lengths)
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
        "corpus": _summary(corpus),
        "settings": {"cell": "ngram", "order": order},
        "result": {"seconds": round(time.monotonic() - begun, 1)},
    }
    nats = -float(log_p.mean())
    return Floor(generator, nats, job.bits_per_character(nats), log_p)


def mix(job: Job, floor: Floor) -> tuple[TextGenerator, float]:
    """Mix a network that was trained with the counts of what it was trained on.

    Args:
        job: The network, and its validation part.
        floor: From `floor`.

    Returns:
        The mixture, whose weights are fitted on the validation part, which the counts have not seen and the network was
        not trained on (its best epoch was chosen by it); and nats per token there, each half of its batches weighted as
        the other half wants, so that nothing is scored with weights that were fitted on it.

    Raises:
        InputError: An argument is something else, or the job has no validation part.
    """
    check_instance("job", job, Job, "what tfgen.training.prepare gives")
    check_instance("floor", floor, Floor, "what tfgen.training.floor gives")
    if job.validation is None:
        raise InputError("the weights of a mixture are fitted on the validation part; this job has none.")
    of_network = _log_p_of(job.generator.writer.model, job.validation, job.settings)
    log_p = np.stack([of_network, floor.log_p])
    half = log_p.shape[1] // 2
    crossed = [
        np.log(mixture.fitted(seen) @ np.exp(scored))
        for seen, scored in ((log_p[:, :half], log_p[:, half:]), (log_p[:, half:], log_p[:, :half]))
        if seen.size
    ]
    nats = -float(np.concatenate(crossed).mean())
    shares = mixture.fitted(log_p)
    mixed = TextGenerator.mix([job.generator, floor.generator], weights=(shares / shares.sum()).tolist())
    result = {
        "val_nats": round(nats, 4),
        "val_bits": round(job.bits_per_character(nats), 4),
        "unit": f"nats per {job.settings.split}",
    }
    mixed.provenance = {**mixed.provenance, "shares_fitted": True, "result": result}
    return mixed, nats


def _log_p_of(model: Any, dataset: tf.data.Dataset, settings: Settings) -> np.ndarray:
    """Give the log-probabilities of all targets of some batches, as `_log_p` does for counts."""

    @tf.function(reduce_retracing=True, autograph=False)
    def read(inputs: tf.Tensor, targets: tf.Tensor, state: Any) -> Any:
        features, after = model.read(inputs, None, state, ())
        log_p = tf.nn.log_softmax(tf.cast(model.logits(features), tf.float64))
        return tf.gather(log_p, targets, batch_dims=2), after

    found, state = [], None
    for inputs, targets in dataset:
        if state is None or settings.cut != "streams":
            state = model.start((), tf.shape(inputs)[0])
        log_p, state = read(inputs, targets, state)
        found.append(log_p.numpy()[targets.numpy() != PADDING])
    return np.concatenate(found)


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


def _lengths(texts: Corpus | Prepared, vocabulary: Vocabulary, tokens: int) -> list[float] | None:
    """Give how many characters each token stands for: one that was left out, as many as such words have on average."""
    if vocabulary.split == "character":
        return None
    lengths = vocabulary.lengths
    counts = np.array(vocabulary.counts)
    if counts[UNKNOWN] and counts.sum() == tokens:  # they are those of this corpus
        rest = texts.characters - (counts * lengths)[END + 1 :].sum()
        lengths[UNKNOWN] = max(rest / counts[UNKNOWN], 1.0)
    return [float(length) for length in lengths]


def _mean_length(dataset: tf.data.Dataset, lengths: list[float]) -> float:
    """Give the mean length of all targets of some batches."""
    of_token, counted, characters = np.array(lengths), 0, 0.0
    for _, targets in dataset.as_numpy_iterator():
        real = targets[targets != PADDING]
        counted, characters = counted + len(real), characters + float(of_token[real].sum())
    return characters / counted


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


def retry(job: Job) -> Job:
    """Give a run that diverged half its learning rate, which its model's provenance lists under `retried`.

    `run` it with `tfgen.callbacks.Resume(..., new_rate=True)` to continue from the last good checkpoint.

    Raises:
        InputError: It is no `Job`.
    """
    check_instance("job", job, Job, "what tfgen.training.prepare gives")
    return _compiled(job, [*job.generator.provenance.get("retried", []), job.rate / 2])


def _texts_of(corpus: Text) -> Corpus | Prepared:
    """Give what is written: of pairs, their texts."""
    return corpus.texts if isinstance(corpus, Pairs | PreparedPairs) else corpus


def _vocabulary(corpus: Corpus | Prepared, settings: Settings) -> Vocabulary:
    if isinstance(corpus, Prepared):
        return corpus.vocabulary
    limit = default_max_tokens(settings.split) if settings.max_tokens is None else settings.max_tokens
    return Vocabulary.from_corpus(corpus, split=settings.split, max_tokens=limit, min_count=settings.min_count)


def _encoder(corpus: Text, settings: Settings, generator: TextGenerator | None) -> Any:
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
    vocabulary = _vocabulary(corpus.sources, settings)
    assert settings.encoder_units is not None  # nothing is left open
    cell = settings.cell if settings.cell in CELLS else "lstm"  # there is no encoder of another kind
    return text_encoder(vocabulary, cell=cell, units=settings.encoder_units, seed=settings.seed)


def _shape(network: kinds.Network) -> dict[str, Any]:
    """Describe a network that is trained on in the terms of the settings."""
    described = recurrent.shape(kinds.decoder_of(network))
    if network is kinds.decoder_of(network):
        return described
    units = getattr(network.encoder, "units", None)
    return {**described, "encoder_units": units, "attention": network.attention is not None}


def _batches(
    corpus: Text, vocabulary: Vocabulary, settings: Settings, encoder: Any
) -> tuple[tf.data.Dataset, tf.data.Dataset | None]:
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


def _provenance(corpus: Text, settings: Settings, generator: TextGenerator) -> dict[str, Any]:
    return {
        "corpus": _summary(corpus),
        "settings": dataclasses.asdict(settings),
        "parameters": generator.count_params(),
        "versions": {
            "tfgen": tfgen.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
        },
    }


def _summary(corpus: Text) -> dict[str, Any]:
    if isinstance(corpus, Pairs | PreparedPairs):
        return {**corpus.texts.summary(), "sources": corpus.sources.summary()}
    return corpus.summary()


def run(job: Job, callbacks: Sequence[keras.callbacks.Callback] = ()) -> keras.callbacks.History:
    """Train, keep the best weights of all epochs, and write into the model's provenance how it went.

    Args:
        job: From `prepare`.
        callbacks: Keras callbacks, for example those of `tfgen.callbacks`.

    Returns:
        What `fit` gives. Losses are in nats per token, see `tfgen.metrics`.

    Raises:
        InputError: It is no `Job`, or a callback is none of Keras'.
    """
    check_instance("job", job, Job, "what tfgen.training.prepare gives")
    check_instance("callbacks", callbacks, Sequence, "a list of Keras callbacks")
    for callback in callbacks:
        check_instance("each callback", callback, keras.callbacks.Callback, "a keras.callbacks.Callback")
    settings = job.settings
    early = None
    if job.validation is not None:
        patience = settings.epochs if settings.patience is None else settings.patience
        early = keras.callbacks.EarlyStopping("val_nats", mode="min", patience=patience, restore_best_weights=True)
    return job.generator.fit(
        job.train,
        validation_data=job.validation,
        epochs=settings.epochs,
        callbacks=[*([early] if early else []), _Result(job.generator.vocabulary.split, early), *callbacks],
        verbose=0,
    )


class _Result(keras.callbacks.Callback):
    """Writes into the model's provenance how the run has gone so far, so that every saved epoch knows it."""

    resumed = ("seconds", "_history", "provenance")

    def __init__(self, split: str, early: keras.callbacks.EarlyStopping | None) -> None:
        """Take what a token is, and what may stop the run early."""
        super().__init__()
        self._split = split
        self._early = early

    def on_train_begin(self, logs: Any = None) -> None:
        """Start the clock."""
        self.seconds = 0.0
        self._history: dict[str, list[float]] = {}

    @property
    def seconds(self) -> float:
        """How long the run has taken, in all the processes that it went on in."""
        return time.monotonic() - self._begun

    @seconds.setter
    def seconds(self, taken: float) -> None:
        self._begun = time.monotonic() - taken

    @property
    def provenance(self) -> dict[str, Any]:
        """What the model knows of its past and of this run."""
        return {name: self.model.provenance[name] for name in ("before", "result") if name in self.model.provenance}

    @provenance.setter
    def provenance(self, known: dict[str, Any]) -> None:
        self.model.provenance = {**self.model.provenance, **known}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write."""
        for name, value in (logs or {}).items():
            self._history.setdefault(name, []).append(float(value))
        result = {
            "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
            "epochs": epoch + 1,
            **_best_epoch(self._history),
            "unit": f"nats per {self._split}",
        }
        self.model.provenance = {**self.model.provenance, "result": result}

    def on_train_end(self, logs: Any = None) -> None:
        """Write why the run has ended; a run that was interrupted does not come here."""
        result = self.model.provenance.get("result", {})
        early = self._early
        if early is not None and early.stopped_epoch:
            ended = f"no better for {early.patience} epoch{'s' * (early.patience > 1)}"
        else:
            ended = "all epochs done" if result.get("epochs") == self.params["epochs"] else "stopped"
        self.model.provenance = {**self.model.provenance, "result": {**result, "ended": ended}}


def _best_epoch(history: dict[str, list[float]]) -> dict[str, Any]:
    """Give the number and the losses of the epoch whose weights were kept."""
    if not history.get("nats"):
        return {}
    judged = history.get("val_nats")
    best = int(np.argmin(np.nan_to_num(judged, nan=np.inf))) if judged else -1
    names = ("nats", "val_nats", "bits", "val_bits")
    losses = {name: float(history[name][best]) for name in names if name in history}
    finite = {name: round(loss, 4) for name, loss in losses.items() if math.isfinite(loss)}  # JSON has no NaN
    return {"kept_epoch": range(len(history["nats"]))[best] + 1, **finite} if finite else {}


def __dir__() -> list[str]:
    return __all__
