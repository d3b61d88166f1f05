"""How likely a text was found: the log-probability and the rank of every token.

Axis letters: T time.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from tfgen.support import pages, wording


@dataclasses.dataclass(frozen=True, eq=False)
class Score:
    """What a model thinks of one text, read from its beginning.

    Attributes:
        text: The text.
        tokens: Its T tokens, as the model reads them.
        log_probabilities: float64 (T,), ln p(token | all before it), in nats, of the whole softmax, as in training.
        characters: How many characters (code points) were read: all but those that were skipped.
        ranks: int (T,), 1 where the token was the likeliest of all, 2 where one was likelier, and so on.
    """

    text: str
    tokens: tuple[str, ...]
    characters: int
    log_probabilities: npt.NDArray[np.float64]
    ranks: npt.NDArray[np.int32]

    @property
    def bits(self) -> npt.NDArray[np.float64]:
        """How much each token surprised, float64 (T,): -log2 of its probability."""
        return -self.log_probabilities / math.log(2)

    @property
    def nats(self) -> float:
        """The whole text's cost: -ln p(text)."""
        return -math.fsum(self.log_probabilities)

    @property
    def nats_per_character(self) -> float:
        """`nats` over the number of characters, so that words and characters compare."""
        return self.nats / self.characters

    @property
    def bits_per_character(self) -> float:
        """`nats_per_character` over ln 2."""
        return self.nats_per_character / math.log(2)

    @property
    def perplexity(self) -> float:
        """Give e to the nats per token (Jelinek et al. 1977); infinity where that is too large a number."""
        with np.errstate(over="ignore"):
            return float(np.exp(self.nats / len(self.tokens)))

    def __repr__(self) -> str:
        """Say in one line how likely which text was found."""
        number = wording.number(len(self.tokens), "token")
        return f"<Score of {wording.shorten(repr(self.text))}: {self._said()}; {number}>"

    def _repr_html_(self) -> str:
        """Show the text in a notebook, coloured by surprise; the numbers of a token are under the pointer."""
        notes = [
            f"{token!r}: {pages.percent(nats)}, {bits:.2f} bits, rank {rank}"
            for token, nats, bits, rank in zip(self.tokens, self.log_probabilities, self.bits, self.ranks, strict=True)
        ]
        return pages.paragraph(self._said()) + pages.surprises(self.tokens, self.bits, notes)

    def _said(self) -> str:
        return f"{self.bits_per_character:.3f} bits per character; perplexity {self.perplexity:.2f}"
