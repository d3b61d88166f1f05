"""The job of a training run: TensorFlow is imported, and the vocabulary of a model that goes on may grow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfgen import model_files
from tfgen.cli import tensorflow_log, terminal
from tfgen.cli.stopped_runs import StoppedRun
from tfgen.corpora import Corpus
from tfgen.corpora.pairs import Pairs
from tfgen.prepared.corpus import Prepared
from tfgen.prepared.pairs import PreparedPairs
from tfgen.support import interrupts, wording
from tfgen.vocabulary.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tfgen.text_generator import TextGenerator
    from tfgen.training.jobs import Job
    from tfgen.training.settings import Text


def job_of(
    corpus: Text,
    settings: dict[str, Any],
    init_from: Path | None = None,
    found: StoppedRun | None = None,
    growing: dict[str, Any] | None = None,
) -> Job:
    """Import TensorFlow and build vocabulary, batches and generator, which grows by what is counted with `growing`."""
    if init_from:
        model_files.read_config(init_from)  # says at once what is wrong with the file
    tensorflow_log.import_tensorflow()
    with interrupts.deferred():
        from tfgen.training import jobs
        from tfgen.training.settings import Settings

        generator = model_files.load(init_from) if init_from else None
        if generator is not None and growing is not None:
            generator = _grown(generator, corpus, growing)
        return jobs.prepare(corpus, Settings(**settings), generator, found.retried if found else ())


def _grown(generator: TextGenerator, corpus: Text, counting: dict[str, Any]) -> TextGenerator:
    """Give a generator that knows the tokens of a corpus too, and say how many are new."""

    def extended(known: Vocabulary, text: Corpus | Prepared) -> Vocabulary:
        if isinstance(text, Prepared):
            return text.vocabulary
        limits = {"max_tokens": counting["max_tokens"], "min_count": counting["min_count"] or 1}
        return known.extended(Vocabulary.from_corpus(text, known.split, **limits))

    known, of_sources = generator.vocabulary, None
    new_of_sources: tuple[str, ...] = ()
    vocabulary = extended(known, corpus.texts if isinstance(corpus, Pairs | PreparedPairs) else corpus)
    read = getattr(getattr(generator.network, "encoder", None), "vocabulary", None)
    if isinstance(corpus, Pairs | PreparedPairs) and read is not None:
        of_sources = extended(read, corpus.sources)
        new_of_sources = of_sources.tokens[len(read) :]
    new = vocabulary.tokens[len(known) :] + new_of_sources
    terminal.say(f"new {known.split}s: {wording.listing(dict.fromkeys(new))}")
    return generator.with_vocabulary(vocabulary, of_sources) if new else generator
