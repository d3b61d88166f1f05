"""Texts put into batches of about one length, so that little is padding and memory does not grow with their number."""

from collections.abc import Iterator, Sequence

_ROWS = 64
_TOKENS = 2**18


def in_batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Put texts of about one length into a batch, and not too many tokens into any.

    Args:
        lengths: How many tokens each text has.

    Returns:
        The places of the texts in each batch, the shortest first; a text that is too long is alone.

    >>> list(in_batches([3, 2**18, 1]))
    [[2, 0], [1]]
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if len(batch) == _ROWS or (batch and (len(batch) + 1) * lengths[i] > _TOKENS):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
