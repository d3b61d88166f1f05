"""Which tokens may come at all, and which are helped: biases and masks, said as text."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.sampling.automaton import DEAD, START
from tfgen.sampling.constraints import AutomatonMask, Reading, over_tokens, reserved_columns, trimmed
from tfgen.sampling.strings import watching
from tfgen.sampling.transform import NEVER, Transform, mask, narrow, wide
from tfgen.support import wording
from tfgen.terms.settings import array
from tfgen.vocabulary.vocabulary import END, RESERVED, Vocabulary

_LARGEST = 1_000_000


class LogitBias(Transform):
    """Adds a number to the logits of some tokens (OpenAI's `logit_bias`): positive helps, minus infinity forbids.

    Args:
        biases: By token, such as `{"e": -2.0}`, each brought into the form of the vocabulary; or float (V,), by id.

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
            _fitting("biases", self, self.biases, vocabulary)
            return self._or_mask()
        ids = {token: i for i, token in enumerate(vocabulary.tokens) if i >= END}
        biases = np.zeros(len(vocabulary))
        for given, bias in zip(self.tokens, self.biases.numpy(), strict=True):
            token = vocabulary.normalized(given)
            if token not in ids:
                spelled = "" if token == given else f" (to it {wording.shown(given)} is {wording.listing([*token])})"
                raise InputError(f"the vocabulary has no token {wording.shown(given)} to bias{spelled}.")
            biases[ids[token]] = bias
        return LogitBias(biases)._or_mask()

    def _or_mask(self) -> Transform:
        """Give the mask that it is, if all it does is to forbid."""
        biases = self.biases.numpy()
        forbidden = biases == NEVER
        return Mask(~forbidden) if forbidden.any() and not biases[~forbidden].any() else self

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        return narrow(wide(logits) + self.biases, logits.dtype)


class Allow(Transform):
    """Keeps some tokens only, and the end of a text.

    Args:
        characters: Tokens made of these characters alone, in the form of the vocabulary.
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
        self.spec = _spec(characters=characters, category=category, pattern=pattern)

    def bind(self, vocabulary: Vocabulary) -> Transform:
        """Give the mask over ids."""
        kept = _matching(vocabulary, self.spec)
        if not kept.any():
            raise InputError(f"no token of the vocabulary has the {self.spec[0]} {self.spec[1]!r}: nothing is allowed.")
        kept[END] = True
        return Mask(kept)


class Forbid(Transform):
    """Keeps all tokens but some. Of a word, any forbidden character forbids it.

    Strings are forbidden wherever they would occur in the text, however tokens cut them, within a longer word too, and
    also where they would begin in the prompt.

    Args:
        characters: Tokens with any of these characters, in the form of the vocabulary.
        category: Tokens with a character of any of these Unicode categories, see `Allow`.
        pattern: Tokens that this regular expression of Python's matches as a whole.
        strings: A string, or several, that must not be written: `["the", "THE"]`, as they are
            but for the normalisation form, which is that of the vocabulary.

    Raises:
        InputError: Not exactly one of these is given, a string is empty, or (when it meets a vocabulary) nothing would
            be left.
    """

    spec: tuple[str, str]
    strings: tuple[str, ...]

    def __init__(
        self,
        characters: str | None = None,
        *,
        category: str | None = None,
        pattern: str | None = None,
        strings: str | Sequence[str] | None = None,
    ) -> None:
        banned = None if strings is None else _strings(strings)
        kind, value = _spec(characters=characters, category=category, pattern=pattern, strings=banned)
        self.strings = value if kind == "strings" else ()
        self.spec = (kind, "" if kind == "strings" else value)

    def bind(self, vocabulary: Vocabulary) -> Transform:
        """Give the mask over ids, or the automaton over them."""
        if self.strings:
            return _without(self.strings, vocabulary)
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

    @property
    def hard(self) -> bool:
        """Whether it rules tokens out for good: it does."""
        return True

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


def _strings(given: Any) -> tuple[str, ...]:
    several = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Sequence) else ()
    if not several or not all(isinstance(each, str) and each for each in several):
        raise InputError(
            f"strings must be a text that is not empty, or a list of them; received {wording.shown(given)}."
        )
    return tuple(dict.fromkeys(several))


def _without(strings: tuple[str, ...], vocabulary: Vocabulary) -> AutomatonMask:
    """Give the automaton of the texts in which none of the strings occurs."""
    strings = tuple(dict.fromkeys(map(vocabulary.normalized, strings)))
    tokens = vocabulary.tokens[len(RESERVED) :]
    alphabet = "".join(sorted(set("".join(tokens))))
    moves, read = watching(strings, alphabet)
    what = f"a list of strings such as {wording.listing(strings, 1)}"
    classes = {character: i for i, character in enumerate(alphabet)}
    after, permitted, columns = over_tokens(moves, classes, tokens, what, read)
    never, end, first = range(3)
    past = np.full([len(moves), first + after.shape[1]], START, np.int32)  # no string lies across what is no text
    past[:, first:] = after
    full = np.full_like(past, -1)
    full[:, first:] = permitted
    full[:, end] = np.arange(len(moves))
    table, numbers = trimmed(full, end, np.arange(START, len(moves)), matches=False, ends=vocabulary.ends)
    if numbers[START] == DEAD or not (permitted[START] >= 0).any():
        raise InputError(f"every text over this vocabulary has one of the strings {wording.listing(strings)}.")
    of_tokens = np.concatenate([reserved_columns(never, end), first + columns]).astype(np.int32)
    reading = Reading(past, of_tokens, max(map(len, strings)) - 1, numbers)
    return AutomatonMask(table, of_tokens, matches=False, reading=reading)


def _spec(**given: Any) -> tuple[str, Any]:
    """Give the one way of saying which, by name, and what it says."""
    chosen = [(name, value) for name, value in given.items() if value is not None]
    kind, value = chosen[0] if len(chosen) == 1 else ("", None)
    text = value if isinstance(value, str) else ""
    if kind != "strings" and (not text or (kind == "category" and text.isspace())):
        received = ", ".join(f"{name}={wording.shown(each)}" for name, each in chosen) or "none"
        *names, last = given
        raise InputError(f"give one of {', '.join(names)} and {last}, a text that is not empty; received {received}.")
    if kind == "pattern":
        try:
            re.compile(text)
        except (re.error, RecursionError, OverflowError) as error:
            raise InputError(f"the pattern {wording.shown(text)} is no regular expression: {error}.") from None
    return kind, value


def _matching(vocabulary: Vocabulary, spec: tuple[str, str], together: Callable[[Any], bool] = all) -> np.ndarray:
    """Say which tokens fit: `together` joins what holds of each character of a token."""
    kind, value = spec
    value = vocabulary.normalized(value) if kind == "characters" else value
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
