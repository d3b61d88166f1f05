"""Processes that train one model together, on one machine or several: who they are, and their sums.

Each has a copy of the model and its rows of every batch (`tfgen.datasets.shares`); what they find is summed, and each
then takes the same step. The sums are TensorFlow's own collectives, around a ring (Patarasuk and Yuan 2009, "Bandwidth
optimal all-reduce algorithms for clusters of workstations").
"""

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.support import wording

__all__ = ["ALONE", "Workers", "join"]

# Numbers that are sent together: gRPC is twice as fast with messages of 4 MB as with one of 40 MB.
_TOGETHER = 1 << 20
_LENGTHS = (1 << 8, 1 << 14)


class Workers:
    """The processes of one training, as one of them sees it; made by `join`.

    Attributes:
        rank: Which of them this process is, from 0.
        size: How many there are.
    """

    def __init__(self, rank: int, size: int, strategy: Any = None) -> None:
        """Take who this is, and what sums; a single worker needs nothing that does."""
        self.rank, self.size = rank, size
        self._strategy = strategy
        self._compiled = tf.function(self.sum, autograph=False)

    @property
    def is_chief(self) -> bool:
        """Whether this is the one that shows, draws and writes."""
        return self.rank == 0

    def sum(self, numbers: tf.Tensor) -> tf.Tensor:
        """Sum over all workers, each of which must call it as often and with as many numbers; also inside a graph.

        Args:
            numbers: (N,), of any type that can be added; N is known when a graph is traced.

        Returns:
            The sums (N,), the same bits in all workers.
        """
        if self.size == 1 or not numbers.shape[0]:
            return numbers
        bounds = range(0, numbers.shape[0], _TOGETHER)
        pieces = [numbers[begin : begin + _TOGETHER] for begin in bounds]
        summed = self._strategy.run(_sums, args=(pieces,))
        return tf.concat(summed, axis=0)

    def gather(self, content: bytes) -> list[bytes]:
        """Give what each worker has brought, in their order, to all of them.

        What is sent grows with their number and with all that they bring, so this is for what is small or rare.
        """
        lengths = np.zeros(self.size, np.int32)
        lengths[self.rank] = len(content)
        lengths = self.sum_now(lengths)
        words = -(-lengths // 4)
        ends = np.cumsum(words)
        every = np.zeros(ends[-1], np.int32)
        own = slice(ends[self.rank] - words[self.rank], ends[self.rank])
        every[own] = np.frombuffer(content + bytes(-len(content) % 4), np.int32)
        every = self.sum_now(every)  # the others add zeros
        return [
            every[end - count : end].tobytes()[:length] for end, count, length in zip(ends, words, lengths, strict=True)
        ]

    def from_chief(self, content: bytes) -> bytes:
        """Give what the chief has to all."""
        return self.gather(content if self.is_chief else b"")[0]

    @contextlib.contextmanager
    def agreeing(self) -> Iterator[None]:
        """Let a mistake that one worker finds in the block end it in all of them, so that none waits for another.

        Raises:
            InputError: Of the first worker that raised one, or could not read or write a file.
        """
        found = b""
        try:
            yield
        except InputError as error:
            found = str(error).encode()
        except OSError as error:
            found = f"{error.strerror or error}: {error.filename}.".encode()
        found_by = {rank: message.decode() for rank, message in enumerate(self.gather(found)) if message}
        if not found_by:
            return
        rank, message = next(iter(found_by.items()))
        everywhere = self.size == 1 or [*found_by.values()] == [message] * self.size
        raise InputError(message if everywhere else f"on worker {rank} of {self.size}, {message}")

    def sum_now(self, numbers: np.ndarray) -> np.ndarray:
        """Sum int32 arrays (N,) over all workers, at once."""
        summed = np.zeros_like(numbers)
        begin = 0
        while begin < len(numbers):
            # Of a few lengths alone, for each is compiled.
            length = next((size for size in _LENGTHS if len(numbers) - begin <= size), _TOGETHER)
            piece = np.zeros(length, np.int32)
            own = numbers[begin : begin + length]
            piece[: len(own)] = own
            summed[begin : begin + length] = self._compiled(tf.constant(piece)).numpy()[: len(own)]
            begin += length
        return summed


# One process, which trains by itself.
ALONE = Workers(0, 1)


def _sums(pieces: list[tf.Tensor]) -> list[tf.Tensor]:
    # The reduction asks tensors for their device, which what is sliced in a graph does not know.
    found: list[tf.Tensor] = tf.distribute.get_replica_context().all_reduce("SUM", [tf.identity(p) for p in pieces])
    return found


def join() -> Workers:
    """Join the workers that the environment variable TF_CONFIG lists, as Ray Train and others set it.

    This comes before anything else that TensorFlow does in the process; it returns when all have joined. Without
    TF_CONFIG there is one worker, which sums nothing.

    Raises:
        InputError: TF_CONFIG is no such list, or TensorFlow has computed already.
    """
    config = os.environ.get("TF_CONFIG", "")
    if not config:
        return ALONE
    try:
        described = json.loads(config)
        addresses, task = described["cluster"]["worker"], described["task"]
        rank, kind = int(task["index"]), task["type"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"TF_CONFIG must list workers and name this one; received {wording.shown(config)}.") from None
    if kind != "worker" or not isinstance(addresses, list) or not 0 <= rank < len(addresses):
        raise InputError(f"TF_CONFIG must name this process as one of its workers; received {wording.shown(config)}.")
    if len(addresses) == 1:
        return ALONE
    communication = tf.distribute.experimental.CommunicationOptions(
        implementation=tf.distribute.experimental.CommunicationImplementation.RING
    )
    try:
        # No variable is made in its scope: it is used for sums alone.
        strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=communication)
    except RuntimeError:
        raise InputError(
            "workers join before TensorFlow computes anything; call tfgen.workers.join() first in each process."
        ) from None
    return Workers(rank, len(addresses), strategy)


def __dir__() -> list[str]:
    return __all__
