"""Recurrent layers that read integer tokens: an id means a one-hot row, and no one-hot input has to be prepared.

Each class is the Keras layer of the same name with one option more, `one_hot`. Its weights are those of the Keras layer
after a one-hot encoding, so they move from one to the other unchanged.

Axis letters: B batch, T time, V vocabulary, U units.
"""

from typing import Any

import keras


class _OneHotInput(keras.layers.RNN):
    """Reads ids `(B, T)` as one-hot rows `(B, T, V)` when `one_hot` is V, and sequences `(B, T, D)` when it is None.

    `keras.layers.RNN` fixes input of rank 3 and builds its kernel from the last axis, hence the overrides.
    """

    def __init__(self, *args: Any, one_hot: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if one_hot is not None and one_hot < 1:
            raise ValueError(f"one_hot is the size of the vocabulary and must be at least 1; received {one_hot}.")
        self.one_hot = one_hot
        if one_hot:
            self.input_spec = keras.layers.InputSpec(ndim=2)

    def read(self, inputs: Any) -> Any:
        """Give the rows that the recurrence reads: one-hot for ids of any shape, the inputs themselves otherwise."""
        return keras.ops.one_hot(inputs, self.one_hot, dtype=self.compute_dtype) if self.one_hot else inputs

    def _rows_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*shape, self.one_hot) if self.one_hot else shape

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        super().build(self._rows_shape(sequences_shape), initial_state_shape)

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        return super().call(self.read(sequences), initial_state=initial_state, mask=mask, training=training)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        return super().compute_output_shape(self._rows_shape(sequences_shape), initial_state_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "one_hot": self.one_hot}


@keras.saving.register_keras_serializable(package="tfgen")
class LSTM(_OneHotInput, keras.layers.LSTM):
    """`keras.layers.LSTM` that also reads ids: `LSTM(256, one_hot=V)` takes `(B, T)`, gives `(B, T, U)` or `(B, U)`.

    Args:
        one_hot: V, the number of ids, when the input is integer; None for input of rank 3.
        *args: As for `keras.layers.LSTM`.
        **kwargs: As for `keras.layers.LSTM`.
    """

    def get_config(self) -> dict[str, Any]:
        """Give the constructor's arguments, `use_cudnn` among them, which Keras leaves out."""
        return {**super().get_config(), "use_cudnn": self.use_cudnn}


@keras.saving.register_keras_serializable(package="tfgen")
class GRU(_OneHotInput, keras.layers.GRU):
    """`keras.layers.GRU` that also reads ids: `GRU(256, one_hot=V)` takes `(B, T)`, gives `(B, T, U)` or `(B, U)`.

    Args:
        one_hot: V, the number of ids, when the input is integer; None for input of rank 3.
        *args: As for `keras.layers.GRU`.
        **kwargs: As for `keras.layers.GRU`.
    """

    def get_config(self) -> dict[str, Any]:
        """Give the constructor's arguments, `use_cudnn` among them, which Keras leaves out."""
        return {**super().get_config(), "use_cudnn": self.use_cudnn}


@keras.saving.register_keras_serializable(package="tfgen")
class SimpleRNN(_OneHotInput, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN` that also reads ids: `SimpleRNN(256, one_hot=V)` takes `(B, T)`.

    Args:
        one_hot: V, the number of ids, when the input is integer; None for input of rank 3.
        *args: As for `keras.layers.SimpleRNN`.
        **kwargs: As for `keras.layers.SimpleRNN`.
    """
