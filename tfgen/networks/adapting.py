"""Models that go on learning while they read: each part of a text is scored first, and then learned from.

A recurrent network learns with its head alone (Krause et al. 2018, arXiv:1709.07432). With g the gradient of the mean
loss of a segment of S tokens, theta0 the trained weights, r the root of the mean of g^2 and m the mean of r over all
weights of the head,

    theta -= rate * clip(g / (r + 0.2 m), -8, 8),    theta += min(1, decay * r / m) * (theta0 - theta).

There the mean of g^2 is taken over the training text, which a model file does not hold. Here it is the one that the
model expects, of what it has read so far: tokens drawn from p after features h give g^2 the mean h^2 p (1 - p) / S,
which is the diagonal of the Fisher information, and is smooth from the first segment on. Counts count on, see
`tfgen.ngrams.adaptive`, and a mixture does both.

Axis letters: T time, V vocabulary, U units.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.layers import graphs
from tfgen.networks import recurrent
from tfgen.networks.chain import layers_of, plain
from tfgen.networks.counts import Counts, of_tables
from tfgen.networks.mixture import Mixed, Mixture
from tfgen.networks.model import LanguageModel
from tfgen.networks.recurrent import Recurrent
from tfgen.ngrams.adaptive import AdaptiveCounts
from tfgen.ngrams.tables import Tables

SEGMENT = 20  # tokens that are learned from at once
RATE, DECAY = 5e-3, 1e-3
FLOOR, LARGEST = 0.2, 8.0
_PIECE = 50 * SEGMENT  # tokens whose distributions are held at once

Ids = npt.NDArray[np.integer[Any]]


class Reading(Protocol):
    """One text that a model reads and learns from; the model that it began with stays as it is."""

    def read(self, ids: Ids) -> npt.NDArray[np.float64]:
        """Read more of the text, learning from it.

        Args:
            ids: Its next tokens, at least two (1 + T,), of which the first is the last one that was read: it is not
                learned from again.

        Returns:
            The log-probabilities (T, V) of the others, each given before it was learned from.
        """

    def learned(self) -> Any:
        """Give all that was learned, a value, for `Learner.begin` and `Learner.model`."""


class Learner(Protocol):
    """A model that can learn while it reads, compiled once for all texts."""

    def begin(self, before: Ids, learned: Any = None) -> Reading:
        """Begin with the model as it is now, or with what a reading has learned.

        Args:
            before: What is read without learning from it, at least an end of text (N,); its last token is the first one
                of what `Reading.read` is given.
            learned: What `Reading.learned` has given; None for nothing.
        """

    def model(self, learned: Any) -> LanguageModel:
        """Give the model that has learned, a new one."""


def learner_of(model: LanguageModel, rate: float = RATE) -> Learner:
    """Give a model as one that learns.

    Args:
        model: A recurrent network, counts, or a mixture of them.
        rate: Of a head's learning; 0 learns nothing there.

    Raises:
        InputError: It is another one.
    """
    if isinstance(model, Mixed):
        return _MixtureLearner(model, rate)
    if isinstance(model, Counts):
        return _CountsLearner(model)
    if isinstance(model, Recurrent) and model.context == ():
        return _HeadLearner(model, rate)
    raise InputError(
        "networks without a source, counts and mixtures of them learn while they read, and this model is none of them",
        [("adapt", "omit --adapt (adapt=True)")],
    )


def pieces(ids: Ids) -> list[Ids]:
    """Cut what `Reading.read` takes, so that little is held at once and segments are what they are in the whole."""
    return [ids[begin : begin + _PIECE + 1] for begin in range(0, len(ids) - 1, _PIECE)]


class Head(NamedTuple):
    """What the head has learned, and from how much.

    Attributes:
        kernel: (U, V).
        bias: (V,).
        squares: The sums of what is expected of g^2 times S, for the kernel (U, V) and the bias (V,).
        tokens: How many were learned from.
    """

    kernel: tf.Tensor
    bias: tf.Tensor
    squares: tuple[tf.Tensor, tf.Tensor]
    tokens: tf.Tensor


def learned(head: Head, trained: tuple[tf.Tensor, tf.Tensor], features: tf.Tensor, ids: tf.Tensor, rate: Any) -> Head:
    """Learn from one segment.

    Args:
        head: As it has scored the segment.
        trained: The kernel and the bias that it drifts back to.
        features: What it read, (S, U).
        ids: The tokens that came, (S,).
        rate: Of the step.
    """
    p = tf.nn.softmax(features @ head.kernel + head.bias)
    number = tf.cast(tf.shape(ids)[0], p.dtype)
    off = (p - tf.one_hot(ids, tf.shape(p)[1], dtype=p.dtype)) / number
    gradients = tf.matmul(features, off, transpose_a=True), tf.reduce_sum(off, axis=0)
    spread = p * (1 - p)
    squares = (
        head.squares[0] + tf.matmul(features**2, spread, transpose_a=True),
        head.squares[1] + tf.reduce_sum(spread, axis=0),
    )
    tokens = head.tokens + number
    roots = [tf.sqrt(each / (tokens * SEGMENT)) for each in squares]
    weights = tf.cast(tf.size(roots[0]) + tf.size(roots[1]), p.dtype)
    mean = (tf.reduce_sum(roots[0]) + tf.reduce_sum(roots[1])) / weights
    moved = []
    for weight, start, gradient, root in zip((head.kernel, head.bias), trained, gradients, roots, strict=True):
        step = tf.clip_by_value(gradient / (root + FLOOR * mean), -LARGEST, LARGEST)
        weight = weight - rate * step
        moved.append(weight + tf.minimum(1.0, DECAY * root / mean) * (start - weight))
    return Head(moved[0], moved[1], squares, tokens)


class _HeadLearner:
    """A recurrent network whose head learns."""

    def __init__(self, model: Recurrent, rate: float) -> None:
        self.of = model
        self._rate = rate
        self.read = graphs.compiled(self._read, reduce_retracing=True)
        self.advanced = graphs.compiled(self._advanced, reduce_retracing=True)

    def begin(self, before: Ids, learned: Head | None = None) -> Reading:
        return _HeadReading(self, before, learned)

    def model(self, learned: Head) -> LanguageModel:
        twin = recurrent.with_batch_size(plain(self.of.network), None)
        twin.layers[-1].kernel.assign(learned.kernel)
        if twin.layers[-1].bias is not None:
            twin.layers[-1].bias.assign(learned.bias)
        return Recurrent(twin)

    def _advanced(self, ids: tf.Tensor, state: Any) -> Any:
        return self.of.read(ids[tf.newaxis], None, state)[1]

    def _read(
        self, ids: tf.Tensor, head: Head, trained: tuple[tf.Tensor, tf.Tensor], state: Any
    ) -> tuple[tf.Tensor, Head, Any]:
        features, after = self.of.read(ids[tf.newaxis, :-1], None, state)
        features, targets = tf.cast(features[0], self.of.dtype), ids[1:]
        number = -(-tf.shape(targets)[0] // SEGMENT)
        has_bias = layers_of(self.of.network)[-1].bias is not None
        scored = tf.TensorArray(tf.float64, number, element_shape=[None, self.of.size], infer_shape=False)

        def one(i: tf.Tensor, head: Head, scored: tf.TensorArray) -> tuple[tf.Tensor, Head, tf.TensorArray]:
            of_segment = slice(i * SEGMENT, (i + 1) * SEGMENT)
            logits = features[of_segment] @ head.kernel + head.bias
            scored = scored.write(i, tf.nn.log_softmax(tf.cast(logits, tf.float64)))
            new = learned(head, trained, features[of_segment], targets[of_segment], self._rate)
            return i + 1, new if has_bias else new._replace(bias=head.bias), scored

        _, head, scored = tf.while_loop(
            lambda i, *_: i < number, one, (tf.constant(0), head, scored), parallel_iterations=1
        )
        return scored.concat(), head, after


class _HeadReading:
    """A text that such a network reads."""

    def __init__(self, learner: _HeadLearner, before: Ids, learned: Head | None) -> None:
        self._learner = learner
        layer, kind = layers_of(learner.of.network)[-1], learner.of.dtype
        kernel = tf.cast(tf.convert_to_tensor(layer.kernel), kind)
        bias = tf.zeros_like(kernel[0]) if layer.bias is None else tf.cast(tf.convert_to_tensor(layer.bias), kind)
        self._trained = kernel, bias
        nothing = tf.zeros_like(kernel), tf.zeros_like(bias)
        self._head = learned or Head(kernel, bias, nothing, tf.zeros([], kind))
        self._state = learner.of.start((), 1)
        for piece in pieces(before):
            self._state = learner.advanced(tf.constant(piece[:-1], tf.int32), self._state)

    def read(self, ids: Ids) -> npt.NDArray[np.float64]:
        given = tf.constant(ids, tf.int32), self._head, self._trained, self._state
        log_p, self._head, self._state = self._learner.read(*given)
        return log_p.numpy()

    def learned(self) -> Head:
        return self._head


class _CountsLearner:
    """Counts that count on."""

    def __init__(self, model: Counts) -> None:
        self._model = model

    def begin(self, before: Ids, learned: Tables | None = None) -> Reading:
        network = self._model.network
        return _CountsReading(learned or Tables(network.layers[-1].order, *network.get_weights()), before)

    def model(self, learned: Tables) -> LanguageModel:
        return Counts(of_tables(learned))


class _CountsReading:
    """A text that counts read."""

    def __init__(self, tables: Tables, before: Ids) -> None:
        self._counts = AdaptiveCounts(tables)
        self._kept = -tables.order
        self._before = np.asarray(before)[self._kept :]

    def read(self, ids: Ids) -> npt.NDArray[np.float64]:
        new = np.asarray(ids)[1:]
        p = self._counts.read(self._before, new)
        self._before = np.concatenate([self._before, new])[self._kept :]
        return _logarithms(p)

    def learned(self) -> Tables:
        return self._counts.tables()


class _MixtureLearner:
    """Members that learn, each by itself, weighted as in the mixture."""

    def __init__(self, model: Mixed, rate: float) -> None:
        self._mixture = model.network
        self._members = [learner_of(member, rate) for member in model.members]

    def begin(self, before: Ids, learned: list[Any] | None = None) -> Reading:
        shares = np.asarray(keras.ops.convert_to_numpy(self._mixture.shares), np.float64)
        of_members = learned or [None] * len(self._members)
        begun = [member.begin(before, each) for member, each in zip(self._members, of_members, strict=True)]
        return _MixtureReading(shares, begun)

    def model(self, learned: list[Any]) -> LanguageModel:
        models: list[Any] = [member.model(each) for member, each in zip(self._members, learned, strict=True)]
        mixture = Mixture([model.network for model in models])
        mixture.shares.assign(self._mixture.shares)
        return Mixed(mixture, models)


class _MixtureReading:
    """A text that they read."""

    def __init__(self, shares: npt.NDArray[np.float64], members: list[Reading]) -> None:
        self._shares = shares
        self._members = members

    def read(self, ids: Ids) -> npt.NDArray[np.float64]:
        of_members = zip(self._shares, self._members, strict=True)
        return _logarithms(sum(share * np.exp(member.read(ids)) for share, member in of_members))

    def learned(self) -> list[Any]:
        return [member.learned() for member in self._members]


def _logarithms(p: Any) -> npt.NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.log(p)
