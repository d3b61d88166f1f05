"""Several models of one vocabulary as one: p = sum of w p over its members.

Axis letters: B batch, T time, V vocabulary, K members.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import InputError, check_instance
from tfgen.networks.chain import check_plain
from tfgen.networks.counts import is_counts
from tfgen.networks.model import LanguageModel, fingerprint_of
from tfgen.support import wording

_ROUNDS = 1000  # of expectation and maximisation; they stop sooner


@keras.saving.register_keras_serializable(package="tfgen")
class Mixture(keras.Model):
    """Ids (B, T) to the probabilities (B, T, V) that the members give, weighted.

    Attributes:
        members: Networks from ids (B, T) to probabilities (B, T, V), none of them stateful.
        shares: The weight of each, (K,); they sum to 1, and are not trained.
    """

    def __init__(self, members: Sequence[Any], **kwargs: Any) -> None:
        """Join members, each with the same weight.

        Raises:
            InputError: There are fewer than two, or they do not go together.
        """
        super().__init__(**kwargs)
        if not isinstance(members, (list, tuple)) or len(members) < 2:
            raise InputError(f"a mixture has at least two members; received {wording.shown(members)}.")
        for member in members:
            check_instance("each member", member, keras.Sequential, "a built keras.Sequential without an encoder")
            if not is_counts(member):
                check_plain(member)
        if any(member.input_shape[0] is not None for member in members):
            raise InputError("the members of a mixture keep no state between batches: give with_batch_size(None).")
        sizes = [member.output_shape[-1] for member in members]
        if len(set(sizes)) > 1:
            raise InputError(f"the members of a mixture must have one vocabulary; received sizes {sizes}.")
        self.members = list(members)
        self.shares = self.add_weight(
            name="shares",
            shape=(len(members),),
            dtype="float32",
            initializer=keras.initializers.Constant(1 / len(members)),
            trainable=False,
        )
        self.built = True

    @property
    def input_shape(self) -> tuple[None, None]:
        """Give (B, T), which are free."""
        return None, None

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Map ids (B, T) to probabilities (B, T, V)."""
        given = [tf.cast(member(inputs, training=training), tf.float32) for member in self.members]
        shares = tf.unstack(tf.convert_to_tensor(self.shares))
        return tf.add_n([share * p for share, p in zip(shares, given, strict=True)])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Give (B, T, V)."""
        return (*input_shape, self.members[0].output_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Give the constructor's arguments as plain JSON types."""
        members = [keras.saving.serialize_keras_object(member) for member in self.members]
        return {"name": self.name, "members": members}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Mixture:
        """Make the mixture that `get_config` described; its members have fresh weights."""
        config = dict(config)
        members = [
            keras.saving.deserialize_keras_object(member, custom_objects=custom_objects)
            for member in config.pop("members")
        ]
        return cls(members, **config)

    def get_build_config(self) -> None:
        """Say nothing: the constructor builds everything."""


class Mixed:
    """A language model of a mixture: its state and features are those of its members, side by side.

    Attributes:
        network: The mixture.
        members: Its members, as language models.
    """

    context = ()

    def __init__(self, network: Mixture, models: Sequence[LanguageModel]) -> None:
        """Take a mixture, and each of its members as a language model."""
        check_instance("the network", network, Mixture, "a tfgen.networks.Mixture")
        self.network = network
        self.members = list(models)

    @property
    def size(self) -> int:
        """Give V."""
        return self.members[0].size

    @property
    def dtype(self) -> tf.DType:
        """Give the widest type of the members' logits."""
        return tf.float64 if any(model.dtype == tf.float64 for model in self.members) else tf.float32

    @property
    def supports_jit(self) -> bool:
        """Whether XLA may compile all of them."""
        return all(model.supports_jit for model in self.members)

    def start(self, context: Any, rows: Any) -> tuple[Any, ...]:
        """Give the states of the members before the first token."""
        return tuple(model.start((), rows) for model in self.members)

    def read(
        self, ids: tf.Tensor, lengths: tf.Tensor | None, state: Any, context: Any = ()
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Read texts: what each member's head reads, and the states after."""
        read = [model.read(ids, lengths, of, ()) for model, of in zip(self.members, state, strict=True)]
        return tuple(features for features, _ in read), tuple(after for _, after in read)

    def logits(self, features: Any) -> tf.Tensor:
        """Give the logarithm of the weighted sum of the members' distributions, (..., V)."""
        return self._mixed([model.logits(of) for model, of in zip(self.members, features, strict=True)])

    def step(self, ids: tf.Tensor, state: Any, context: Any = ()) -> tuple[tf.Tensor, tuple[Any, ...]]:
        """Read one token a row: logits (B, V) of the next token, and the states after this one."""
        stepped = [model.step(ids, of, ()) for model, of in zip(self.members, state, strict=True)]
        return self._mixed([logits for logits, _ in stepped]), tuple(after for _, after in stepped)

    def _mixed(self, logits: list[tf.Tensor]) -> tf.Tensor:
        shares = tf.unstack(tf.cast(tf.convert_to_tensor(self.network.shares), self.dtype))
        given = [tf.nn.softmax(tf.cast(each, self.dtype)) for each in logits]
        return tf.math.log(tf.add_n([share * p for share, p in zip(shares, given, strict=True)]))

    def fingerprint(self, salt: bytes = b"") -> str:
        """Give a hash of the weights of all members, and of theirs in the mixture."""
        return fingerprint_of(self.network, salt)


def fitted(log_p: Any) -> npt.NDArray[np.float64]:
    """Give the weights (K,) under which a text is likeliest, by expectation and maximisation.

    Args:
        log_p: The log-probabilities that each member gives to the tokens of the text, (T,) each.
    """
    p = np.exp(np.asarray(log_p, np.float64))
    weights = np.full(len(p), 1 / len(p))
    for _ in range(_ROUNDS):
        joint = weights[:, np.newaxis] * p
        total = joint.sum(axis=0)
        seen = total > 0  # what no member thinks possible says nothing of them
        before, weights = weights, (joint[:, seen] / total[seen]).mean(axis=1) if seen.any() else weights
        if np.abs(weights - before).max() < 1e-6:
            break
    return weights


def crossed(log_p: Any) -> npt.NDArray[np.float64]:
    """Score a text with weights that are not fitted on what they score: each half has those of the other, (T,).

    Args:
        log_p: The log-probabilities that each member gives to the tokens of the text, (T,) each; one token is scored
            with the weights that all members share equally.
    """
    log_p = np.asarray(log_p, np.float64)
    half = log_p.shape[1] // 2
    halves = log_p[:, :half], log_p[:, half:]
    return np.concatenate([np.log(fitted(other) @ np.exp(own)) for own, other in (halves, halves[::-1]) if own.size])
