"""A text that a person and a model write together, turn by turn: `tfgen write` without its terminal."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

CHOICES = 3  # continuations to choose from
_STEP, _HOTTEST = 0.1, 5.0


class Writes(Protocol):
    """What a draft needs of an engine; both have it."""

    def generate(self, prompt: str, *, n: int, echo: bool, **settings: Any) -> Any:
        """Give `n` continuations."""

    def score(self, text: str) -> Any:
        """Give a `terms.scores.Score`."""


class Turn(NamedTuple):
    """Where a text stands.

    Attributes:
        text: All that was written.
        pieces: Its tokens, and how many bits of surprise each was.
        candidates: What may come next.
        temperature: At which they were drawn.
        draws: How often candidates were drawn before: each time draws other numbers.
    """

    text: str
    pieces: tuple[tuple[str, float], ...]
    candidates: tuple[str, ...]
    temperature: float
    draws: int


class Draft:
    """A text, turn by turn.

    Attributes:
        turn: Where it stands.
    """

    def __init__(
        self, writer: Writes, text: str = "", *, length: int = 60, temperature: float = 0.8, seed: int = 0, **more: Any
    ) -> None:
        """Begin with a text.

        Args:
            writer: What writes.
            text: The beginning.
            length: Tokens of a candidate, at most.
            temperature: To begin with.
            seed: The same turns write the same text.
            **more: Other settings of the sampler.

        Raises:
            InputError: The text has characters that the model has never seen, or a setting is out of its range.
        """
        self._writer = writer
        self._settings = {"length": length, **more}
        self._seed = seed
        self._past: list[Turn] = []
        self.turn = self._turn(text, temperature, 0)

    def add(self, text: str) -> None:
        """Go on with a text of one's own.

        Raises:
            InputError: It has characters that the model has never seen; nothing is changed then.
        """
        self._go_on(self.turn.text + text)

    def choose(self, number: int) -> None:
        """Go on with a candidate, from 1 up; with none of a number that is not there."""
        if number <= len(self.turn.candidates):
            self._go_on(self.turn.text + self.turn.candidates[number - 1])

    def undo(self) -> None:
        """Go back to the turn before, if there is one."""
        if self._past:
            self.turn = self._past.pop()

    def again(self) -> None:
        """Draw other candidates."""
        self.turn = self._turn(self.turn.text, self.turn.temperature, self.turn.draws + 1)

    def warm(self, steps: int) -> None:
        """Draw the candidates at a temperature so many tenths higher, or lower."""
        temperature = min(max(round(self.turn.temperature + steps * _STEP, 1), 0.0), _HOTTEST)
        self.turn = self._turn(self.turn.text, temperature, self.turn.draws)

    def _go_on(self, text: str) -> None:
        turn = self._turn(text, self.turn.temperature, self.turn.draws + 1)
        self._past.append(self.turn)
        self.turn = turn

    def _turn(self, text: str, temperature: float, draws: int) -> Turn:
        pieces: tuple[tuple[str, float], ...] = ()
        if text:
            score = self._writer.score(text)
            pieces = tuple(zip(score.tokens, score.bits.tolist(), strict=True))
        candidates = self._writer.generate(
            text, n=CHOICES, echo=False, temperature=temperature, seed=self._seed + draws, **self._settings
        )
        return Turn(text, pieces, tuple(candidates), temperature, draws)
