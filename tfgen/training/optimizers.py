"""The optimizer that the defaults were measured with, and how its rate goes."""

import keras

from tfgen.errors import real_number, whole_number
from tfgen.fitting.adamw import AdamW

_WARM_UP = 50


def optimizer(steps: int, learning_rate: float = 8e-3, weight_decay: float | None = None) -> keras.optimizers.Optimizer:
    """Give the optimizer that the defaults were measured with.

    Adam with beta_2 = 0.99, gradients clipped to a global norm of 1 (Pascanu et al. 2013, arXiv:1211.5063), a linear
    warm-up over 50 steps and a cosine down to 2 % of the peak (Loshchilov and Hutter 2017, arXiv:1608.03983).

    Args:
        steps: Of the whole run: epochs times batches.
        learning_rate: The peak.
        weight_decay: Of matrices, by AdamW, see `tfgen.fitting.adamw`; None: Adam, without any.

    Raises:
        InputError: One is no number, or out of its range.
    """
    steps = whole_number("steps", steps, 1)
    learning_rate = real_number("learning_rate", learning_rate, above=0)
    warm_up = min(_WARM_UP, steps // 2)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warm_up else learning_rate,
        decay_steps=max(steps - warm_up, 1),
        alpha=0.02,
        warmup_target=learning_rate if warm_up else None,
        warmup_steps=warm_up,
    )
    if weight_decay is None:
        return keras.optimizers.Adam(schedule, beta_2=0.99, global_clipnorm=1.0)
    weight_decay = real_number("weight_decay", weight_decay, at_least=0, below=1)
    return AdamW(schedule, weight_decay=weight_decay, beta_2=0.99, global_clipnorm=1.0)
