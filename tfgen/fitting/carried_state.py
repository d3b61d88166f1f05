"""The state that a stateful network carries from batch to batch while it trains, and who may touch it.

Keras keeps it in the layers, resets it never, and lets evaluation move it. Here each epoch begins at zero, evaluation
works on a zero state of its own, and single rows start again now and then. Nothing else in tfgen reads this state.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.networks import kinds, recurrent
from tfgen.workers import ALONE, Workers

# Keeps the draws of `restart_rows` apart from every other use of small seeds.
_STREAM = 0x7E57A7


def reset(network: kinds.Network) -> None:
    """Set the carried state of all rows to zero."""
    for variable in recurrent.training_state(kinds.decoder_of(network)):
        variable.assign(tf.zeros_like(variable))


@contextlib.contextmanager
def zeroed(network: kinds.Network) -> Iterator[None]:
    """Begin the block with a zero state, and put the state back that was there before it."""
    variables = recurrent.training_state(kinds.decoder_of(network))
    saved = [variable.numpy() for variable in variables]
    reset(network)
    try:
        yield
    finally:
        for variable, value in zip(variables, saved, strict=True):
            variable.assign(value)


def share(network: kinds.Network, workers: int) -> None:
    """Keep the state of one worker's rows alone, (B / workers, U), from zero; one worker has all rows again."""
    decoder = kinds.decoder_of(network)
    for layer in recurrent.recurrent_layers(decoder):
        if layer.stateful:
            rows = decoder.input_shape[0] // workers
            # Keras makes these variables for the batch size that it was built with, and tracks them nowhere.
            for place, old in enumerate(layer.states):
                zeros = keras.initializers.Zeros()
                new = keras.Variable(zeros, (rows, *old.shape[1:]), old.dtype, trainable=False, name=old.name)
                layer.states[place] = new


def gathered(network: kinds.Network, workers: Workers) -> list[npt.NDArray[Any]]:
    """Give the state of all rows of all workers, each (B, U), to all of them."""
    own = [variable.numpy() for variable in recurrent.training_state(kinds.decoder_of(network))]
    if not own or workers.size == 1:
        return own
    parts = [np.frombuffer(each, np.uint8) for each in workers.gather(b"".join(each.tobytes() for each in own))]
    places = itertools.pairwise(np.cumsum([0] + [each.nbytes for each in own]))
    return [
        np.concatenate([part[begin:end].view(each.dtype).reshape(each.shape) for part in parts])
        for each, (begin, end) in zip(own, places, strict=True)
    ]


def own_rows(state: npt.NDArray[Any], workers: Workers) -> npt.NDArray[Any]:
    """Give this worker's rows of the state of all."""
    rows = len(state) // workers.size
    return state[workers.rank * rows : (workers.rank + 1) * rows]


def restart_rows(network: kinds.Network, probability: float, step: tf.Tensor, workers: Workers = ALONE) -> None:
    """Set each row's state to zero with a given probability; the choice is a function of the step and the row alone.

    A network that only ever sees a carried state writes badly from an empty one, which is where every prompt begins.

    Args:
        network: A network whose stateful layers share their batch size B.
        probability: From 0 to 1, for each row by itself.
        step: Scalar integer, the number of the training step.
        workers: Whose rows of all they are.
    """
    variables = recurrent.training_state(kinds.decoder_of(network))
    if not variables or not probability:
        return
    seed = tf.stack([tf.constant(_STREAM, tf.int64), tf.cast(step, tf.int64)])
    rows = variables[0].shape[0]
    draws = tf.random.stateless_uniform([rows * workers.size, 1], seed=seed, alg="philox")
    draws = draws[workers.rank * rows : (workers.rank + 1) * rows]
    for variable in variables:
        variable.assign(tf.where(draws < probability, tf.zeros_like(variable), variable))


class ResetEachEpoch(keras.callbacks.Callback):
    """Begins each epoch of `fit` at the zero state."""

    def __init__(self, network: kinds.Network) -> None:
        """Take the network whose state it resets."""
        super().__init__()
        self._network = network

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Reset."""
        reset(self._network)
