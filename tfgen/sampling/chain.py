"""Transforms in a row: the sampler, its default order, and its memory."""

import inspect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.sampling.bias import LogitBias, Mask
from tfgen.sampling.constraints import AutomatonMask, intersected
from tfgen.sampling.penalties import RepetitionPenalty
from tfgen.sampling.temperature import Temperature
from tfgen.sampling.transform import NEVER, Transform, mask
from tfgen.sampling.truncation import MinP, TopK, TopP, Typical
from tfgen.support import keywords, wording
from tfgen.terms.faults import CONTRADICTION
from tfgen.vocabulary.vocabulary import RESERVED, Vocabulary

Chain = tuple[Transform, ...]


def default_chain(
    temperature: float | Sequence[float] = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    typical_p: float | None = None,
    repetition_penalty: float | None = None,
) -> Chain:
    """Give the transforms of the plain settings: penalty, temperature, top-k, typical, top-p, min-p, in this order.

    Args:
        temperature: See `Temperature`, of all rows or of each; after 0 nothing is left to be cut off.
        top_k: See `TopK`; None or 0 leaves it out.
        top_p: See `TopP`; None leaves it out.
        min_p: See `MinP`; None leaves it out.
        typical_p: See `Typical`; None leaves it out.
        repetition_penalty: See `RepetitionPenalty`; None leaves it out.

    Raises:
        InputError: A setting is outside its range.
    """
    no_k = isinstance(top_k, (int, np.integer)) and not isinstance(top_k, bool) and top_k == 0
    settings: list[tuple[type[Transform], Any]] = [
        (RepetitionPenalty, repetition_penalty),
        (Temperature, temperature),
        (TopK, None if no_k else top_k),
        (Typical, typical_p),
        (TopP, top_p),
        (MinP, min_p),
    ]
    return tuple(transform(value) for transform, value in settings if value is not None or transform is Temperature)


def chain_of(
    sampler: Sequence[Transform] | None,
    settings: Mapping[str, Any],
    vocabulary: Vocabulary,
    others: Iterable[str] = (),
) -> Chain:
    """Give the chain that was asked for, with everything that was said as text said in ids.

    What is hard comes first: it holds whatever the order, and what is left is shaped in the order given.

    Args:
        sampler: Transforms in the order they are applied; None for those of the settings.
        settings: Of `default_chain`, by name.
        vocabulary: Of the tokens.
        others: Names of arguments beside the settings, one of which may have been meant.

    Raises:
        InputError: Both are given, something in the sampler is no transform, does not fit the vocabulary, contradicts
            another one, or stands where it can do nothing.
        TypeError: There is no such setting.
    """
    known = inspect.signature(default_chain).parameters.keys()
    if message := keywords.unexpected(settings, known, others):
        raise TypeError(message)
    if sampler is None:
        return default_chain(**settings)
    if settings:
        raise InputError(f"give a sampler or plain settings, not both; received {', '.join(settings)}.")
    transforms = tuple(sampler) if isinstance(sampler, Iterable) else (sampler,)
    for transform in transforms:
        if transform is sampler or not isinstance(transform, Transform):
            received = wording.shown(transform)
            raise InputError(f"a sampler is a sequence of transforms of tfgen.sampling; received {received} in it.")
    bound = tuple(transform.bind(vocabulary) for transform in transforms)
    soft = [(given, each) for given, each in zip(transforms, bound, strict=True) if not each.hard]
    _check_that_all_matter([given for given, _ in soft])
    return (*_constraints(bound, vocabulary), *(each for _, each in soft))


def _check_that_all_matter(transforms: Sequence[Transform]) -> None:
    """Refuse what stands behind a transform that leaves one token."""
    for before, after in itertools.pairwise(transforms):
        if before.leaves_one:
            raise InputError(
                f"{type(after).__name__} can do nothing after {type(before).__name__}(0), which leaves one token: put "
                "it before, or remove it."
            )


def _constraints(bound: Sequence[Transform], vocabulary: Vocabulary) -> Chain:
    """Give what is hard, of which masks and automata are made one."""
    kept, masks = np.ones(len(vocabulary), bool), 0
    for each in bound:
        masks += isinstance(each, Mask | LogitBias)
        if isinstance(each, Mask):
            kept &= each.kept.numpy()
        elif isinstance(each, LogitBias):
            kept &= each.biases.numpy() > NEVER
    automata = [each for each in bound if isinstance(each, AutomatonMask)]
    others = [each for each in bound if each.hard and not isinstance(each, Mask | AutomatonMask)]
    if masks > 1 and not kept[len(RESERVED) :].any():
        raise InputError(CONTRADICTION)
    if len(automata) > 1 or (automata and not kept.all()):
        return (*intersected(automata, kept, vocabulary.ends), *others)
    return (*automata, *([] if kept.all() else [Mask(kept)]), *others)


def start(chain: Chain, history: tf.Tensor, size: int) -> tuple[Any, ...]:
    """Give the state of each transform after a text has been read, see `Transform.start`."""
    return tuple(transform.start(history, size) for transform in chain)


def apply(chain: Chain, logits: tf.Tensor, states: tuple[Any, ...]) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
    """Apply transforms in the order given.

    Args:
        chain: The transforms.
        logits: (B, V).
        states: One for each transform.

    Returns:
        Logits (B, V), and what each transform was given, for `update`.
    """
    given = []
    permitted = tf.constant(True)
    for transform, state in zip(chain, states, strict=True):
        given.append(logits)
        logits = transform.apply(logits, state)
        if transform.hard:
            permitted = logits > NEVER
        elif not _is_ours(transform):  # it might bring back what was ruled out
            logits = mask(logits, permitted)
    return logits, tuple(given)


def _is_ours(transform: Transform) -> bool:
    """Whether it leaves minus infinity as it is, as all of this package do."""
    return type(transform).__module__.partition(".")[0] == __name__.partition(".")[0]


def update(chain: Chain, states: tuple[Any, ...], ids: tf.Tensor, given: tuple[tf.Tensor, ...]) -> tuple[Any, ...]:
    """Give the states after one more token a row, see `Transform.update`."""
    return tuple(
        transform.update(state, ids, logits) for transform, state, logits in zip(chain, states, given, strict=True)
    )
