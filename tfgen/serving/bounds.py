"""How much one request may ask for, and how much may be asked for at once."""

import dataclasses

from tfgen.errors import real_number, whole_number


@dataclasses.dataclass(frozen=True)
class Bounds:
    """What a server does at most, so that nobody can have all of it.

    Attributes:
        body: Bytes of a request.
        prompt: Tokens of all prompts of a request together.
        length: New tokens of a text.
        texts: Texts of a request: its prompts times `n`.
        rows: Texts that are written at once, of all requests; more are refused until there is room again.
        patterns: Requests with a `pattern` at once, each of which may take 130 MB.
        seconds: That a request may take, the time that it waits for others included; its texts end there.

    Raises:
        InputError: One is out of its range.
    """

    body: int = 64 * 1024
    prompt: int = 8192
    length: int = 4096
    texts: int = 16
    rows: int = 128
    patterns: int = 4
    seconds: float = 60.0

    def __post_init__(self) -> None:
        """Check them."""
        for name in ("body", "prompt", "length", "texts", "rows", "patterns"):
            whole_number(name, getattr(self, name), 1)
        real_number("seconds", self.seconds, above=0, at_most=86_400)
