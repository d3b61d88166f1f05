"""What a prediction costs, with its units said."""

import math


def cost(nats: float, split: str = "character", bits: float | None = None) -> str:
    """Say a loss.

    Args:
        nats: Per token.
        split: What a token is, "character" or "word".
        bits: Per character; None where that is not known, or a token is a character.

    >>> cost(2 * math.log(2)), cost(6.0, "word", 1.5), cost(math.log(2), "word")
    ('1.386 nats (2.000 bits)', '6.000 nats per word (1.500 bits per character)', '0.693 nats per word')
    """
    if split == "character":
        return f"{nats:.3f} nats ({nats / math.log(2):.3f} bits)"
    return f"{nats:.3f} nats per {split}" + ("" if bits is None else f" ({bits:.3f} bits per character)")
