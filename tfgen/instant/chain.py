"""The plain transforms of `tfgen.sampling` and its draw in NumPy, on float64 logits (B, V); see there what each is."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tfgen.support import keywords
from tfgen.terms.settings import PLAIN, number

Logits = npt.NDArray[np.float64]
Chain = dict[str, Any]


def default_chain(**settings: Any) -> Chain:
    """Give the plain settings in their order, without those that are None; each that is out of its range is refused."""
    if message := keywords.unexpected(settings, PLAIN):
        raise TypeError(message)
    given = {"temperature": 1.0, **settings}
    return {name: number(name, given[name], PLAIN[name]) for name in PLAIN if given.get(name) is not None}


def apply(chain: Chain, logits: Logits, counts: npt.NDArray[np.integer[Any]]) -> Logits:
    """Apply the transforms; `counts`, (B, V), is how often each token has occurred."""
    with np.errstate(all="ignore"):  # minus infinity is a logit like any other
        for name, value in chain.items():
            logits = _penalised(logits, counts, value) if name == "repetition_penalty" else _SHAPED[name](logits, value)
    return logits


def select(logits: Logits, uniform: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """Draw one token a row of logits (B, V) by inverting the cumulative distribution."""
    with np.errstate(invalid="ignore"):  # where there is no token: whoever asks finds that padding was drawn
        cumulative = np.cumsum(softmax(logits), axis=-1)
    return (cumulative <= uniform[:, np.newaxis] * cumulative[:, -1:]).sum(axis=-1)


def softmax(logits: Logits) -> Logits:
    """Give probabilities."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return raised * (1 / raised.sum(axis=-1, keepdims=True))


def log_softmax(logits: Logits) -> Logits:
    """Give their logarithms."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _penalised(logits: Logits, counts: npt.NDArray[np.integer[Any]], penalty: Any) -> Logits:
    log_p = log_softmax(logits)
    return np.where(counts > 0, log_p * penalty, log_p)


def _temperature(logits: Logits, t: Any) -> Logits:
    first = np.arange(logits.shape[-1]) == logits.argmax(axis=-1, keepdims=True)
    moved = logits - logits.max(axis=-1, keepdims=True)
    return np.where((logits > -np.inf) & ((t > 0) | first), moved / t if t else 0.0, -np.inf)


def _leading(logits: Logits, keys: Logits, weights: npt.NDArray[Any], limit: Any) -> Logits:
    """Keep the tokens whose strictly larger keys weigh less than the limit together."""
    order = np.argsort(-keys, axis=-1, kind="stable")
    up_to = np.cumsum(np.take_along_axis(weights, order, axis=-1), axis=-1)
    leads = np.pad(up_to[:, :-1], ((0, 0), (1, 0))) < limit
    least = np.where(leads, np.take_along_axis(keys, order, axis=-1), np.inf).min(axis=-1, keepdims=True)
    return np.where(keys >= least, logits, -np.inf)


def _typical(logits: Logits, p: Any) -> Logits:
    log_p, probability = log_softmax(logits), np.exp(log_softmax(logits))
    entropy = -np.where(probability == 0, 0, log_p * probability).sum(axis=-1, keepdims=True)
    return logits if p >= 1 else _leading(logits, -np.abs(log_p + entropy), probability, p)


_SHAPED = {
    "temperature": _temperature,
    "top_k": lambda logits, k: _leading(logits, logits, np.ones(logits.shape, np.int64), k),
    "typical_p": _typical,
    "top_p": lambda logits, p: logits if p >= 1 else _leading(logits, logits, softmax(logits), p),
    "min_p": lambda logits, p: np.where(logits >= logits.max(axis=-1, keepdims=True) + np.log(p), logits, -np.inf),
}
