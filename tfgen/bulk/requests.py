"""What is asked of a model for each row of a table, and what it answers.

Axis letters: R rows.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tfgen.errors import InputError, check_choice, check_instance, whole_number
from tfgen.vocabulary.vocabulary import Vocabulary

Row = Mapping[str, Any]

# Rows that are answered together: fixed, so that the last digits of a product do not depend on who has which row.
TOGETHER = 64


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        score: Whether texts are scored; else they are written on.
        column: Which column of a table has the prompts, or the texts that are scored; None where all prompts are empty.
        seed: Row r draws from the seed `seed` + r, and can be had again alone by it.
        unknown: What a token outside the vocabulary does, see `Vocabulary.encode`.
        settings: For `Writer.generate`, as plain values: `length`, `temperature` and others.
        source_column: Which column has the sources, for a model that writes from texts; None for one without.
    """

    score: bool = False
    column: str | None = "prompt"
    seed: int = 0
    unknown: str = "error"
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    source_column: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no row could make right."""
        check_choice("unknown", self.unknown, ["error", "skip", "unknown"])
        for name in ("column", "source_column"):
            check_instance(name, getattr(self, name), str | None, "the name of a column")
        if self.column is None and (self.score or self.source_column is None):
            raise InputError("a column must be named, of what is read; received column=None.")
        whole_number("seed", self.seed, 0, most=2**62)
        check_instance("settings", self.settings, Mapping, "a mapping of names to values")
        if self.score and self.settings:
            raise InputError(f"scores take no settings; received {sorted(self.settings)[0]!r}: omit it.")

    @property
    def columns(self) -> list[str]:
        """Which columns are read."""
        return [name for name in (self.source_column, self.column) if name is not None]

    def fingerprint(self) -> str:
        """Tell it from another."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()

    def check(self, vocabulary: Vocabulary, of_sources: Vocabulary | None, rows: Sequence[Row], first: int) -> None:
        """Refuse rows that the model cannot read; the first of them is row `first`, from 0.

        Args:
            vocabulary: Of the texts.
            of_sources: Of the sources, where the model writes from texts.
            rows: What is in the columns.
            first: The place of the first of them.

        Raises:
            InputError: Names the row.
        """
        for number, (text, source) in enumerate(zip(self._texts(rows), self._sources(rows), strict=True), first + 1):
            ids = self._read(vocabulary, text, f"in row {number:,}")
            if of_sources is not None:
                self._read(of_sources, source, f"in the source of row {number:,}")
            if self.score and not len(ids):
                raise InputError(f"in row {number:,}, there is no text to score; remove it.")

    def answers(self, writer: Any, rows: Sequence[Row], numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Answer rows (R,) with their numbers, from 0: what is added to each."""
        texts, source = self._texts(rows), None if self.source_column is None else self._sources(rows)
        if self.score:
            scores = writer.score(texts, unknown=self.unknown, source=source)
            names = ("characters", "nats", "nats_per_character", "bits_per_character", "perplexity")
            return [{name: getattr(score, name) for name in names} for score in scores]
        seeds = [self.seed + int(number) for number in numbers]
        written = writer.generate(texts, seed=seeds, unknown=self.unknown, source=source, **self.settings)
        return [{"text": text, "seed": seed} for text, seed in zip(written, seeds, strict=True)]

    def _read(self, vocabulary: Vocabulary, text: str, where: str) -> Any:
        try:
            return vocabulary.encode(text, self.unknown)  # type: ignore[arg-type]
        except InputError as error:
            raise error.within(where) from None

    def _texts(self, rows: Sequence[Row]) -> list[str]:
        return ["" if self.column is None else row[self.column] for row in rows]

    def _sources(self, rows: Sequence[Row]) -> list[str]:
        return ["" if self.source_column is None else row[self.source_column] for row in rows]
