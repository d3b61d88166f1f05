"""Keras callbacks to watch a text generator learn and to keep it from harm; all work with plain `fit`."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgen import metrics, sampling
from tfgen.errors import InputError, check_instance, whole_number
from tfgen.fitting import snapshot
from tfgen.fitting.resume import Resume
from tfgen.support import wording
from tfgen.vocabulary.vocabulary import PADDING

__all__ = ["LearningCurve", "Mistakes", "Resume", "SampleText", "StopOnNaN"]


class SampleText(keras.callbacks.Callback):
    """Shows what the network writes while it learns.

    Sampling changes nothing in the training: it reads the weights and carries a state of its own.
    """

    of_chief = True  # of several workers
    resumed = ("_done",)

    def __init__(
        self,
        prompts: Sequence[str] = ("",),
        *,
        temperatures: Sequence[float] = (0.8,),
        length: int = 200,
        every: int | None = None,
        seed: int = 0,
        sources: Any = None,
        texts: Sequence[str] | None = None,
        show: Callable[[str], Any] = print,
    ) -> None:
        """Say what to write, and when.

        Args:
            prompts: One text is written for each, at each temperature.
            temperatures: See `tfgen.sampling.Temperature`.
            length: New tokens of each text.
            every: After how many batches; None samples at the end of each epoch.
            seed: Of the draws, the same each time, so that the texts show the learning and not the luck.
            sources: For a generator with an encoder: what to write from, a list or a batch, one text for each. There is
                one prompt then, or one for each source.
            texts: The true text of each source, shown beside what was written.
            show: Takes a heading and the texts under it, as one string, for each temperature.

        Raises:
            InputError: `prompts` is a single string or no list, or a number is out of its range.
        """
        super().__init__()
        if isinstance(prompts, str):
            raise InputError(f"prompts must be a list of texts; received {prompts!r}: write [{prompts!r}].")
        check_instance("prompts", prompts, Iterable, "a list of texts")
        prompts = list(prompts)
        for prompt in prompts:
            check_instance("each prompt", prompt, str, "a str")
        if every is not None:
            whole_number("every", every, 1)
        whole_number("length", length, 1)
        if not isinstance(temperatures, Iterable):
            received = wording.shown(temperatures)
            raise InputError(f"temperatures must be a list; received {received}: write [{received}].")
        temperatures = tuple(temperatures)
        for temperature in temperatures:
            sampling.Temperature(temperature)  # refuses what is out of range
        sampling.row_seeds(seed, len(prompts))  # refuses what is none
        check_instance("show", show, Callable, "a function of one text")
        if texts is not None and (sources is None or isinstance(texts, str)):
            raise InputError(f"texts are a list of one for each of the sources; received {wording.shown(texts)}.")
        self._prompts: str | list[str] = prompts[0] if sources is not None and len(prompts) == 1 else prompts
        self._sources, self._texts = sources, texts
        self._temperatures = temperatures
        self._length = length
        self._every = every
        self._seed = seed
        self._show = show
        self._done = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Sample if it is time."""
        # With `steps_per_execution` Keras calls this for the last of several batches only.
        if self._every and (batch + 1) // self._every > self._done // self._every:
            self._sample(f"batch {batch + 1}")
        self._done = batch + 1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Count batches anew."""
        self._done = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Sample if it is time."""
        if self._every is None:
            self._sample(f"epoch {epoch + 1}")

    def _sample(self, when: str) -> None:
        if not snapshot.are_numbers(self.model):
            self._show(f"\n--- {when}: the weights are no longer finite ---")
            return
        for temperature in self._temperatures:
            written = self.model.generate(
                self._prompts,
                source=self._sources,
                length=self._length,
                temperature=temperature,
                seed=self._seed,
                unknown="skip",
            )
            shown = written if self._sources is None else _beside(self._sources, written, self._texts)
            # Keras' own progress bar may stand on this line.
            self._show("\n".join([f"\n--- {when}, temperature {temperature:g} ---", *shown]))


