"""What a model knows of its past: the corpus, the settings, the versions, and how the run has gone so far."""

import dataclasses
import datetime
import math
import platform
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import tfgen
from tfgen.corpora.pairs import Pairs
from tfgen.prepared.pairs import PreparedPairs
from tfgen.text_generator import TextGenerator
from tfgen.training.settings import Settings, Text


def origin(corpus: Text, settings: Settings, generator: TextGenerator) -> dict[str, Any]:
    """Say what a model is made from, before it is trained."""
    return {
        "corpus": summary(corpus),
        "settings": dataclasses.asdict(settings),
        "parameters": generator.count_params(),
        "versions": {
            "tfgen": tfgen.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
        },
    }


def summary(corpus: Text) -> dict[str, Any]:
    """Describe a corpus, and the sources of its texts where it has them."""
    if isinstance(corpus, Pairs | PreparedPairs):
        return {**corpus.texts.summary(), "sources": corpus.sources.summary()}
    return corpus.summary()


class Result(keras.callbacks.Callback):
    """Writes into the model's provenance how the run has gone so far, so that every saved epoch knows it."""

    resumed = ("seconds", "_history", "provenance")

    def __init__(self, split: str, early: keras.callbacks.EarlyStopping | None) -> None:
        """Take what a token is, and what may stop the run early."""
        super().__init__()
        self._split = split
        self._early = early

    def on_train_begin(self, logs: Any = None) -> None:
        """Start the clock."""
        self.seconds = 0.0
        self._history: dict[str, list[float]] = {}

    @property
    def seconds(self) -> float:
        """How long the run has taken, in all the processes that it went on in."""
        return time.monotonic() - self._begun

    @seconds.setter
    def seconds(self, taken: float) -> None:
        self._begun = time.monotonic() - taken

    @property
    def provenance(self) -> dict[str, Any]:
        """What the model knows of its past and of this run."""
        return {name: self.model.provenance[name] for name in ("before", "result") if name in self.model.provenance}

    @provenance.setter
    def provenance(self, known: dict[str, Any]) -> None:
        self.model.provenance = {**self.model.provenance, **known}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write."""
        for name, value in (logs or {}).items():
            self._history.setdefault(name, []).append(float(value))
        result = {
            "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
            "epochs": epoch + 1,
            **_best_epoch(self._history),
            "unit": f"nats per {self._split}",
        }
        self.model.provenance = {**self.model.provenance, "result": result}

    def on_train_end(self, logs: Any = None) -> None:
        """Write why the run has ended; a run that was interrupted does not come here."""
        result = self.model.provenance.get("result", {})
        early = self._early
        if early is not None and early.stopped_epoch:
            ended = f"no better for {early.patience} epoch{'s' * (early.patience > 1)}"
        else:
            ended = "all epochs done" if result.get("epochs") == self.params["epochs"] else "stopped"
        self.model.provenance = {**self.model.provenance, "result": {**result, "ended": ended}}


def _best_epoch(history: dict[str, list[float]]) -> dict[str, Any]:
    """Give the number and the losses of the epoch whose weights were kept."""
    if not history.get("nats"):
        return {}
    judged = history.get("val_nats")
    best = int(np.argmin(np.nan_to_num(judged, nan=np.inf))) if judged else -1
    names = ("nats", "val_nats", "bits", "val_bits")
    losses = {name: float(history[name][best]) for name in names if name in history}
    finite = {name: round(loss, 4) for name, loss in losses.items() if math.isfinite(loss)}  # JSON has no NaN
    return {"kept_epoch": range(len(history["nats"]))[best] + 1, **finite} if finite else {}
