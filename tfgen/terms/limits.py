"""When writing stops, beside the end of the text itself."""

import dataclasses

import numpy as np

from tfgen.errors import InputError, real_number, whole_number
from tfgen.support import wording

# XLA takes half a second to compile the loop, and then saves some 50 microseconds a token (docs/performance.md): it
# pays for texts of this length or more.
_LONG = 8_000


@dataclasses.dataclass(frozen=True)
class Limits:
    """When writing stops, beside the end of the text itself.

    Attributes:
        length: The largest number of new tokens.
        min_length: A text does not end before it has so many.
        stops: Strings that end a text.
        keep_stop: Whether the string that ended a text is part of it.
        max_time: Seconds, looked at between pieces; None for no limit.
        jit_compile: Whether XLA compiles the loop; None lets the length decide.

    Raises:
        InputError: One is out of its range.
    """

    length: int
    min_length: int = 0
    stops: tuple[str, ...] = ()
    keep_stop: bool = False
    max_time: float | None = None
    jit_compile: bool | None = None

    def __post_init__(self) -> None:
        """Check them."""
        whole_number("length", self.length, 1)
        whole_number("min_length", self.min_length, 0)
        if self.max_time is not None:
            real_number("max_time", self.max_time, above=0)
        if not isinstance(self.jit_compile, bool | np.bool_ | None):
            raise InputError(f"jit_compile is True, False or None; received {wording.shown(self.jit_compile)}.")

    def jit_compiles(self, supported: bool) -> bool:
        """Tell whether XLA compiles the loop: a function of the request alone, since XLA may round otherwise.

        Args:
            supported: Whether it may compile the model.

        Raises:
            InputError: It was asked for and may not.
        """
        if self.jit_compile and not supported:
            raise InputError("XLA cannot compile this model; received jit_compile=True: remove it.")
        return supported and (self.length >= _LONG if self.jit_compile is None else self.jit_compile)

    @property
    def watched(self) -> bool:
        """Whether something must be looked at while it is written."""
        return bool(self.stops) or self.max_time is not None
