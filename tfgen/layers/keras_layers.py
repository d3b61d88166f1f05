"""Recurrent layers that read integer tokens as one-hot rows, and that train fast on a CPU.

Each class is the Keras layer of the same name: constructor, weights, configuration and results are Keras' own, so that
weights move from one to the other unchanged. There are three differences. With `one_hot=V` a layer reads ids, and picks
rows of its kernel where Keras would multiply by one-hot rows. On a CPU an LSTM or GRU of the usual kind runs
`tfgen.layers.recurrence`, whose gradient is written by hand; `fast` says whether a layer does. With `weight_drop`,
DropConnect on the weights of the state, which Keras does not have, it does so on a GPU too. The rest is left to Keras:
a GPU otherwise, with cuDNN, other activations, dropout inside the layer, half precision, unrolling, a GRU that resets
before the product, and every call with a mask.

Axis letters: B batch, T time, V vocabulary, D features, U units.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgen.errors import InputError, real_number, whole_number
from tfgen.layers import recurrence, stepping, time_major
from tfgen.layers.own_gradient import OwnGradient


class _OneHotInput(keras.layers.RNN):
    """Reads ids `(B, T)` as one-hot rows `(B, T, V)` when `one_hot` is V, and sequences `(B, T, D)` when it is None.

    `keras.layers.RNN` fixes input of rank 3 and builds its kernel from the last axis, hence the overrides.
    """

    def __init__(self, *args: Any, one_hot: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.one_hot = None if one_hot is None else whole_number("one_hot", one_hot, 1)
        if one_hot:
            self.input_spec = keras.layers.InputSpec(ndim=2)

    def rows_of(self, inputs: Any) -> Any:
        """Give the rows that Keras' cell reads: one-hot for ids of any shape, the inputs themselves otherwise."""
        return keras.ops.one_hot(inputs, self.one_hot, dtype=self.compute_dtype) if self.one_hot else inputs

    def first_state(self, rows: Any) -> list[Any]:
        """Give the states of so many rows before their first token, zeros (B, U) in the layer's compute dtype."""
        return self.get_initial_state(rows)

    def read(self, inputs: Any, state: list[Any], mask: Any = None) -> tuple[Any, list[Any]]:
        """Read sequences, in inference mode; see `tfgen.layers.Stepped`.

        Args:
            inputs: Ids (B, T), or rows (B, T, D).
            state: The states before them, each (B, U).
            mask: Bool (B, T), False where a row is padded on the right; None: no padding.

        Returns:
            The outputs (B, T, U), and the states after each row.
        """
        _, outputs, state = self.inner_loop(self._sequences(inputs), state, mask, training=False)
        return stepping.cast(self, outputs, state)

    def step(self, inputs: Any, state: list[Any]) -> tuple[Any, list[Any]]:
        """Read one token a row, in inference mode.

        Args:
            inputs: Ids (B,), or rows (B, D).
            state: The states before it, each (B, U).

        Returns:
            The output (B, U), and the states after it.
        """
        output, state = self.cell(self.rows_of(inputs), state, training=False)
        return output, list(state)

    def _sequences(self, inputs: Any) -> Any:
        """Give what `inner_loop` reads."""
        return self.rows_of(inputs)

    def _rows_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*shape, self.one_hot) if self.one_hot else shape

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        super().build(self._rows_shape(sequences_shape), initial_state_shape)

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        return super().call(self._sequences(sequences), initial_state=initial_state, mask=mask, training=training)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        return super().compute_output_shape(self._rows_shape(sequences_shape), initial_state_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "one_hot": self.one_hot}


