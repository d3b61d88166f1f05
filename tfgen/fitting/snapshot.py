"""All that a training run holds between two batches, as one value; and what makes one run another.

The value is a tree of plain types and NumPy arrays, see `tfgen.support.checkpoints`.
"""

from __future__ import annotations

import hashlib
import platform
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.fitting import carried_state
from tfgen.networks import kinds, recurrent
from tfgen.support import threads, wording
from tfgen.workers import Workers

# What Keras' callbacks hold beside their settings. A callback of ours, or of a user, names it in `resumed`.
_KERAS = {
    keras.callbacks.EarlyStopping: ("wait", "stopped_epoch", "best", "best_epoch", "best_weights"),
    keras.callbacks.ModelCheckpoint: ("best", "_batches_seen_since_last_saving", "_last_batch_seen"),
    keras.callbacks.ReduceLROnPlateau: ("best", "wait", "cooldown_counter"),
    keras.callbacks.History: ("history", "epoch"),
}


def build_variables(model: Any) -> None:
    """Make the variables that Keras would make in the first step: of the optimizer and of the compiled metrics."""
    model.optimizer.build(model.trainable_variables)
    decoder = kinds.decoder_of(model.network)
    targets = tf.zeros([decoder.input_shape[0] or 1, 1], tf.int32)
    predicted = tf.fill([*targets.shape, recurrent.vocabulary_size(decoder)], 1.0)
    model.compute_metrics(targets, targets, predicted)
    model.reset_metrics()


def capture(model: Any, callbacks: Iterable[Any]) -> dict[str, Any]:
    """Copy the state of a prepared model and of its callbacks; of several workers all must do so."""
    return {
        "variables": [*variables(model), *carried_state.gathered(model.network, model.workers)],
        "callbacks": {
            name: {field: getattr(callback, field) for field in _fields(callback) if hasattr(callback, field)}
            for name, callback in _named(callbacks)
        },
        "random": {"python": random.getstate(), "numpy": np.random.get_state()},
    }


def restore(model: Any, callbacks: Iterable[Any], state: dict[str, Any]) -> None:
    """Put a captured state back; a callback that was not there begins as it is.

    Raises:
        InputError: The state is of another model, or of nothing.
    """
    try:
        _restore(model, callbacks, state)
    except InputError:
        raise
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        reason = wording.shorten(" ".join(str(error).split()))
        raise InputError(f"the checkpoint holds something else than the state of a run: {reason}.") from None


def _restore(model: Any, callbacks: Iterable[Any], state: dict[str, Any]) -> None:
    carried = len(_carried(model))
    own = [*state["variables"]]
    own[len(own) - carried :] = [carried_state.own_rows(each, model.workers) for each in own[len(own) - carried :]]
    assign(model, own)
    for name, callback in _named(callbacks):
        held = state["callbacks"].get(name, {})
        for field in _fields(callback):
            if field in held:
                setattr(callback, field, held[field])
    random.setstate(state["random"]["python"])
    np.random.set_state(state["random"]["numpy"])


def variables(model: Any) -> list[npt.NDArray[Any]]:
    """Copy all variables that are the same in all workers."""
    carried = {id(variable) for variable in _carried(model)}
    return [variable.numpy() for variable in _variables(model) if id(variable) not in carried]


def assign(model: Any, arrays: list[npt.NDArray[Any]]) -> None:
    """Set variables, in the order of `variables`, and the carried state of this worker's rows if that is there too.

    Raises:
        InputError: They have other shapes.
    """
    known = _variables(model)[: len(arrays)]
    shapes = [getattr(array, "shape", None) for array in arrays]
    if [tuple(variable.shape) for variable in known] != shapes:
        raise InputError("the checkpoint has variables of other shapes than the model.")
    for variable, array in zip(known, arrays, strict=True):
        variable.assign(array)


def are_numbers(model: Any) -> bool:
    """Tell whether a model's weights are all finite."""
    return all(np.isfinite(each).all() for each in model.get_weights())


def _variables(model: Any) -> list[Any]:
    """Give weights, seeds of dropout, metrics, the optimizer's variables and the carried state, each once."""
    every = [
        *model.variables,
        *model.metrics_variables,
        *model.optimizer.variables,
        *_carried(model),
    ]
    return list({id(variable): variable for variable in every}.values())


def _carried(model: Any) -> list[Any]:
    return [*recurrent.training_state(kinds.decoder_of(model.network))]


def _fields(callback: Any) -> Sequence[str]:
    of_keras = [field for kind, fields in _KERAS.items() if isinstance(callback, kind) for field in fields]
    return [*of_keras, *getattr(callback, "resumed", ())]


def _named(callbacks: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Name each callback after its class, and count those of one class."""
    seen: dict[str, int] = {}
    for callback in callbacks:
        kind = type(callback).__name__
        seen[kind] = seen.get(kind, 0) + 1
        yield f"{kind} {seen[kind]}", callback


def identity(model: Any, course: Any) -> dict[str, Any]:
    """Say what makes a run this run and no other: names and plain values, those that tell a user most first."""
    provenance = getattr(model, "provenance", {})
    tokens = getattr(getattr(model, "vocabulary", None), "tokens", ())
    parts = {
        **{name: value for name, value in provenance.get("settings", {}).items() if name not in ("epochs", "patience")},
        "corpus": provenance.get("corpus", {}).get("sha256"),
        "vocabulary": f"{len(tokens)} tokens, sha256 {hashlib.sha256(repr(list(tokens)).encode()).hexdigest()}",
        "network": model.network.get_config(),
        "restart": model.restart,
        "batches an epoch": course.steps,
        "batches": f"sha256 {course.fingerprint()}",
        "optimizer": keras.saving.serialize_keras_object(model.optimizer),
        "loss": keras.saving.serialize_keras_object(model.loss),
        "metrics": [metric.name for held in model.metrics for metric in getattr(held, "metrics", [held])],
        "retried": provenance.get("retried", []),
    }
    return dict(_flat("", parts))


def computed_with(workers: Workers) -> str:
    """Name what the last digits of a result depend on beside the run itself."""
    together = f", {workers.size} workers" if workers.size > 1 else ""
    used = f"{threads.within()} threads, {threads.between()} operations at once"
    return f"TensorFlow {tf.__version__}, Keras {keras.__version__}, {platform.machine()}, {used}{together}"


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Give each plain value of a tree with the path to it; names that Keras makes up say nothing."""
    if isinstance(value, (dict, list, tuple)):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            if name not in ("name", "build_config", "config", "module"):
                yield from _flat(f"{path}.{name}".lstrip("."), each)
            elif name == "config":
                yield from _flat(path, each)
    else:
        yield path, value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)


# What follows from the number of epochs, which may change, and from a rate that was lowered on purpose.
_LENGTH = ("decay_steps", "warmup_steps")
_RATE = ("learning_rate", "retried")


def differences(before: dict[str, Any], now: dict[str, Any], *, new_length: bool, new_rate: bool) -> list[str]:
    """Name each entry of two identities that differs, with both values.

    Args:
        before: The identity of the run that is resumed.
        now: Of what goes on with it.
        new_length: Whether the schedule may be of another length.
        new_rate: Whether the learning rate may be another.
    """
    ignored = [part for part, may in ((_LENGTH, new_length), (_RATE, new_rate)) if may]
    return [
        f"{wording.shorten(name)} was {_shown(before.get(name))} and is now {_shown(now.get(name))}"
        for name in {**now, **before}
        if before.get(name) != now.get(name) and not any(part in name for parts in ignored for part in parts)
    ]


def _shown(value: Any) -> str:
    return wording.shorten(repr(value), 120)
