"""What logs say in the terms of the metrics that were compiled."""

import math
from collections.abc import Mapping
from typing import Any

import keras

from tfgen import metrics
from tfgen.terms.costs import cost


def compiled(model: Any) -> list[metrics.NatsPerCharacter]:
    """Give the metrics of a cost that a model was compiled with, nats first; none before its first batch."""
    every = keras.tree.flatten([getattr(each, "metrics", each) for each in model.metrics])
    ours = [each for each in every if isinstance(each, metrics.NatsPerCharacter)]
    return sorted(ours, key=lambda metric: type(metric) is not metrics.NatsPerCharacter)


def nats(metric: metrics.NatsPerCharacter, value: float) -> float:
    """Give the nats that a metric's value stands for, per whatever it counts."""
    if isinstance(metric, metrics.BitsPerCharacter):
        return value * math.log(2)
    return math.log(max(value, 1.0)) if isinstance(metric, metrics.Perplexity) else value


def said(model: Any, logs: Mapping[str, float], prefix: str = "") -> str:
    """Say what logs hold under names with a prefix: costs with their units, else all there is; nothing for nothing."""
    values = {name.removeprefix(prefix): float(value) for name, value in logs.items() if name.startswith(prefix)}
    if not prefix:
        values = {name: value for name, value in values.items() if not name.startswith("val_")}
    ours = {metric.name: metric for metric in compiled(model) if metric.name in values}
    split = getattr(getattr(model, "vocabulary", None), "split", "character")
    plain = next((each for each in ours.values() if type(each) is metrics.NatsPerCharacter), None)
    bits = next((each for each in ours.values() if isinstance(each, metrics.BitsPerCharacter)), None)
    parts = []
    if plain is not None:
        per_character = None if bits is None or bits.lengths is None else values[bits.name]
        parts = [cost(values.pop(plain.name), split, per_character)]
        if bits is not None and (split == "character" or per_character is not None):
            values.pop(bits.name)
    elif bits is not None:
        unit = f" per {split}" if split != "character" and bits.lengths is None else ""
        parts = [f"{values.pop(bits.name):.3f} bits{unit or ' per character'}"]
    if ours:
        values.pop("loss", None)
    return ", ".join([*parts, *(f"{name} {value:.4g}" for name, value in values.items())])
