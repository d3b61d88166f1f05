"""One step of a network as a function of tensors, which ONNX and LiteRT keep, and how a client is told of it.

Axis letters: B batch, V vocabulary, U units.
"""

from typing import Any

import keras
import tensorflow as tf

from tfgen.networks import recurrent


def in_float32(network: keras.Sequential) -> keras.Sequential:
    """Give a network that calculates in float32 all along, with the same weights: small runtimes lack other types.

    Args:
        network: A network that passes `recurrent.check`, of any dtype policy.

    Returns:
        The network itself if that is what it does, else a new one.
    """
    if all(layer.dtype_policy.name == "float32" for layer in network.layers):
        return network
    return recurrent.with_batch_size(network, None, "float32")


def step_function(network: keras.Sequential, batch_size: int | None) -> Any:
    """Give `recurrent.step` as a function of tensors alone.

    Args:
        network: What steps, as `in_float32` gives it.
        batch_size: B; None leaves it free.

    Returns:
        A `tf.function` of `ids`, int32 (B,), and `state_0`, `state_1` and so on, (B, U) each, all zero before a text;
        it gives `logits` (B, V) of the next token, and `new_state_0` and so on.
    """
    zero = recurrent.zero_state(network, 1)

    def step(ids: tf.Tensor, *state: tf.Tensor) -> dict[str, tf.Tensor]:
        logits, after = recurrent.step(network, ids, tf.nest.pack_sequence_as(zero, state))
        return {"logits": logits, **{f"new_state_{i}": tensor for i, tensor in enumerate(tf.nest.flatten(after))}}

    states = [
        tf.TensorSpec([batch_size, *tensor.shape[1:]], tensor.dtype, f"state_{i}")
        for i, tensor in enumerate(tf.nest.flatten(zero))
    ]
    return tf.function(step, [tf.TensorSpec([batch_size], tf.int32, "ids"), *states], autograph=False)


def told(function: Any, model: str, runtime: str, weights: str) -> dict[str, Any]:
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
        "inputs": [_described(spec.name, spec) for spec in function.input_signature],
        "outputs": [_described(name, outputs[name]) for name in ("logits", *(f"new_{spec.name}" for spec in states))],
        "state": [{**_described(spec.name, spec), "next": f"new_{spec.name}", "initial": 0} for spec in states],
    }


def _described(name: str, tensor: Any) -> dict[str, Any]:
    """Name a tensor and its type; null stands for a free axis."""
    return {"name": name, "shape": tensor.shape.as_list(), "dtype": tensor.dtype.name}
