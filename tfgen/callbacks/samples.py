"""What a network writes while it learns: samples from prompts, and held-out texts beside what was written."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgen import sampling
from tfgen.errors import InputError, check_instance, whole_number
from tfgen.fitting import snapshot
from tfgen.support import wording
from tfgen.terms.sources import plain
from tfgen.vocabulary import separators
from tfgen.vocabulary.vocabulary import PADDING


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
        sources = plain(sources)
        self._prompts: str | list[str] = prompts[0] if sources is not None and len(prompts) == 1 else prompts
        self._sources, self._texts = sources, texts
        self._temperatures = temperatures
        self._length = length
        self._every = every
        self._seed = seed
        self._show = show
        self._done = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Refuse now, and not after an epoch, what the model cannot write from.

        Raises:
            InputError: There are sources and the model takes none, or the other way round, or they do not fit; or there
                is another number of texts.
        """
        rows = self.model.writer.rows(
            self._prompts, length=self._length, seed=self._seed, unknown="skip", source=self._sources
        )
        if self._texts is not None and len(self._texts) != len(rows):
            raise InputError(
                "texts are a list of one for each of the sources; received "
                f"{wording.number(len(self._texts), 'text')} for {wording.number(len(rows), 'source')}."
            )

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
            if self._sources is None:
                shown = separators.between(self.model.vocabulary, self._prompts).join(written)
            else:
                shown = "\n".join(_beside(self._sources, written, self._texts))
            # Keras' own progress bar may stand on this line.
            self._show(f"\n--- {when}, temperature {temperature:g} ---\n{shown}")


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
        """Take the pairs, once.

        Raises:
            InputError: The model writes from no source.
        """
        if self._held is not None:
            return
        if not self.model.writer.model.context:
            raise InputError("Mistakes writes from sources, and this model has no encoder: remove it.")
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
