"""The door for all that predicts a next token: what a language model is to those who write, score and export with it.

Axis letters: B batch, T time, V vocabulary, F features.
"""

import hashlib
from typing import Any, Protocol, runtime_checkable

import keras
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.support import wording


@runtime_checkable
class LanguageModel(Protocol):
    """p(next token | tokens before it, context). Nothing moves inside it: all that moves is the state.

    The methods are called in graphs, and their results are functions of their arguments and the weights alone.

    Attributes:
        size: V.
        dtype: Of logits. Minus infinity says that a token never comes; NaN is a fault.
        supports_jit: Whether XLA may compile `step`.
        context: What the text depends on beside itself, such as a picture that it describes: a nest of `tf.TensorSpec`
            whose first axis is B; `()` where there is nothing. It is constant while a text is written.
    """

    @property
    def size(self) -> int: ...
    @property
    def dtype(self) -> tf.DType: ...
    @property
    def supports_jit(self) -> bool: ...
    @property
    def context(self) -> Any: ...

    def start(self, context: Any, rows: Any) -> Any:
        """Give the state before the first token.

        Args:
            context: A nest of tensors as `context` says, of B rows.
            rows: B, an int or a scalar int tensor.

        Returns:
            A nest of tensors whose first axis is B.
        """

    def read(self, ids: tf.Tensor, lengths: tf.Tensor | None, state: Any, context: Any) -> tuple[tf.Tensor, Any]:
        """Read more of texts.

        Args:
            ids: Int (B, T), padded on the right.
            lengths: Int (B,), how many ids of each row are real, from 0 to T; None: all are.
            state: After what was read before.
            context: Of the rows.

        Returns:
            What `logits` takes, a nest of (B, T, ...), where padding has any; and the state after each row's last real
            token.
        """

    def logits(self, features: tf.Tensor) -> tf.Tensor:
        """Turn what `read` gave, (..., F), into logits of each next token, (..., V)."""

    def step(self, ids: tf.Tensor, state: Any, context: Any) -> tuple[tf.Tensor, Any]:
        """Read one token a row, int (B,): logits (B, V) of the next token, and the state after this one."""

    def fingerprint(self, salt: bytes = b"") -> str:
        """Give a hash of the weights, which tells one model from another; the salt is hashed before them."""


def flat(state: Any, name: str = "network") -> dict[str, Any]:
    """Give the tensors of a nest by name: `network_0`, `network_1` and so on, for files, exports and their clients."""
    return {f"{name}_{i}": leaf for i, leaf in enumerate(tf.nest.flatten(state))}


def packed(structure: Any, tensors: dict[str, Any], name: str = "network") -> Any:
    """Give the nest back that `flat` has taken apart.

    Args:
        structure: A nest of the same structure.
        tensors: By name; others may be among them.
        name: As for `flat`.
    """
    return tf.nest.pack_sequence_as(structure, [tensors[each] for each in flat(structure, name)])


def state_of_a_row(model: LanguageModel) -> Any:
    """Give the state of one row before its first token, in any context of the kind that the model takes."""
    return model.start(some_context(model), 1)


def some_context(model: LanguageModel) -> Any:
    """Give a context of one row, all zeros, as short as it can be."""
    return tf.nest.map_structure(
        lambda spec: tf.zeros([1, *(d or 1 for d in spec.shape[1:])], spec.dtype), model.context
    )


def checked_context(model: LanguageModel, context: Any, rows: int) -> Any:
    """Give a context as tensors, one row a text.

    Raises:
        InputError: It is not what the model takes, or of another number of rows.
    """
    expected = model.context
    try:
        tf.nest.assert_same_structure(expected, context)
        given = tf.nest.map_structure(lambda spec, value: tf.convert_to_tensor(value, spec.dtype), expected, context)
    except (TypeError, ValueError, tf.errors.InvalidArgumentError):
        received = wording.shown(tf.nest.map_structure(lambda value: type(value).__name__, context))
        raise InputError(f"the model takes a context of {_shapes(expected)}, as arrays; received {received}.") from None
    for spec, value in zip(tf.nest.flatten(expected), tf.nest.flatten(given), strict=True):
        if not spec.shape.is_compatible_with(value.shape) or value.shape[0] != rows:
            raise InputError(
                f"the model takes a context of {_shapes(expected)}, one row for each of {rows} texts; received "
                f"{_shapes(given)}."
            )
    return given


def fingerprint_of(network: keras.Model, salt: bytes) -> str:
    """Give a hash of the weights of a network; the salt is hashed before them."""
    digest = hashlib.sha256(salt)
    for weight in network.get_weights():
        digest.update(repr((weight.shape, weight.dtype)).encode())
        digest.update(weight.tobytes())
    return digest.hexdigest()


def where(chosen: tf.Tensor, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Take the rows (B, ...) of one tensor where `chosen`, bool (B,), is true, and of the other elsewhere."""
    return tf.where(tf.reshape(chosen, [-1] + [1] * (one.shape.rank - 1)), one, other)


def _shapes(nest: Any) -> Any:
    return tf.nest.map_structure(lambda each: f"{each.dtype.name} {tuple(each.shape)}", nest) or "nothing"
