"""What is asked of a model for each row of a table, and what it answers.

Axis letters: R rows.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfgen import model_files
from tfgen.errors import InputError, check_choice, check_instance, whole_number
from tfgen.vocabulary.vocabulary import Vocabulary

# Rows that are answered together: fixed, so that the last digits of a product do not depend on who has which row.
TOGETHER = 64


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        score: Whether texts are scored; else they are written on.
        column: Which column of a table holds the prompts, or the texts to score; None begins all texts anew, which goes
            with a source.
        source: Which column holds what a model with an encoder reads; None for a model without.
        seed: Row r draws from the seed `seed` + r, and can be had again alone by it.
        unknown: What a token outside the vocabulary does, see `Vocabulary.encode`.
        settings: For `Writer.generate`, as plain values: `length`, `temperature` and others.
    """

    score: bool = False
    column: str | None = "prompt"
    seed: int = 0
    unknown: str = "error"
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    source: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no row could make right."""
        check_choice("unknown", self.unknown, ["error", "skip", "unknown"])
        for name in ("column", "source"):
            check_instance(name, getattr(self, name), (str, type(None)), "the name of a column")
        if self.column is None and (self.score or self.source is None):
            raise InputError("there must be a column of texts; received column=None: name it.")
        if self.column is not None and self.column == self.source:
            raise InputError(f"one column cannot hold texts and sources; received {self.column!r} for both.")
        whole_number("seed", self.seed, 0, most=2**62)
        check_instance("settings", self.settings, Mapping, "a mapping of names to values")
        if self.score and self.settings:
            raise InputError(f"scores take no settings; received {sorted(self.settings)[0]!r}: omit it.")

    def fingerprint(self) -> str:
        """Tell it from another."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def columns(self) -> list[str]:
        """The columns that are read, (texts, sources), as far as there are any."""
        return [name for name in (self.column, self.source) if name is not None]

    def check(self, readers: Mapping[str, Vocabulary], rows: Sequence[Mapping[str, Any]], first: int) -> None:
        """Refuse rows (R,) that the model cannot read.

        Args:
            readers: The vocabulary that reads each column, see `readers`.
            rows: As they are in the table.
            first: The number of the first, from 0.

        Raises:
            InputError: Names the row.
        """
        for number, row in enumerate(rows, start=first + 1):
            for column, vocabulary in readers.items():
                try:
                    ids = vocabulary.encode(row[column], self.unknown)  # type: ignore[arg-type]
                except InputError as error:
                    raise error.within(f"in row {number:,}") from None
                if self.score and column == self.column and not len(ids):
                    raise InputError(f"in row {number:,}, there is no text to score; remove it.")

    def answers(self, writer: Any, rows: Sequence[Mapping[str, Any]], numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Answer rows (R,) with their numbers, from 0: what is added to each."""
        texts = ["" if self.column is None else row[self.column] for row in rows]
        source = {} if self.source is None else {"source": [row[self.source] for row in rows]}
        if self.score:
            scores = writer.score(texts, unknown=self.unknown, **source)
            names = ("characters", "nats", "nats_per_character", "bits_per_character", "perplexity")
            return [{name: getattr(score, name) for name in names} for score in scores]
        seeds = [self.seed + int(number) for number in numbers]
        written = writer.generate(texts, seed=seeds, unknown=self.unknown, **source, **self.settings)
        return [{"text": text, "seed": seed} for text, seed in zip(written, seeds, strict=True)]


def readers(model: Path, request: Request) -> dict[str, Vocabulary]:
    """Give the vocabulary with which a model reads each column that a request names, without TensorFlow.

    Args:
        model: A `.keras` file.
        request: What is asked of it.

    Raises:
        InputError: The model cannot be read; or it takes no source and one is named, or the other way round.
    """
    config = model_files.read_config(model)
    network = config["network"]
    of_texts = {request.column: config["vocabulary"]} if request.column is not None else {}
    if network.get("class_name") != "EncoderDecoder":
        if request.source is not None:
            raise InputError(f"{str(model)!r} has no encoder and reads no source: omit the column {request.source!r}.")
        return {column: Vocabulary.from_config(known) for column, known in of_texts.items()}
    encoder = network["config"]["encoder"]
    if encoder.get("class_name") not in ("TextEncoder", "TextReader"):
        raise InputError(
            f"{str(model)!r} reads arrays, not texts, as its source: use generate(source=...) from Python."
        )
    if request.source is None:
        raise InputError(
            f"{str(model)!r} reads a source", [("source", "name the column that holds it (--source, source=...)")]
        )
    known = {**of_texts, request.source: encoder["config"]["vocabulary"]}
    return {column: Vocabulary.from_config(config) for column, config in known.items()}
