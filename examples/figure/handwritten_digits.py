"""Handwritten digits, 8 x 8, beside the digit, which come with scikit-learn (BSD; UCI's optical recognition of digits).

They lie in the order in which people wrote them, some dozens of each person. So the last fifth is by other writers than
what comes before it: that part is held out. A random fifth would have the same hands in both parts, and flatter.
"""

from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression


class Digits(NamedTuple):
    """Pictures (N, 8, 8, 1) in [0, 1], ink is 1, and the digits as texts, row by row."""

    pictures: np.ndarray
    digits: list[str]


def split() -> tuple[Digits, Digits]:
    """Give the digits to train on, and those of the last fifth."""
    found = load_digits()
    pictures = (found.images / 16).astype(np.float32)[..., np.newaxis]
    digits = [str(digit) for digit in found.target]
    start = len(digits) * 4 // 5
    return Digits(pictures[:start], digits[:start]), Digits(pictures[start:], digits[start:])


def logistic_regression(train: Digits, test: Digits) -> list[str]:
    """Tell the digits by a weighted sum of their pixels: the baseline."""
    model = LogisticRegression(max_iter=1000).fit(train.pictures.reshape(-1, 64), train.digits)
    return [*model.predict(test.pictures.reshape(-1, 64))]
