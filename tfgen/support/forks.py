"""A process that was forked after TensorFlow has computed: its threads are not there, and it would wait for them."""

from __future__ import annotations

import os

from tfgen.errors import InputError

_computed = False
_forked = False


def check() -> None:
    """Refuse to compute in a process that was forked from one that has; from now on this one has.

    Raises:
        InputError: It was.
    """
    global _computed
    if _forked:
        raise InputError(
            "this process was forked after TensorFlow had computed, and would wait for ever; start processes with "
            "'spawn' (multiprocessing.get_context('spawn')), or load the model in each of them alone."
        )
    _computed = True


def _after_fork() -> None:
    global _forked
    _forked = _forked or _computed


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
