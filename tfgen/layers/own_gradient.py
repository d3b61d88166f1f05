"""Gradients written by hand that let go of the graphs they were traced in.

`tf.custom_gradient` registers a function under a new name for each place in a graph where it is used. That function
holds the graph, and nothing takes it out of TensorFlow's register: each model that was trained would stay. Here one
function is registered for each kind of gradient, which finds all that it needs among the inputs of its operation.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

# Maps inputs to results, and to what the gradient needs beside the inputs: tensors, and `tf.TensorArray`s,
# of which the gradient gets the flow alone in a graph.
Forward = Callable[..., tuple[list[tf.Tensor], list[Any]]]
# Maps inputs, what was kept, and the gradients of the results to those of the inputs, None where there is none.
Backward = Callable[[Sequence[tf.Tensor], Sequence[Any], Sequence[tf.Tensor]], list[tf.Tensor | None]]


class OwnGradient:
    """A function of tensors with a gradient written by hand."""

    def __init__(self, name: str, forward: Forward, backward: Backward, inputs: int, results: int) -> None:
        """Take both ways, and how many inputs and results there are.

        Args:
            name: Of the gradient, not given twice.
            forward: Of the inputs.
            backward: Of the results.
            inputs: How many tensors `forward` takes.
            results: How many it gives first.
        """
        self._name, self._forward, self._backward = f"tfgen>{name}", forward, backward
        self._inputs, self._results = inputs, results
        tf.RegisterGradient(self._name)(self._of_operation)

    def __call__(self, *inputs: tf.Tensor) -> list[tf.Tensor]:
        """Give the results."""
        inputs = tuple(tf.convert_to_tensor(each) for each in inputs)  # variables of Keras among them
        if tf.executing_eagerly():  # where nothing is registered
            return list(tf.custom_gradient(self._eagerly)(*inputs))
        # A tape that records this graph knows no other gradients of operations than the usual ones; the gradient of a
        # function is that of the graph inside.
        return list(tf.function(self._in_graph, autograph=False)(*inputs))

    def _eagerly(self, *inputs: tf.Tensor) -> Any:
        results, kept = self._forward(*inputs)
        return tuple(results), lambda *gradients: self._backward(inputs, kept, gradients)

    def _in_graph(self, *inputs: tf.Tensor) -> list[tf.Tensor]:
        results, kept = self._forward(*inputs)
        with tf.compat.v1.get_default_graph().gradient_override_map({"IdentityN": self._name}):
            passed = tf.identity_n([*results, *map(_tensor_of, kept), *inputs])
        return passed[: self._results]

    def _of_operation(self, operation: tf.Operation, *gradients: tf.Tensor) -> list[tf.Tensor | None]:
        values = list(operation.inputs)
        kept, inputs = values[self._results : -self._inputs], values[-self._inputs :]
        nothing = [None] * (len(values) - self._inputs)
        return nothing + self._backward(inputs, kept, gradients[: self._results])


def _tensor_of(kept: Any) -> tf.Tensor:
    return kept.flow if isinstance(kept, tf.TensorArray) else kept