class _Fast(_OneHotInput):
    """Runs a cell of `tfgen.layers.recurrence` where that gives what Keras gives."""

    _recurrence: recurrence.Cell

    def __init__(self, *args: Any, weight_drop: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.weight_drop = real_number("weight_drop", weight_drop, at_least=0, below=1)
        if weight_drop:
            self._weight_drop_seed = keras.random.SeedGenerator(kwargs.get("seed"), name="weight_drop")
            if not self.fast:
                raise InputError(
                    "weight_drop needs a layer that runs tfgen's recurrence: the usual activations, no dropout inside "
                    "the layer, no unrolling, float32 or float64, and a GRU that resets after the product."
                )

    @property
    def fast(self) -> bool:
        """Whether the layer runs the recurrence of tfgen; what decides is fixed when the layer is made."""
        usual = self.activation is keras.activations.tanh and self.recurrent_activation is keras.activations.sigmoid
        plain = not (self.dropout or self.recurrent_dropout or self.unroll or self.use_cudnn is True)
        whole = self.compute_dtype in ("float32", "float64")
        # cuDNN is faster, and knows nothing of dropped weights.
        return usual and plain and whole and (self.weight_drop > 0 or not tf.config.get_visible_devices("GPU"))

    def _sequences(self, inputs: Any) -> Any:
        """Give what `inner_loop` reads: ids (B, T, 1) where they are looked up, one-hot rows where Keras multiplies."""
        return inputs[..., tf.newaxis] if self.one_hot and self.fast else super()._sequences(inputs)

    def step(self, inputs: Any, state: list[Any]) -> tuple[Any, list[Any]]:
        """Read one token a row, in inference mode, see the base class."""
        if not self.fast:
            return super().step(inputs, state)
        kernel, bias, weights = self._weights()
        rows = tf.gather(kernel, inputs) if self.one_hot else inputs @ kernel
        state, _ = self._recurrence.forward(rows if bias is None else rows + bias, weights, state)
        return state[0], state

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Run the recurrence over (B, T, D); see `keras.layers.RNN.inner_loop`."""
        state = initial_state if isinstance(initial_state, (list, tuple)) else [initial_state]
        if not self.fast:
            return super().inner_loop(sequences, initial_state, mask, training)
        if keras.tree.flatten(mask) not in ([], [None]):
            if training and self.weight_drop:
                raise InputError("weight_drop trains on sequences without a mask only; set it to 0.")
            rows = self.rows_of(sequences[..., 0]) if self.one_hot else sequences
            return super().inner_loop(rows, initial_state, mask, training)
        kernel, bias, weights = self._weights()
        if training and self.weight_drop:
            dropped = keras.random.dropout(weights.kernel, self.weight_drop, seed=self._weight_drop_seed)
            weights = weights._replace(kernel=dropped)
        rows = _project(sequences, kernel, bias, bool(self.one_hot), bool(training))
        rows = tf.reverse(rows, [0]) if self.go_backwards else rows
        outputs, state = recurrence.run(self._recurrence, rows, weights, list(state), differentiable=bool(training))
        last = outputs[-1]
        every = time_major.swapped(outputs) if self.return_sequences else last[:, tf.newaxis]
        return last, every, state

    def _weights(self) -> tuple[tf.Tensor, tf.Tensor | None, recurrence.Weights]:
        """Give the kernel (D, G * U), the bias (G * U,) of its product, and the weights of the state."""
        # Read here: the gradient written by hand takes tensors.
        kernel, recurrent = (tf.convert_to_tensor(w.value) for w in (self.cell.kernel, self.cell.recurrent_kernel))
        bias = tf.convert_to_tensor(self.cell.bias.value) if self.use_bias else None
        return kernel, bias, recurrence.Weights(recurrent)

    def get_config(self) -> dict[str, Any]:
        """Give the constructor's arguments, `use_cudnn` among them, which Keras leaves out."""
        return {**super().get_config(), "use_cudnn": self.use_cudnn, "weight_drop": self.weight_drop}


def _project(
    sequences: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor | None, ids: bool, differentiable: bool
) -> tf.Tensor:
    """Multiply the inputs (B, T, D) with the kernel: (T, B, G * U)."""
    sequences = time_major.swapped(sequences)
    if ids:
        table, ids = kernel if bias is None else kernel + bias, sequences[..., 0]
        return _LOOK_UP(table, ids)[0] if differentiable else tf.gather(table, ids)
    rows = tf.tensordot(sequences, kernel, 1)
    return rows if bias is None else rows + bias


def _look_up_forward(table: tf.Tensor, ids: tf.Tensor) -> tuple[list[tf.Tensor], list[Any]]:
    return [tf.gather(table, ids)], []


def _look_up_backward(
    inputs: Sequence[tf.Tensor], kept: Sequence[Any], gradients: Sequence[tf.Tensor]
) -> list[tf.Tensor | None]:
    table, ids = inputs
    rows = gradients[0]
    flat = tf.reshape(rows, [-1, rows.shape[-1]])
    return [tf.math.unsorted_segment_sum(flat, tf.reshape(ids, [-1]), tf.shape(table)[0]), None]


# Picks rows (T, B, G * U) of a table (V, G * U); its gradient is summed once, for kernel and bias together.
_LOOK_UP = OwnGradient("LookUp", _look_up_forward, _look_up_backward, inputs=2, results=1)


@keras.saving.register_keras_serializable(package="tfgen")
class LSTM(_Fast, keras.layers.LSTM):
    """`keras.layers.LSTM` that also reads ids: `LSTM(256, one_hot=V)` takes `(B, T)`, gives `(B, T, U)` or `(B, U)`.

    Args:
        one_hot: V, the number of ids, when the input is integer; None for input of rank 3.
        weight_drop: Share of the recurrent kernel's weights that is dropped in each training batch, the same ones at
            all its steps (Merity et al. 2017, arXiv:1708.02182); the others grow by as much.
        *args: As for `keras.layers.LSTM`.
        **kwargs: As for `keras.layers.LSTM`.
    """

    _recurrence = recurrence.LSTM()


@keras.saving.register_keras_serializable(package="tfgen")
class GRU(_Fast, keras.layers.GRU):
    """`keras.layers.GRU` that also reads ids: `GRU(256, one_hot=V)` takes `(B, T)`, gives `(B, T, U)` or `(B, U)`.

    Args:
        one_hot: V, the number of ids, when the input is integer; None for input of rank 3.
        weight_drop: Share of the recurrent kernel's weights that is dropped in each training batch, the same ones at
            all its steps (Merity et al. 2017, arXiv:1708.02182); the others grow by as much.
        *args: As for `keras.layers.GRU`.
        **kwargs: As for `keras.layers.GRU`.
    """

    _recurrence = recurrence.GRU()

    @property
    def fast(self) -> bool:
        """See `LSTM.fast`; a GRU must also reset after the product."""
        return self.reset_after and super().fast

    def _weights(self) -> tuple[tf.Tensor, tf.Tensor | None, recurrence.Weights]:
        kernel, biases, weights = super()._weights()
        if biases is None:
            return kernel, None, weights
        return kernel, biases[0], recurrence.Weights(weights.kernel, biases[1])


@keras.saving.register_keras_serializable(package="tfgen")
class SimpleRNN(_OneHotInput, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN` that also reads ids: `SimpleRNN(256, one_hot=V)` takes `(B, T)`.

    Args:
        one_hot: V, the number of ids, when the input is integer; None for input of rank 3.
        *args: As for `keras.layers.SimpleRNN`.
        **kwargs: As for `keras.layers.SimpleRNN`.
    """
