"""Recurrences over time: the cells of LSTM and GRU, the loop over a sequence, and its gradient written by hand.

Automatic differentiation through a loop over time multiplies once a step by a transposed weight matrix, and adds up the
weights' gradient once a step. Here the backward loop carries nothing but the gradient of the state, over weights that
were transposed once, and the weights' gradient is one product over all steps (Werbos 1990, "Backpropagation through
time: what it does and how to do it").

Everything is time-major. Axis letters: T time, B batch, U units, G gates (4 for an LSTM, 3 for a GRU).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from tfgen.layers.own_gradient import OwnGradient
from tfgen.support import threads

# Of one layer: tensors whose first axis is B; none where it remembers nothing.
State = list[tf.Tensor]


class Weights(NamedTuple):
    """What a cell multiplies its state with.

    Attributes:
        kernel: (U, G * U).
        bias: (G * U,), added to that product; None for no bias.
    """

    kernel: tf.Tensor
    bias: tf.Tensor | None = None

    def __call__(self, h: tf.Tensor) -> tf.Tensor:
        """Map (B, U) to (B, G * U)."""
        product = h @ self.kernel
        return product if self.bias is None else product + self.bias


class Backward(NamedTuple):
    """The gradients of one step, all that flows out of it.

    Attributes:
        row: (B, G * U), of what came from the input.
        product: (B, G * U), of what came from the state by way of the weights; None where it is the row's.
        state: What reaches the state before on other ways than through the weights, each (B, U) or None.
    """

    row: tf.Tensor
    product: tf.Tensor | None
    state: list[tf.Tensor | None]


class Cell(Protocol):
    """One step of a recurrence and its gradient. The first state is the output.

    Attributes:
        states: How many tensors (B, U) the state is.
        kept: How many tensors `forward` keeps for `backward`.
        gradients: How many tensors (B, G * U) `backward` gives: 2 where the row and the product have different ones.
    """

    states: int
    kept: int
    gradients: int

    def forward(self, row: tf.Tensor, weights: Weights, state: State) -> tuple[State, State]:
        """Take a step from a row (B, G * U), the input by its weights; give the state and what `backward` needs."""

    def backward(self, kept: State, gradient: State) -> Backward:
        """Turn the gradient of the state after the step into those of all that went into it."""


class LSTM:
    """Long short-term memory (Hochreiter and Schmidhuber 1997) with forget gates (Gers et al. 2000), state [h, c]."""

    states, kept, gradients = 2, 6, 1

    def forward(self, row: tf.Tensor, weights: Weights, state: State) -> tuple[State, State]:
        """Give h, c and the gates: i = sigmoid, f = sigmoid, g = tanh, o = sigmoid; c' = f c + i g, h' = o tanh c'."""
        h, c = state
        i, f, g, o = tf.split(row + weights(h), 4, axis=1)
        i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
        after = f * c + i * g
        squashed = tf.tanh(after)
        return [o * squashed, after], [i, f, g, o, squashed, c]

    def backward(self, kept: State, gradient: State) -> Backward:
        """Differentiate a step: sigmoid' is s - s^2, tanh' is 1 - t^2."""
        i, f, g, o, squashed, c = kept
        dh, dc = gradient
        through_o = dh * o
        dc += through_o - through_o * squashed * squashed
        to_i, to_f, to_g, to_o = dc * i, dc * f, dc * i, dh * squashed * o
        to_i, to_f = to_i * g, to_f * c
        dz = tf.concat([to_i - to_i * i, to_f - to_f * f, to_g - to_g * g * g, to_o - to_o * o], axis=1)
        return Backward(dz, None, [None, dc * f])


