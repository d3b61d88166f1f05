"""Models side by side, of any kind, vocabulary and level: what each makes of one text, and what each writes.

    from tfgen import comparison

    print(comparison.compare(["counts.keras", "lstm.keras"], on=held_out, prompt="The ", corpus=corpus))

Bits of a whole text over its characters compare models that read characters with models that read words. What a
vocabulary lacks is one unknown token, which need not be spelled, or is left out where there never was such a token:
`Row.unknown` says how often that has made it easy.
"""

import dataclasses
import math
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfgen import model_files
from tfgen.errors import InputError, check_choice, check_instance, path_of, whole_number
from tfgen.novelty import passages
from tfgen.support import pages, wording
from tfgen.terms.settings import PLAIN, number
from tfgen.vocabulary.vocabulary import UNKNOWN, Documents, OnUnknown, Vocabulary

if TYPE_CHECKING:
    from tfgen.text_generator import TextGenerator

__all__ = ["PASSAGE", "Comparison", "Row", "Task", "check", "compare", "measure"]

PASSAGE = 30
"""The length, in characters, of the passages that are looked for in the corpus."""

_HEAD = ("model", "bits static", "bits adapted", "MB", "trained s", "characters/s", "longest quotation", "copied")


@dataclasses.dataclass(frozen=True)
class Task:
    """What each model is asked to do.

    Attributes:
        on: Texts that no model has learned from, none of them empty.
        prompt: What each writes on from.
        length: New tokens of a text, at most.
        sample: So many characters, at least, are written to measure speed, in texts of seeds that follow one another;
            so many, at most, are looked up.
        seed: Of the first text.
        adapt: Whether models are scored while they learn from the texts, too; it takes twice the time or more.
        corpus: What the models have learned, for the novelty report; None: nothing is looked up.
        settings: Plain settings of the sampler, see `tfgen.sampling.default_chain`; temperature 0.8 where none is said.

    Raises:
        InputError: One is something else, or out of its range.
    """

    on: Sequence[str]
    prompt: str = ""
    length: int = 300
    sample: int = 10_000
    seed: int = 0
    adapt: bool = True
    corpus: Documents | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check everything."""
        texts = [self.on] if isinstance(self.on, str) else self.on
        check_instance("on", texts, Sequence, "a text, or a list of texts")
        for text in texts:
            check_instance("each text", text, str, "a str")
        texts = [text for text in texts if text]
        if not texts:
            raise InputError("there is no text to compare models on; give at least one character.")
        check_instance("the prompt", self.prompt, str, "a str")
        check_instance("adapt", self.adapt, bool, "True or False")
        check_instance("the corpus", self.corpus, Documents | None, "what tfgen.load_corpus gives")
        check_instance("settings", self.settings, Mapping, "a mapping of names to values")
        for name, least, most in (("length", 1, 10**8), ("sample", 1, passages.MOST_BYTES // 5), ("seed", 0, 2**62)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least, most))
        settings = {name: value for name, value in self.settings.items() if value is not None}
        for name, value in settings.items():
            check_choice("each setting", name, [*PLAIN])
            number(name, value, PLAIN[name])
        object.__setattr__(self, "on", texts)
        object.__setattr__(self, "settings", {"temperature": 0.8, **settings})


@dataclasses.dataclass(frozen=True)
class Row:
    """What was measured of one model.

    Attributes:
        model: Its file.
        bits_per_character: Of the texts, each read from its beginning by the model as it was trained.
        bits_per_character_adapted: The same by a model that learns from what it has read; None if it was not asked to.
        unknown: How many tokens of the texts the model does not know.
        bytes: Of its file.
        training_seconds: What its provenance says, of all its members together; None where it says nothing.
        characters_per_second: Written by TensorFlow, one text at a time; what begins and compiles is not counted.
        longest_quotation: The longest passage of what it wrote that stands in the corpus; None without a corpus.
        copied: The share of passages of `PASSAGE` characters that stand there, of all that it wrote; None without a
            corpus, or where no text is as long.
        text: The first text, with the prompt.
        notes: Sentences on what makes it different from others: what it could not do, or was spared.
    """

    model: str
    bits_per_character: float
    bits_per_character_adapted: float | None
    unknown: int
    bytes: int
    training_seconds: float | None
    characters_per_second: float
    longest_quotation: str | None
    copied: float | None
    text: str
    notes: tuple[str, ...] = ()

    def cells(self) -> tuple[str, ...]:
        """Give the cells of its line in a table; "-" where nothing was measured."""
        quotation = None if self.longest_quotation is None else len(self.longest_quotation)
        return (
            self.model,
            f"{self.bits_per_character:.3f}",
            _cell(self.bits_per_character_adapted, ".3f"),
            f"{self.bytes / 1e6:.2f}",
            _cell(self.training_seconds, ",.1f"),
            f"{self.characters_per_second:,.0f}",
            _cell(quotation, ","),
            _cell(self.copied, ".1%"),
        )


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What was measured of several models; as a text a table of it, and in a notebook too.

    Attributes:
        rows: One for each model, in the order given.
    """

    rows: tuple[Row, ...]

    def __str__(self) -> str:
        """Give a table in columns."""
        lines = [_HEAD, *(row.cells() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [
            "  ".join([name.ljust(widths[0]), *(f"{cell:>{n}}" for cell, n in zip(cells, widths[1:], strict=True))])
            for name, *cells in lines
        ]
        return "\n".join([*(line.rstrip() for line in table), *self._notes()])

    def _repr_html_(self) -> str:
        return pages.table(_HEAD, [row.cells() for row in self.rows]) + "".join(map(pages.paragraph, self._notes()))

    def _notes(self) -> list[str]:
        return [f"{row.model} {note}" for row in self.rows for note in row.notes]


def compare(models: Sequence[str | os.PathLike[str]], on: str | Sequence[str], **task: Any) -> Comparison:
    """Measure models side by side, one after the other.

    Args:
        models: Paths of model files, which may differ in kind, vocabulary and level.
        on: A text, or several, that none has learned from.
        **task: More of what each is asked to do, see `Task`.

    Raises:
        InputError: A file is no model or writes from a source, or something of the task cannot be.
    """
    if isinstance(models, str | bytes) or not isinstance(models, Sequence) or not models:
        raise InputError(f"models must be a list of at least one path; received {wording.shown(models)}.")
    asked = Task(on, **task)
    for model in models:
        check(model)
    return Comparison(tuple(measure(model, asked) for model in models))


def check(model: str | os.PathLike[str]) -> None:
    """Look, without TensorFlow, whether a model can be compared.

    Raises:
        InputError: It cannot.
    """
    path = path_of("each model", model)
    if (model_files.read_config(path).get("network") or {}).get("class_name") == "EncoderDecoder":
        raise InputError(f"{str(path)!r} writes from a source, and is compared with none: leave it out.")


def measure(model: str | os.PathLike[str], task: Task) -> Row:
    """Measure one model.

    Args:
        model: Path of a model file.
        task: What it is asked to do.

    Raises:
        InputError: As for `compare`.
    """
    path = path_of("the model", model)
    check_instance("the task", task, Task, "a tfgen.comparison.Task")
    check(path)
    generator = model_files.load(path)
    unknown = sum(_unknown(generator.vocabulary, text) for text in task.on)
    static = _bits(generator, task, adapt=False)
    adapted, notes = _adapted(generator, task) if task.adapt else (None, [])
    texts, characters_per_second = _written(generator, task)
    longest, copied = _copied(texts, task)
    spared = "left out" if _on_unknown(generator.vocabulary) == "skip" else "not spelled"
    for name, found in (("text", unknown), ("prompt", _unknown(generator.vocabulary, task.prompt))):
        if found:
            notes.append(f"does not know {wording.number(found, 'token')} of the {name}: {spared}.")
    return Row(
        str(path),
        static,
        adapted,
        unknown,
        path.stat().st_size,
        _training_seconds(generator.provenance),
        characters_per_second,
        longest,
        copied,
        task.prompt + texts[0],
        tuple(notes),
    )


def _unknown(vocabulary: Vocabulary, text: str) -> int:
    return int((vocabulary.encode(vocabulary.normalized(text), "unknown") == UNKNOWN).sum())


def _on_unknown(vocabulary: Vocabulary) -> OnUnknown:
    """Give what unknown tokens do: a vocabulary that left none out has not learned what they mean."""
    return "skip" if vocabulary.on_unknown == "error" else "unknown"


def _bits(generator: "TextGenerator", task: Task, *, adapt: bool) -> float:
    scores = generator.score(list(task.on), unknown=_on_unknown(generator.vocabulary), adapt=adapt)
    return sum(score.nats for score in scores) / sum(score.characters for score in scores) / math.log(2)


def _adapted(generator: "TextGenerator", task: Task) -> tuple[float | None, list[str]]:
    try:
        return _bits(generator, task, adapt=True), []
    except InputError as error:
        return None, [f"does not adapt: {error}"]


def _written(generator: "TextGenerator", task: Task) -> tuple[list[str], float]:
    """Write texts until they have enough characters: those, without the prompt, and characters a second."""

    def write(number: int) -> str:
        return generator.generate(
            task.prompt,
            length=task.length,
            seed=task.seed + number,
            echo=False,
            unknown=_on_unknown(generator.vocabulary),
            **task.settings,
        )

    write(0)  # compiles
    texts: list[str] = []
    characters, begun = 0, time.perf_counter()
    # A text may end at once, and so a model might never have written enough.
    while characters < task.sample and len(texts) < task.sample:
        texts.append(write(len(texts)))
        characters += len(texts[-1])
    return texts, characters / (time.perf_counter() - begun)


def _copied(texts: list[str], task: Task) -> tuple[str | None, float | None]:
    """Give the longest passage that stands in the corpus, and the share of passages of `PASSAGE` characters that do."""
    *whole, last = texts
    parts = [text for text in (*whole, last[: max(task.sample - sum(map(len, whole)), 0)]) if text]
    if task.corpus is None or not parts:
        return None, None
    # NUL stands in no corpus, so that no passage that goes over the border of two texts is found there.
    joined = "\0".join(parts)
    report = passages.report(joined, task.corpus)
    longest = report.longest[0].text if report.longest else ""
    written = sum(max(len(text) - PASSAGE + 1, 0) for text in parts)
    found = report.copied[PASSAGE - 1] * (len(joined) - PASSAGE + 1) if written else 0.0
    return longest, float(found / written) if written else None


def _training_seconds(provenance: Any) -> float | None:
    """Give what a model took to train, with all that it was made of, or None where it does not say all of that."""
    if not isinstance(provenance, Mapping):
        return None
    members, before, result = (provenance.get(name) for name in ("members", "before", "result"))
    seconds = [_training_seconds(part) for part in (*(members or ()), *([before] if before else ()))]
    if not members:
        own = result.get("seconds") if isinstance(result, Mapping) else None
        seconds.append(own if isinstance(own, int | float) else None)
    return None if None in seconds else math.fsum(each for each in seconds if each is not None)


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def __dir__() -> list[str]:
    return __all__
