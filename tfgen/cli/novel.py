"""`tfgen generate --novel`: a text that is a whole document of the corpus is drawn again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tfgen.cli import options
from tfgen.corpora import load_corpus
from tfgen.errors import InputError
from tfgen.vocabulary.vocabulary import Vocabulary

_MOST = 100  # draws of one text


def documents(config: Mapping[str, Any], corpus: tuple[str, ...]) -> frozenset[str]:
    """Read the documents that are not to be written again, as the model's own corpus was read.

    Args:
        config: What the model file says of itself.
        corpus: What to read, as for `tfgen train`.

    Raises:
        InputError: It cannot be read; or the texts of the model do not end, so that none is a whole document.
    """
    vocabulary = Vocabulary.from_config(config["vocabulary"])
    if not vocabulary.ends:
        raise InputError("the texts of the model do not end, so that none is a whole document: omit --novel.")
    known = (config.get("provenance") or {}).get("corpus")
    reading = known.get("reading") if isinstance(known, Mapping) else None
    how = {name: value for name, value in (reading or {"lines": True}).items() if name in options.READING}
    return frozenset(map(vocabulary.normalized, load_corpus(options.as_source(corpus), **how).documents))


class Redrawing:
    """Draws copies again.

    Attributes:
        copies: How many it has come across.
    """

    def __init__(
        self, known: frozenset[str], normalized: Callable[[str], str], again: Callable[..., list[Any]]
    ) -> None:
        """Take the documents, the form that they are in, and what draws texts from prompts: `again(jobs, seeds)`."""
        self._known, self._normalized, self._again = known, normalized, again
        self.copies = 0

    def __call__(
        self, groups: Iterator[list[Any]], prompts: Sequence[str], echo: bool, seed: int
    ) -> Iterator[list[Any]]:
        """Give the texts of each prompt, none of them a copy.

        The i-th of all N texts is drawn for the k-th time with the seed `seed + i + k N`: it depends on no other text.

        Args:
            groups: The texts of each prompt, as they were drawn first.
            prompts: What they go on from.
            echo: Whether they begin with it.
            seed: Of all.

        Raises:
            InputError: A text was drawn a hundred times, and was a copy each time.
        """
        for job, texts in enumerate(groups):
            rows, head = len(texts), "" if echo else prompts[job]
            for time in range(_MOST + 1):
                copied = [row for row, text in enumerate(texts) if self._is_copy(head, text)]
                if not copied:
                    break
                if time == _MOST:
                    raise InputError(
                        f"each of {_MOST + 1} texts from {prompts[job]!r} was a document of the corpus; give a "
                        "higher --temperature, or another prompt."
                    )
                self.copies += len(copied)
                seeds = [seed + job * rows + row + (time + 1) * len(prompts) * rows for row in copied]
                for row, text in zip(copied, self._again(job, seeds), strict=True):
                    texts[row] = text
            yield texts

    def _is_copy(self, head: str, text: Any) -> bool:
        return self._normalized(head + getattr(text, "text", text)) in self._known
