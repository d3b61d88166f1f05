"""Which tokens may come at all, and which are helped: biases and masks, said as text."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.sampling.transform import Transform, mask, narrow, wide
from tfgen.support import wording
from tfgen.terms.settings import array
from tfgen.vocabulary.vocabulary import END, RESERVED, Vocabulary

_LARGEST = 1_000_000


class LogitBias(Transform):
    """Adds a number to the logits of some tokens (OpenAI's `logit_bias`): positive helps, minus infinity forbids.

    Args:
        biases: By token, such as `{"e": -2.0}`; or float (V,), by id.

    Raises:
        InputError: A bias is not a number or above a million, or (when it meets a vocabulary) a token is not in it, or
            there is not one bias for each of its ids.

    >>> LogitBias([0.0, -5.0])([[1.0, 1.0]]).numpy()
    array([[ 0., -5.]], dtype=float32)
    """

    biases: tf.Tensor
    tokens: tuple[str, ...]

    def __init__(self, biases: Any) -> None:
        self.tokens = tuple(biases) if isinstance(biases, Mapping) else ()
        numbers = array(list(biases.values()) if isinstance(biases, Mapping) else biases)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iuf" or not (numbers <= _LARGEST).all():
            raise InputError(f"biases must be numbers of at most {_LARGEST:,}; received {wording.shown(biases)}.")
        if not all(isinstance(token, str) for token in self.tokens):
            raise InputError(f"biases by token must be by texts; received {wording.shown(biases)}.")
        self.biases = tf.constant(numbers, tf.float64)

    def bind(self, vocabulary: Vocabulary) -> Transform:
        """Give the bias of each id."""
        if not self.tokens and len(self.biases):
            return _fitting("biases", self, self.biases, vocabulary)
        ids = {token: i for i, token in enumerate(vocabulary.tokens) if i >= END}
        biases = np.zeros(len(vocabulary))
        for token, bias in zip(self.tokens, self.biases.numpy(), strict=True):
            if token not in ids:
                raise InputError(f"the vocabulary has no token {token!r} to bias.")
            biases[ids[token]] = bias
        return LogitBias(biases)

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        return narrow(wide(logits) + self.biases, logits.dtype)


class Allow(Transform):
    """Keeps some tokens only, and the end of a text.

    Args:
        characters: Tokens made of these characters alone.
        category: Tokens made of characters of these Unicode categories alone: "Lu", or "L" for all letters; several are
            separated by white space.
        pattern: Tokens that this regular expression of Python's matches as a whole.

    Raises:
        InputError: Not exactly one of these is given, or (when it meets a vocabulary) nothing would be left.
    """

    spec: tuple[str, str]

    def __init__(
        self, characters: str | None = None, *, category: str | None = None, pattern: str | None = None
    ) -> None:
        self.spec = _spec(characters, category, pattern)

    def bind(self, vocabulary: Vocabulary) -> Transform:
        """Give the mask over ids."""
        kept = _matching(vocabulary, self.spec)
        if not kept.any():
            raise InputError(f"no token of the vocabulary has the {self.spec[0]} {self.spec[1]!r}: nothing is allowed.")
        kept[END] = True
        return Mask(kept)


class Forbid(Transform):
    """Keeps all tokens but some. Of a word, any forbidden character forbids it.

    Args:
        characters: Tokens with any of these characters.
        category: Tokens with a character of any of these Unicode categories, see `Allow`.
        pattern: Tokens that this regular expression of Python's matches as a whole.

    Raises:
        InputError: Not exactly one of these is given, or (when it meets a vocabulary) nothing would be left.
    """

    spec: tuple[str, str]

    def __init__(
        self, characters: str | None = None, *, category: str | None = None, pattern: str | None = None
    ) -> None:
        self.spec = _spec(characters, category, pattern)

    def bind(self, vocabulary: Vocabulary) -> Transform:
        """Give the mask over ids."""
        forbidden = _matching(vocabulary, self.spec, any)
        if forbidden[len(RESERVED) :].all():
            raise InputError(f"every token of the vocabulary has the {self.spec[0]} {self.spec[1]!r}: nothing is left.")
        return Mask(~forbidden)


class Mask(Transform):
    """Keeps the tokens whose entry is true; what `Allow` and `Forbid` become for a vocabulary.

    Args:
        kept: bool (V,).

    Raises:
        InputError: It is something else, or (when it meets a vocabulary) not of its size.

    >>> Mask([True, False])([[1.0, 2.0]]).numpy()
    array([[  1., -inf]], dtype=float32)
    """

    kept: tf.Tensor

    def __init__(self, kept: Any) -> None:
        entries = array(kept)
        if entries.ndim != 1 or entries.dtype.kind != "b":
            raise InputError(f"a mask must be true or false for each id; received {wording.shown(kept)}.")
        self.kept = tf.constant(entries)

    def bind(self, vocabulary: Vocabulary) -> Transform:
        """Check its size."""
        return _fitting("entries of a mask", self, self.kept, vocabulary)

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        return mask(tf.convert_to_tensor(logits), self.kept)


def _fitting(name: str, transform: Transform, values: tf.Tensor, vocabulary: Vocabulary) -> Transform:
    if len(values) != len(vocabulary):
        raise InputError(f"there are {len(values)} {name}, but the vocabulary has {len(vocabulary)} tokens.")
    return transform


def _spec(characters: str | None, category: str | None, pattern: str | None) -> tuple[str, str]:
    given = {"characters": characters, "category": category, "pattern": pattern}
    chosen = [(name, value) for name, value in given.items() if value is not None]
    if len(chosen) != 1 or not isinstance(chosen[0][1], str) or not chosen[0][1] or (category and category.isspace()):
        received = ", ".join(f"{name}={wording.shown(value)}" for name, value in chosen) or "none"
        raise InputError(
            f"give one of characters, category and pattern, a text that is not empty; received {received}."
        )
    if pattern is not None:
        try:
            re.compile(pattern)
        except re.error as error:
            raise InputError(f"the pattern {pattern!r} is no regular expression: {error}.") from None
    return chosen[0]


def _matching(vocabulary: Vocabulary, spec: tuple[str, str], together: Callable[[Any], bool] = all) -> np.ndarray:
    """Say which tokens fit: `together` joins what holds of each character of a token."""
    kind, value = spec
    if kind == "pattern":
        fits = [re.fullmatch(value, token) is not None for token in vocabulary.tokens[len(RESERVED) :]]
    else:
        categories = tuple(value.split())
        tests = {
            "characters": lambda character: character in value,
            "category": lambda character: unicodedata.category(character).startswith(categories),
        }
        fits = [together(map(tests[kind], token)) for token in vocabulary.tokens[len(RESERVED) :]]
    return np.array([False] * len(RESERVED) + fits)