class GRU:
    """Gated recurrent unit (Cho et al. 2014), the reset gate after the product (as in cuDNN), state [h]."""

    states, kept, gradients = 1, 5, 2

    def forward(self, row: tf.Tensor, weights: Weights, state: State) -> tuple[State, State]:
        """Give h and the gates: z, r = sigmoid; g = tanh(row + r (h W)); h' = z h + (1 - z) g."""
        (h,) = state
        recurrent = weights(h)
        units = h.shape[1]
        gates = tf.sigmoid(row[:, : 2 * units] + recurrent[:, : 2 * units])
        z, r = tf.split(gates, 2, axis=1)
        product = recurrent[:, 2 * units :]
        g = tf.tanh(row[:, 2 * units :] + r * product)
        return [g + z * (h - g)], [z, r, g, product, h]

    def backward(self, kept: State, gradient: State) -> Backward:
        """Differentiate a step."""
        z, r, g, product, h = kept
        (dh,) = gradient
        to_h = dh * z
        to_g = dh - to_h
        to_g -= to_g * g * g
        to_z = to_h * (h - g)
        to_r = to_g * product * r
        gates = [to_z - to_z * z, to_r - to_r * r]
        return Backward(tf.concat([*gates, to_g], axis=1), tf.concat([*gates, to_g * r], axis=1), [to_h])


