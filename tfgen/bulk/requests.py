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

# Rows that are answered together: fixed, so that the last digits of a product do not depend on who has which row.
TOGETHER = 64


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        score: Whether texts are scored; else they are written on.
        column: Which column of a table is read.
        seed: Row r draws from the seed `seed` + r, and can be had again alone by it.
        unknown: What a token outside the vocabulary does, see `Vocabulary.encode`.
        settings: For `Writer.generate`, as plain values: `length`, `temperature` and others.
    """

    score: bool = False
    column: str = "prompt"
    seed: int = 0
    unknown: str = "error"
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no row could make right."""
        check_choice("unknown", self.unknown, ["error", "skip", "unknown"])
        check_instance("column", self.column, str, "the name of a column")
        whole_number("seed", self.seed, 0, most=2**62)
        check_instance("settings", self.settings, Mapping, "a mapping of names to values")
        if self.score and self.settings:
            raise InputError(f"scores take no settings; received {sorted(self.settings)[0]!r}: omit it.")

    def fingerprint(self) -> str:
        """Tell it from another."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()

    def check(self, vocabulary: Vocabulary, texts: Sequence[str], first: int) -> None:
        """Refuse texts that the model cannot read; the first of them is row `first`, from 0.

        Raises:
            InputError: Names the row.
        """
        for number, text in enumerate(texts, start=first + 1):
            try:
                ids = vocabulary.encode(text, self.unknown)  # type: ignore[arg-type]
            except InputError as error:
                raise error.within(f"in row {number:,}") from None
            if self.score and not len(ids):
                raise InputError(f"in row {number:,}, there is no text to score; remove it.")

    def answers(self, writer: Any, texts: Sequence[str], numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Answer rows (R,) with their numbers, from 0: what is added to each."""
        if self.score:
            scores = writer.score([*texts], unknown=self.unknown)
            names = ("characters", "nats", "nats_per_character", "bits_per_character", "perplexity")
            return [{name: getattr(score, name) for name in names} for score in scores]
        seeds = [self.seed + int(number) for number in numbers]
        written = writer.generate([*texts], seed=seeds, unknown=self.unknown, **self.settings)
        return [{"text": text, "seed": seed} for text, seed in zip(written, seeds, strict=True)]
