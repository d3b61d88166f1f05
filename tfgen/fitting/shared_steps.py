"""One step of training, of one process or of several workers: each computes on its rows, and what they find is summed
into what one would find.

One message holds the gradients, times the number of real targets that they are the mean over; by how much the variables
of metrics have grown; and the loss, in the same way. So a step costs one sum.

Axis letters: B batch, T time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.networks import kinds
from tfgen.support import wording
from tfgen.vocabulary.vocabulary import PADDING
from tfgen.workers import Workers

# Means over all targets, which means over some of them can be joined to.
_MEANS = ("mean", "sum_over_batch_size", "mean_with_sample_weight")
# Far more than there are generators whose seeds follow on one another.
_APART = 0x9E3779B1
# Dropped weights are the same in all workers, as the weights are.
_OF_WEIGHTS = "weight_drop"


def check(model: Any) -> None:
    """Refuse what cannot be summed; all variables must be there, and metrics must have counted nothing.

    Raises:
        InputError: Names it.
    """
    reduction = getattr(model.loss, "reduction", "mean")
    if reduction not in _MEANS:
        raise InputError(
            f"workers join means over targets; received a loss with reduction={wording.shown(reduction)}: compile with "
            "reduction='mean'."
        )
    if moving := [each.path for each in model.non_trainable_variables if each.name.startswith("moving_")]:
        raise InputError(
            f"workers share no statistics of batches; received a network that keeps {moving[0]!r}: normalise with "
            "LayerNormalization, or train with one worker."
        )
    for metric in model.metrics:
        if any(keras.ops.convert_to_numpy(variable).any() for variable in metric.variables):
            raise InputError(
                f"workers sum what metrics count from zero; received {metric.name!r}, which begins at another number: "
                "remove it, or train with one worker."
            )


def train_step(model: Any, workers: Workers, data: Any) -> Any:
    """Train on this worker's rows of a batch, and on what the others find in theirs."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    weights = model.trainable_variables
    with _own_draws(model, workers.rank), tf.GradientTape() as tape:
        y_pred = model(x, training=True)
        loss = model.compute_loss(x, y, y_pred, sample_weight, training=True)
        scaled = model.optimizer.scale_loss(loss)
    found = [(each, of) for each, of in zip(tape.gradient(scaled, weights), weights, strict=True) if each is not None]
    # As one array: the norm that Keras clips takes each use of a row of an embedding for a gradient of its own.
    gradients = [tf.reshape(tf.convert_to_tensor(each), of.shape) for each, of in found]
    gradients = _summed(model, workers, (x, y, y_pred, sample_weight), loss, gradients)
    if found:
        model.optimizer.apply(gradients, [of for _, of in found])
    return model.get_metrics_result()


def test_step(model: Any, workers: Workers, data: Any) -> Any:
    """Evaluate on this worker's rows of a batch, and on what the others find in theirs."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    y_pred = model(x, training=False)
    loss = model.compute_loss(x, y, y_pred, sample_weight, training=False)
    _summed(model, workers, (x, y, y_pred, sample_weight), loss, [])
    return model.get_metrics_result()


def _summed(model: Any, workers: Workers, batch: Any, loss: tf.Tensor, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
    """Update metrics as the whole batch would, and give its gradients."""
    x, y, *_ = batch
    if workers.size == 1:
        model.metrics[0].update_state(loss, sample_weight=tf.shape(tf.nest.flatten(x)[0])[0])
        model.compute_metrics(*batch)
        return gradients
    real = tf.cast(y, tf.int32) != PADDING
    # Rows that only fill a share have no target; a stateful network has none of those.
    has_targets = tf.reduce_any(real, axis=1) | (kinds.decoder_of(model.network).input_shape[0] is not None)
    targets, rows = (tf.reduce_sum(tf.cast(each, tf.float32)) for each in (real, has_targets))
    grown = _growth(model, batch)
    counted = [tf.cast(each, tf.float32) for _, _, each in grown]
    weighted = [each * tf.cast(targets, each.dtype) for each in (loss, *gradients)]
    targets, rows, *summed = _sums(workers, [targets, rows, *counted, *weighted])
    for (variable, before, _), each in zip(grown, summed, strict=False):
        variable.assign(before + tf.cast(each, before.dtype))
    loss, *gradients = [tf.math.divide_no_nan(each, tf.cast(targets, each.dtype)) for each in summed[len(grown) :]]
    model.metrics[0].update_state(loss, sample_weight=rows)
    return gradients


def _growth(model: Any, batch: Any) -> list[tuple[Any, tf.Tensor, tf.Tensor]]:
    """Give each variable of the metrics, what it was, and what this worker's rows add to it."""
    variables = [variable for metric in model.metrics[1:] for variable in metric.variables]
    before = [tf.identity(variable.value) for variable in variables]
    for variable in variables:  # from zero, so that what is added keeps its last digits
        variable.assign(tf.zeros_like(variable.value))
    model.compute_metrics(*batch)
    return [(each, then, tf.identity(each.value)) for each, then in zip(variables, before, strict=True)]


def _sums(workers: Workers, tensors: list[tf.Tensor]) -> list[tf.Tensor]:
    """Sum tensors of any shape over all workers, in one message of float32; in float64 where one of them is of it."""
    dtype = tf.float64 if any(each.dtype == tf.float64 for each in tensors) else tf.float32
    flat = workers.sum(tf.concat([tf.reshape(tf.cast(each, dtype), [-1]) for each in tensors], axis=0))
    parts = tf.split(flat, [int(np.prod(each.shape)) for each in tensors])
    kept = [each.dtype if each.dtype.size >= 4 else dtype for each in tensors]
    return [tf.cast(tf.reshape(p, each.shape), kind) for p, each, kind in zip(parts, tensors, kept, strict=True)]


@contextlib.contextmanager
def _own_draws(model: Any, rank: int) -> Iterator[None]:
    """Let each worker drop others in its rows than the workers before it; between steps their seeds are the same."""
    apart = rank * _APART
    seeds = [each for each in model.non_trainable_variables if each.path.endswith("seed_generator_state") and apart]
    for seed in seeds:
        if _OF_WEIGHTS not in seed.path:
            seed.assign(seed.value + tf.constant([apart, 0], seed.dtype))
    yield
    for seed in seeds:
        if _OF_WEIGHTS not in seed.path:
            seed.assign(seed.value - tf.constant([apart, 0], seed.dtype))
