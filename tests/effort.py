"""How much the tests do: `make test` draws a third of the random examples, `.ci/run` with TFGEN_TESTS=all draws all.

They are the same in each run; TFGEN_TESTS=others draws others.
"""

import os

from hypothesis import settings

OTHERS = os.environ.get("TFGEN_TESTS") == "others"
ALL = OTHERS or os.environ.get("TFGEN_TESTS") == "all"
_PARTS = 1 if ALL else 3


def share_of(most: int) -> int:
    """How many of so many examples are drawn."""
    return max(most // _PARTS, 1)


def examples(most: int) -> settings:
    """Settings of Hypothesis for at most so many examples."""
    return settings(max_examples=share_of(most))