def _beside(sources: Any, written: Sequence[str], texts: Sequence[str] | None) -> list[str]:
    """Give lines: each source that is a text, what was written, and the true text where it is another."""
    named = sources if all(isinstance(source, str) for source in sources) else map(str, range(1, len(written) + 1))
    true = [None] * len(written) if texts is None else texts
    return [
        f"{source!s} -> {text}" + ("" if right is None else " (right)" if text == right else f" (true: {right})")
        for source, text, right in zip(named, written, true, strict=True)
    ]


class Mistakes(keras.callbacks.Callback):
    """Writes the likeliest text of held-out pairs after each epoch, and shows wrong ones beside right ones.

    The share of exact matches is logged as `exact_written`.

    Attributes:
        exact: That share after the last epoch; NaN before the first.
    """

    of_chief = True  # of several workers

    def __init__(
        self, pairs: tf.data.Dataset, *, rows: int = 200, most: int = 5, show: Callable[[str], Any] = print
    ) -> None:
        """Say what to write.

        Args:
            pairs: From `tfgen.datasets.pairs`, its validation for example.
            rows: How many pairs of it, at most.
            most: How many mistakes are shown, at most.
            show: Takes a heading and the mistakes under it, as one string.

        Raises:
            InputError: There is nothing to write from, or a number is out of its range.
        """
        super().__init__()
        if not isinstance(pairs, tf.data.Dataset) or not isinstance(pairs.element_spec[0], tuple):
            raise InputError("Mistakes takes batches ((source, ids), targets), such as datasets.pairs gives.")
        self._pairs = pairs
        self._rows = whole_number("rows", rows, 1)
        self._most = whole_number("most", most, 0)
        self._show = show
        self._held: tuple[Any, list[str]] | None = None
        self.exact = math.nan

    def on_train_begin(self, logs: Any = None) -> None:
        """Take the pairs, once."""
        if self._held is not None:
            return
        rows = list(self._pairs.unbatch().take(self._rows).as_numpy_iterator())
        sources = [source for (source, _), _ in rows]
        reader = getattr(self.model.network.encoder, "vocabulary", None)
        if reader is None:
            source = keras.tree.map_structure(lambda *leaves: np.stack(leaves), *sources)
        else:
            source = [_text(reader, ids) for ids in sources]
        self._held = source, [_text(self.model.vocabulary, targets) for _, targets in rows]

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write, compare and show."""
        if not snapshot.are_numbers(self.model) or self._held is None:
            return
        source, texts = self._held
        length = 2 * max(map(len, texts)) + 10  # room for what is wrong
        written = self.model.generate(source=source, length=length, temperature=0, unknown="unknown")
        wrong = [i for i, text in enumerate(texts) if written[i] != text]
        self.exact = 1 - len(wrong) / len(texts)
        if logs is not None:
            logs["exact_written"] = self.exact
        lines = _beside(source, written, texts)
        heading = (
            f"\n--- epoch {epoch + 1}: {len(texts) - len(wrong):,} of {len(texts):,} written without a mistake ---"
        )
        self._show("\n".join([heading, *(lines[i] for i in wrong[: self._most])]))


def _text(vocabulary: Any, ids: np.ndarray) -> str:
    """Give the text of padded ids that are closed by an end of text."""
    return vocabulary.decode(ids[ids != PADDING][:-1])


class StopOnNaN(keras.callbacks.Callback):
    """Stops when the loss is no longer finite, and gives the model back the last weights that were good.

    Attributes:
        message: None while all is well; then what happened and which setting to change.
    """

    resumed = ("_good", "_candidate", "_done")

    def __init__(self, every: int = 100, show: Callable[[str], Any] = print) -> None:
        """Say how often to keep a copy of the weights.

        Args:
            every: A copy is kept every so many batches, and at the end of each epoch.
            show: Takes the message.

        Raises:
            InputError: `every` is no whole number, or below 1; or `show` cannot be called.
        """
        super().__init__()
        self._every = whole_number("every", every, 1)
        check_instance("show", show, Callable, "a function of one text")
        self._show = show
        self._done = 0
        self._good: list[np.ndarray] | None = None
        self._candidate: list[np.ndarray] | None = None
        self.message: str | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Keep the first weights."""
        self.message = None
        self._good, self._candidate = self.model.get_weights(), None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Look at the loss; now and then keep the weights."""
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            self._stop(f"the loss became {loss} in batch {batch + 1}")
            return
        # A loss is of the weights before the step: the next one vouches for a copy.
        if self._candidate is not None:
            self._good, self._candidate = self._candidate, None
        before, self._done = self._done, batch + 1
        if self._done // self._every > before // self._every:
            self._keep()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Count batches anew."""
        self._done = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keep the weights, unless the last step has spoiled them: what follows may come before the next loss."""
        if snapshot.are_numbers(self.model):
            self._keep()
        else:
            self._stop(f"the weights are no longer finite after batch {self._done}")

    def _keep(self) -> None:
        if self.message is None:
            self._candidate = self.model.get_weights()

    def _stop(self, what: str) -> None:
        if self.message is not None:
            return
        optimizer = self.model.optimizer
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        clipped = any(getattr(optimizer, name, None) for name in ("clipnorm", "clipvalue", "global_clipnorm"))
        repair = "lower the learning rate" if clipped else "clip the gradients (global_clipnorm=1.0) or lower the rate"
        self.message = f"{what}, at a learning rate of {rate:g}: {repair}. The model has the last good weights."
        if self._good is not None:
            self.model.set_weights(self._good)
        self.model.stop_training = True
        self._show(self.message)


class LearningCurve(keras.callbacks.Callback):
    """Remembers losses against the number of characters read, to be drawn with `tfgen.plots.learning_curve`.

    Attributes:
        training: Pairs of characters read and nats per token, each the mean since the pair before.
        validation: The same on held-out text, at the end of each epoch.
    """

    resumed = ("training", "validation", "_seen", "_done")

    def __init__(self, characters: int, points: int = 50) -> None:
        """Say how much an epoch reads.

        Args:
            characters: How many characters an epoch trains on.
            points: How many pairs an epoch gives.

        Raises:
            InputError: One is no whole number, or below its least.
        """
        super().__init__()
        self._characters = whole_number("characters", characters, 0, most=2**63 - 1)
        self._points = whole_number("points", points, 1)
        self._seen = (0.0, 0.0)
        self._done = 0
        self.training: list[tuple[float, float]] = []
        self.validation: list[tuple[float, float]] = []
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begin new sums, as Keras does."""
        self._epoch = epoch
        self._seen = (0.0, 0.0)
        self._done = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Add a pair if it is time."""
        steps, batches = self.params["steps"], batch + 1
        if steps is None:  # not known in the first epoch of a dataset that does not say how long it is
            return
        every = max(steps // self._points, 1)
        due = batches // every > self._done // every or batches == steps
        self._done = batches
        if not due or (sums := self._sums()) is None:
            return
        # Both are sums over the epoch so far; their differences are of what lies between.
        nats, targets = (now - before for now, before in zip(sums, self._seen, strict=True))
        self._seen = sums
        if targets:
            self.training.append((self._characters * (self._epoch + batches / steps), nats / targets))

    def _sums(self) -> tuple[float, float] | None:
        """Give the sum of nats and the number of targets of the epoch so far."""
        for metric in keras.tree.flatten([getattr(each, "metrics", each) for each in self.model.metrics]):
            if isinstance(metric, metrics.NatsPerCharacter):
                total, count = (float(variable.numpy()) for variable in metric.variables)
                return total, count
        return None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add the validation."""
        if "val_nats" in (logs or {}):
            self.validation.append((self._characters * (epoch + 1), float(logs["val_nats"])))


def __dir__() -> list[str]:
    return __all__
