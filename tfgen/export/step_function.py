"""One step of a network as a function of tensors, which ONNX and LiteRT keep, and what a client must know of it.

Axis letters: B batch, V vocabulary, U units.
"""

from typing import Any

import tensorflow as tf

from tfgen.errors import InputError
from tfgen.export.manifest import tensor
from tfgen.networks import recurrent
from tfgen.networks.model import LanguageModel, flat, state_of_a_row
from tfgen.networks.recurrent import Recurrent


def in_float32(model: LanguageModel) -> LanguageModel:
    """Give a model that calculates in float32 all along, with the same weights: small runtimes lack other types.

    Args:
        model: Any; a network may have any dtype policy.

    Returns:
        The model itself if that is what it does, else a new one.

    Raises:
        InputError: The model depends on a context, which one step cannot hold.
    """
    if tf.nest.flatten(model.context):
        raise InputError("this format holds one step of a model without a context; export a SavedModel.")
    if not isinstance(model, Recurrent):
        return model
    layers = model.network.layers
    if all(layer.dtype_policy.name == "float32" for layer in layers):
        return model
    return Recurrent(recurrent.with_batch_size(model.network, None, "float32"))


def step_function(model: LanguageModel, batch_size: int | None) -> Any:
    """Give the step of a model as a function of tensors alone.

    Args:
        model: What steps, as `in_float32` gives it.
        batch_size: B; None leaves it free.

    Returns:
        A `tf.function` of `ids`, int32 (B,), and `state_0`, `state_1` and so on, (B, U) each, all zero before a text;
        it gives `logits` (B, V) of the next token, and `new_state_0` and so on.
    """
    first = state_of_a_row(model)

    def step(ids: tf.Tensor, *state: tf.Tensor) -> dict[str, tf.Tensor]:
        logits, after = model.step(ids, tf.nest.pack_sequence_as(first, state), ())
        return {"logits": logits, **flat(after, "new_state")}

    states = [
        tf.TensorSpec([batch_size, *tensor.shape[1:]], tensor.dtype, name)
        for name, tensor in flat(first, "state").items()
    ]
    return tf.function(step, [tf.TensorSpec([batch_size], tf.int32, "ids"), *states], autograph=False)


def described(function: Any, model: str, runtime: str, weights: str) -> dict[str, Any]:
    """Give what a client must know of a step.

    Args:
        function: From `step_function`.
        model: The name of the file that it became.
        runtime: What runs the file.
        weights: The type that the weights are kept in.
    """
    outputs = function.get_concrete_function().structured_outputs
    states = [spec for spec in function.input_signature if spec.name != "ids"]
    return {
        "model": model,
        "runtime": runtime,
        "weights": weights,
        "inputs": [tensor(spec.name, spec) for spec in function.input_signature],
        "outputs": [tensor(name, outputs[name]) for name in ("logits", *(f"new_{spec.name}" for spec in states))],
        "state": [{**tensor(spec.name, spec), "next": f"new_{spec.name}", "initial": 0} for spec in states],
    }