def run(
    cell: Cell, rows: tf.Tensor, weights: Weights, state: State, *, differentiable: bool
) -> tuple[tf.Tensor, State]:
    """Run a cell over a sequence.

    Args:
        cell: `LSTM()` or `GRU()`.
        rows: (T, B, G * U), the inputs by their weights; T is at least 1.
        weights: Of the state.
        state: Before the first step, each (B, U).
        differentiable: Whether a gradient will be asked for: keeps what the gradient written by hand needs, about
            6 * T * B * U numbers. Without it gradients are still right, and slow.

    Returns:
        The outputs (T, B, U), and the state after the last step.
    """
    if not differentiable:
        outputs, state, _ = _forward(cell, rows, weights, state, keep=False)
        return outputs, state
    if rows.shape[1] == 1 or tf.executing_eagerly() or threads.between() == 1:
        return _differentiable(cell, rows, weights, state)
    # The products of a step are too small to keep two threads busy. Two halves of the batch are loops of their own.
    batch = rows.shape[1] or tf.shape(rows)[1]
    sizes = [(batch + 1) // 2, batch // 2]
    # Splitting has a cheaper gradient than slicing.
    halves = tf.split(rows, sizes, axis=1), *(tf.split(each, sizes) for each in state)
    (one, after_one), (two, after_two) = (
        _differentiable(cell, half, weights, list(before)) for half, *before in zip(*halves, strict=True)
    )
    return tf.concat([one, two], axis=1), [tf.concat(ends, axis=0) for ends in zip(after_one, after_two, strict=True)]


def _differentiable(cell: Cell, rows: tf.Tensor, weights: Weights, state: State) -> tuple[tf.Tensor, State]:
    """Do what `run` says, with the gradient written by hand."""
    bias = tf.zeros([], rows.dtype) if weights.bias is None else weights.bias
    outputs, *after = _OWN[type(cell)](rows, weights.kernel, bias, *state)
    return outputs, after


def _own_gradient(cell: Cell) -> OwnGradient:
    """Give the recurrence of a cell, of rows, kernel, bias (a scalar where there is none) and state."""

    def forward(
        rows: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, *state: tf.Tensor
    ) -> tuple[list[tf.Tensor], list[Any]]:
        weights = Weights(kernel, bias if bias.shape.rank else None)
        outputs, after, kept = _forward(cell, rows, weights, list(state), keep=True)
        return [outputs[1:], *after], [outputs, *kept]

    def backward(
        inputs: Sequence[tf.Tensor], kept: Sequence[Any], gradients: Sequence[tf.Tensor]
    ) -> list[tf.Tensor | None]:
        kernel, bias = inputs[1:3]
        outputs, *arrays = kept
        if tf.is_tensor(arrays[0]):
            arrays = [tf.TensorArray(kernel.dtype, flow=flow) for flow in arrays]
        to_rows, to_products, to_state = _backward(cell, kernel, arrays, gradients[0], list(gradients[1:]))
        products = tf.reshape(to_products, [-1, to_products.shape[-1]])
        before = tf.reshape(outputs[:-1], [-1, outputs.shape[-1]])
        to_kernel = tf.matmul(before, products, transpose_a=True)
        to_bias = tf.reduce_sum(products, axis=0) if bias.shape.rank else tf.zeros_like(bias)
        return [to_rows, to_kernel, to_bias, *to_state]

    return OwnGradient(type(cell).__name__, forward, backward, inputs=3 + cell.states, results=1 + cell.states)


def _forward(
    cell: Cell, rows: tf.Tensor, weights: Weights, state: State, *, keep: bool
) -> tuple[tf.Tensor, State, list[tf.TensorArray]]:
    """Give the outputs (T, B, U), the last state, and what was kept.

    Where something is kept, the output before the first step comes first, (T + 1, B, U). Elsewhere each step writes at
    its own place, for converters to other runtimes know no other loop.
    """
    steps = _steps(rows)
    outputs = _array(steps + 1, state[0]).write(0, state[0]) if keep else _array(steps, state[0])
    kept = [_array(steps, state[0]) for _ in range(cell.kept if keep else 0)]

    def step(t: tf.Tensor, state: State, outputs: tf.TensorArray, kept: list[tf.TensorArray]) -> tuple[Any, ...]:
        state, keeping = cell.forward(rows[t], weights, state)
        kept = [array.write(t, value) for array, value in zip(kept, keeping, strict=False)]
        return t + 1, state, outputs.write(t + 1 if keep else t, state[0]), kept

    _, state, outputs, kept = tf.while_loop(
        lambda t, *_: t < steps,
        step,
        (tf.constant(0), state, outputs, kept),
        parallel_iterations=1,
        maximum_iterations=steps,
    )
    return outputs.stack(), state, kept


def _backward(
    cell: Cell, kernel: tf.Tensor, kept: list[tf.TensorArray], outputs_gradient: tf.Tensor, state_gradient: State
) -> tuple[tf.Tensor, tf.Tensor, State]:
    """Give the gradients of the rows and of the products with the weights, (T, B, G * U), and of the first state."""
    steps = _steps(outputs_gradient)
    transposed = tf.transpose(kernel)
    wide = tf.TensorShape([outputs_gradient.shape[1], kernel.shape[1]])
    arrays = [tf.TensorArray(kernel.dtype, steps, element_shape=wide) for _ in range(cell.gradients)]

    def step(t: tf.Tensor, gradient: State, arrays: list[tf.TensorArray]) -> tuple[Any, ...]:
        values = [array.read(t) for array in kept]
        for value in values:  # which an array that was made from a flow does not know
            value.set_shape(gradient[0].shape)
        back = cell.backward(values, [gradient[0] + outputs_gradient[t], *gradient[1:]])
        arrays = [array.write(t, value) for array, value in zip(arrays, (back.row, back.product), strict=False)]
        through = (back.row if back.product is None else back.product) @ transposed
        first = through if back.state[0] is None else through + back.state[0]
        return t - 1, [first, *back.state[1:]], arrays

    _, state_gradient, arrays = tf.while_loop(
        lambda t, *_: t >= 0,
        step,
        (tf.convert_to_tensor(steps - 1), state_gradient, arrays),
        parallel_iterations=1,
        maximum_iterations=steps,
    )
    gradients = [array.stack() for array in arrays]
    return gradients[0], gradients[-1], state_gradient


def _steps(sequence: tf.Tensor) -> Any:
    return sequence.shape[0] or tf.shape(sequence)[0]


def _array(size: Any, like: tf.Tensor) -> tf.TensorArray:
    return tf.TensorArray(like.dtype, size, element_shape=like.shape, clear_after_read=False)


_OWN: dict[type[Cell], OwnGradient] = {type(cell): _own_gradient(cell) for cell in (LSTM(), GRU())}
