"""A `keras.Sequential` as a language model: its layers are stepped one after another, the state a value.

Neither `read` nor `step` touches the state that a stateful layer keeps for training. Logits come from the head's kernel
and bias, never from the logarithm of its softmax.

Axis letters: B batch, T time, V vocabulary, U units.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.layers import recurrence, stepping
from tfgen.networks import chain
from tfgen.networks.model import fingerprint_of, where

# For each layer that remembers the list of its states, each (B, U), as Keras orders them.
State = list[recurrence.State]


class Recurrent:
    """A language model of a Sequential; see `tfgen.networks.LanguageModel`.

    Attributes:
        network: The Sequential.
    """

    context = ()
    supports_jit = True  # on a GPU too, for cells are stepped there and not cuDNN's loop

    def __init__(self, network: keras.Sequential) -> None:
        """Take a network from ids (B, T) to probabilities (B, T, V).

        Raises:
            InputError: It cannot be stepped; the message names the layer and what is supported.
        """
        check(network)
        self.network = network
        *body, self._head = chain.layers_of(network)
        layers = [stepping.stepped(layer) for layer in body]
        # Each layer, and whether it has a place in the state.
        self._layers = [(layer, bool(layer.first_state(1))) for layer in layers]

    @property
    def size(self) -> int:
        """Give V."""
        return self._head.units

    @property
    def dtype(self) -> tf.DType:
        """Give the type of logits: half precision ends before them."""
        return tf.float64 if self._head.compute_dtype == "float64" else tf.float32

    def start(self, context: Any, rows: Any) -> State:
        """Give the state before the first token: zeros (B, U) in each layer's compute dtype."""
        return [layer.first_state(rows) for layer, remembers in self._layers if remembers]

    def read(
        self, ids: tf.Tensor, lengths: tf.Tensor | None, state: State, context: Any = ()
    ) -> tuple[tf.Tensor, State]:
        """Read texts: what the head reads (B, T, U), and the state after each row's last token."""
        features, after = self._read(ids, lengths, state)
        return self._in_context(features, context), after

    def _read(self, ids: tf.Tensor, lengths: tf.Tensor | None, state: State) -> tuple[tf.Tensor, State]:
        if lengths is None:
            return self.features(ids, state, None)
        # cuDNN takes no row that is all padding: such a row is read as one token, and has the state that it had.
        mask = tf.sequence_mask(tf.maximum(lengths, 1), tf.shape(ids)[1])
        features, after = self.features(ids, state, mask)
        return features, tf.nest.map_structure(lambda new, old: where(lengths > 0, new, old), after, state)

    def _in_context(self, features: tf.Tensor, context: Any) -> tf.Tensor:
        """Give what the head reads, (B, T, F) or (B, F), of what the layers before it gave."""
        return features

    def features(self, ids: tf.Tensor, state: State, mask: tf.Tensor | None) -> tuple[tf.Tensor, State]:
        """Read texts through all layers but the head; the mask, bool (B, T), is False where a row is padded."""
        x, states, after = ids, iter(state), []
        for layer, remembers in self._layers:
            x, new = layer.read(x, next(states) if remembers else [], mask)
            after += [new] * remembers
        return x, after

    def logits(self, features: tf.Tensor) -> tf.Tensor:
        """Apply the head without its softmax: (..., U) to (..., V)."""
        logits = keras.ops.matmul(features, tf.cast(self._head.kernel, features.dtype))
        if self._head.bias is not None:
            logits += tf.cast(self._head.bias, features.dtype)
        return tf.cast(logits, self.dtype)

    def step(self, ids: tf.Tensor, state: State, context: Any = ()) -> tuple[tf.Tensor, State]:
        """Read one token a row: logits (B, V) of the next token, and the state after this one."""
        x, states, after = ids, iter(state), []
        for layer, remembers in self._layers:
            x, new = layer.step(x, next(states) if remembers else [])
            after += [new] * remembers
        return self.logits(self._in_context(x, context)), after

    def fingerprint(self, salt: bytes = b"") -> str:
        """Give a hash of the weights; the salt is hashed before them."""
        return fingerprint_of(self.network, salt)


def check(network: keras.Sequential) -> None:
    """Refuse a network that cannot be stepped.

    Raises:
        InputError: Names the layer and what is supported.
    """
    layers = chain.layers_of(network)
    for layer in layers:
        stepping.stepped(layer)
    shape_in, shape_out = network.inputs[0].shape, network.outputs[0].shape
    if (len(shape_in), len(shape_out)) != (2, 3):
        shapes = f"{shape_in} to {shape_out}"
        raise InputError(f"the network must map ids (B, T) to (B, T, V); received one from {shapes}.")
    stepping.check_head(layers[-1])


def recurrent_layers(network: keras.Sequential) -> list[Any]:
    """Give the recurrent layers, first to last."""
    return [layer for layer in chain.layers_of(network) if stepping.is_recurrent(layer)]


def shape(network: keras.Sequential) -> dict[str, Any]:
    """Describe a network in the terms of `build`: its first recurrent layer and its embedding, if it has any."""
    return stepping.description(chain.layers_of(network))


def vocabulary_size(network: keras.Sequential) -> int:
    """Give V, the number of outputs of the head."""
    return chain.layers_of(network)[-1].units


def with_batch_size(network: keras.Sequential, batch_size: int | None, dtype: str | None = None) -> keras.Sequential:
    """Rebuild a network for another batch size, with the same weights.

    Args:
        network: A network that passes `check`.
        batch_size: B of a stateful network; None makes it start every batch from the zero state.
        dtype: The dtype policy of all layers; None leaves to each its own.

    Returns:
        A new Sequential; recurrent layers are stateful exactly when `batch_size` is given.
    """
    rebuilt = [keras.Input(shape=(None,), batch_size=batch_size, dtype="int32", name="ids")]
    for layer in chain.in_a_row(network):
        config = layer.get_config()
        if stepping.is_recurrent(layer):
            config["stateful"] = batch_size is not None
        if dtype is not None:
            config = {**in_policy(config, dtype), "dtype": dtype}
        rebuilt.append(type(layer).from_config(config))
    twin = keras.Sequential(rebuilt, name=network.name)
    twin.set_weights(network.get_weights())
    return twin


def in_policy(config: Any, dtype: str) -> Any:
    """Give a configuration in which each dtype policy is another one: layers may hold layers."""
    if isinstance(config, (list, tuple)):
        return type(config)(in_policy(each, dtype) for each in config)
    if not isinstance(config, dict):
        return config
    if str(config.get("class_name")).endswith("DTypePolicy"):
        return dtype
    return {name: in_policy(value, dtype) for name, value in config.items()}


def training_state(network: keras.Sequential) -> Sequence[Any]:
    """Give the variables, each (B, U), in which stateful layers carry their state from batch to batch while training.

    They are in no `variables` and in no saved file of Keras.
    """
    return [
        variable
        for layer in network._flatten_layers()
        if stepping.is_recurrent(layer) and layer.stateful
        for variable in layer.states or ()
    ]
