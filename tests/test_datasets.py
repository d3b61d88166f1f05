"""Laws of the batches: what is a target, what shares a batch with what, and in which order."""

import itertools
import pathlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from memory_support import forget_peak, peak

from tfgen import datasets
from tfgen.datasets import cuts, document_rows
from tfgen.datasets.shares import WHOLE
from tfgen.errors import InputError
from tfgen.vocabulary.vocabulary import END, PADDING, UNKNOWN, Vocabulary

# Every character occurs once in a corpus, so that a transition is known by its two tokens.
ALPHABET = [chr(0x4E00 + i) for i in range(2000)]
VOCABULARY = Vocabulary(ALPHABET)

BATCH_SIZES = st.integers(1, 5)
LENGTHS = st.integers(1, 9)
VALIDATIONS = st.sampled_from([0, 0.1, 0.25, 0.5])
SEEDS = st.integers(0, 2**63)

Batches = list[tuple[np.ndarray, np.ndarray]]
Cut = Callable[..., Any]


class Plain:
    """Stands in for the `tf.data` pipeline, which takes a tenth of a second to make; see the section on pipelines."""

    def __init__(self, batch: Callable[[int, int], Any], steps: int, specs: Any) -> None:
        self._batch, self._steps, self._epochs = batch, steps, itertools.count()
        self.shape = tuple(specs[1].shape)

    def as_numpy_iterator(self) -> Any:
        number = next(self._epochs)
        return (self._batch(number, step, WHOLE) for step in range(self._steps))


def plainly(cut: Cut, *args: Any, **kwargs: Any) -> Any:
    """What a cut gives, without TensorFlow."""
    with mock.patch.object(cuts, "dataset_of", Plain):
        return cut(*args, **kwargs)


def corpus(sizes: Sequence[int], ends: bool = False) -> SimpleNamespace:
    letters = iter(ALPHABET)
    return SimpleNamespace(documents=["".join(itertools.islice(letters, size)) for size in sizes], ends=ends)


def joined(texts: Any) -> list[int]:
    """All of a corpus as one row of ids, made without NumPy."""
    end = [END] if texts.ends else []
    return [*end, *(i for text in texts.documents for i in [*map(VOCABULARY.tokens.index, text), *end])]


def split(ids: list[int], validation: float) -> tuple[list[int], list[int]]:
    cut = len(ids) - round(validation * len(ids))
    return ids[:cut], ids[cut:]


def epoch(dataset: Any) -> Batches:
    return [] if dataset is None else list(dataset.as_numpy_iterator())


def transitions(batches: Batches) -> Counter[tuple[int, int]]:
    """The pairs (input, target) of all real targets."""
    return Counter(
        (int(i), int(t))
        for inputs, targets in batches
        for i, t in zip(inputs.flat, targets.flat, strict=True)
        if t != PADDING
    )


def assert_well_formed(batches: Batches) -> None:
    for inputs, targets in batches:
        assert inputs.shape == targets.shape
        real = targets != PADDING
        assert (inputs[~real] == PADDING).all()
        assert (inputs[real] != PADDING).all()
        assert (real[:, :-1] >= real[:, 1:]).all(), "padding lies on the right"
        assert (targets[:, :-1][real[:, 1:]] == inputs[:, 1:][real[:, 1:]]).all(), "the next input is the target"


@st.composite
def divided(draw: st.DrawFn, sizes: st.SearchStrategy[int]) -> SimpleNamespace:
    """A corpus of a given size, in one or more documents."""
    size = draw(sizes)
    cuts = sorted(draw(st.lists(st.integers(0, size), max_size=4)))
    return corpus([b - a for a, b in itertools.pairwise([0, *cuts, size])], ends=draw(st.booleans()))


def assert_even(sizes: list[int], most: int) -> None:
    """As few batches as can be, and none of them a short one."""
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == -(-sum(sizes) // most)


# Streams


@st.composite
def stream_settings(draw: st.DrawFn) -> tuple[SimpleNamespace, dict[str, Any]]:
    batch_size, length, validation = draw(BATCH_SIZES), draw(LENGTHS), draw(VALIDATIONS)
    least = int((batch_size * length + 2) / (1 - validation)) + (
        int((batch_size + 2) / validation) if validation else 0
    )
    texts = draw(divided(st.integers(least, least + 60)))
    return texts, {"batch_size": batch_size, "length": length, "validation": validation}


def read_row_by_row(batches: Batches) -> tuple[list[int], list[int]]:
    """Inputs and targets as text: row 0 through all batches, then row 1, and so on; without padding."""
    inputs, targets = (np.concatenate(parts, axis=1) for parts in zip(*batches, strict=True))
    return inputs[targets != PADDING].tolist(), targets[targets != PADDING].tolist()


@given(stream_settings())
def test_streams_read_row_by_row_are_the_text_itself(drawn: tuple[Any, dict[str, Any]]) -> None:
    texts, kwargs = drawn
    training, validation = plainly(datasets.streams, texts, VOCABULARY, **kwargs)
    for dataset, ids in zip((training, validation), split(joined(texts), kwargs["validation"]), strict=True):
        if dataset is None:
            assert not kwargs["validation"]
            continue
        batches = epoch(dataset)
        assert_well_formed(batches)
        assert read_row_by_row(batches) == (ids[:-1], ids[1:])
        lengths = [inputs.shape[1] for inputs, _ in batches]
        assert_even(lengths, kwargs["length"])
        assert dataset.shape == (kwargs["batch_size"], lengths[0] if len({*lengths}) == 1 else None)


@given(stream_settings())
def test_each_row_of_a_stream_goes_on_in_the_next_batch(drawn: tuple[Any, dict[str, Any]]) -> None:
    texts, kwargs = drawn
    training, _ = plainly(datasets.streams, texts, VOCABULARY, **kwargs)
    for (_, before), (after, _) in itertools.pairwise(epoch(training)):
        goes_on = after[:, 0] != PADDING
        assert goes_on[0]
        assert (after[goes_on, 0] == before[goes_on, -1]).all()


def test_streams_are_the_same_in_every_epoch() -> None:
    training, _ = plainly(datasets.streams, corpus([100]), VOCABULARY, batch_size=3, length=7)
    first, second = epoch(training), epoch(training)
    assert len(first) > 1
    np.testing.assert_equal(first, second)


def test_a_short_validation_part_is_read_in_shorter_batches() -> None:
    training, validation = plainly(datasets.streams, corpus([100]), VOCABULARY, batch_size=3, length=20, validation=0.1)
    assert [inputs.shape for inputs, _ in epoch(training)] == [(3, 15), (3, 15)]
    assert [inputs.shape for inputs, _ in epoch(validation)] == [(3, 3)]


def test_documents_that_end_are_joined_between_ends_of_text() -> None:
    texts = SimpleNamespace(documents=["ab", "c"], ends=True)
    letters = Vocabulary.from_corpus(texts)
    training, _ = plainly(datasets.streams, texts, letters, batch_size=1, length=5, validation=0)
    [(inputs, targets)] = epoch(training)
    assert [letters.tokens[i] for i in inputs[0]] == ["\x03", "a", "b", "\x03", "c"]
    assert [letters.tokens[i] for i in targets[0]] == ["a", "b", "\x03", "c", "\x03"]


def test_a_running_text_has_no_ends_of_text() -> None:
    texts = SimpleNamespace(documents=["ab", "c"], ends=False)
    letters = Vocabulary.from_corpus(texts)
    training, _ = plainly(datasets.streams, texts, letters, batch_size=1, length=2, validation=0)
    [(inputs, targets)] = epoch(training)
    assert letters.decode(inputs[0]) == "ab"
    assert letters.decode(targets[0]) == "bc"


# Windows


@st.composite
def window_settings(draw: st.DrawFn) -> tuple[SimpleNamespace, dict[str, Any]]:
    length, validation = draw(LENGTHS), draw(VALIDATIONS)
    least = int((length + 2) / (1 - validation)) + (int((length + 2) / validation) if validation else 0)
    texts = draw(divided(st.integers(least, least + 60)))
    batch_size = draw(BATCH_SIZES)
    return texts, {"batch_size": batch_size, "length": length, "validation": validation, "seed": draw(SEEDS)}


@given(window_settings())
def test_every_transition_of_the_text_is_a_target_of_windows_once(drawn: tuple[Any, dict[str, Any]]) -> None:
    texts, kwargs = drawn
    training, validation = plainly(datasets.windows, texts, VOCABULARY, **kwargs)
    for dataset, ids in zip((training, validation), split(joined(texts), kwargs["validation"]), strict=True):
        batches = epoch(dataset)
        assert_well_formed(batches)
        assert transitions(batches) == Counter(itertools.pairwise(ids))
        if dataset is not None:
            assert all(inputs.shape[1] == kwargs["length"] for inputs, _ in batches)
            assert_even([len(inputs) for inputs, _ in batches], kwargs["batch_size"])


def test_windows_start_every_length_tokens() -> None:
    text = corpus([31])
    training, _ = plainly(datasets.windows, text, VOCABULARY, batch_size=4, length=5, validation=0)
    starts = sorted(i for inputs, _ in epoch(training) for i in inputs[:, 0].tolist())
    assert starts == joined(text)[:30:5]


def test_validation_windows_keep_the_order_of_the_text() -> None:
    text = corpus([100])
    _, validation = plainly(datasets.windows, text, VOCABULARY, batch_size=2, length=7, validation=0.5, seed=3)
    firsts = [i for inputs, _ in epoch(validation) for i in inputs[:, 0].tolist()]
    assert firsts == joined(text)[50:99:7]


# Documents


@st.composite
def document_settings(draw: st.DrawFn) -> tuple[SimpleNamespace, dict[str, Any]]:
    texts = corpus(draw(st.lists(st.integers(0, 25), min_size=6, max_size=30)), ends=True)
    batch_size, length, seed = draw(BATCH_SIZES), draw(LENGTHS), draw(SEEDS)
    return texts, {"batch_size": batch_size, "length": length, "validation": draw(VALIDATIONS), "seed": seed}


def transitions_of_documents(documents: Sequence[str]) -> Counter[tuple[int, int]]:
    counts: Counter[tuple[int, int]] = Counter()
    for document in documents:
        counts.update(itertools.pairwise(joined(SimpleNamespace(documents=[document], ends=True))))
    return counts


def documents_of(batches: Batches) -> set[str]:
    """The documents, known by their first character, that have a transition in the batches."""
    characters = {VOCABULARY.tokens[i] for inputs, _ in batches for i in np.unique(inputs)}
    return {character for character in characters if character in ALPHABET}


@given(document_settings(), st.sampled_from([1, 7, 1 << 16]), st.sampled_from([1, 5, 1 << 20]))
def test_every_transition_of_a_document_is_a_target_once_and_on_one_side(
    drawn: tuple[Any, dict[str, Any]], pool: int, piece: int
) -> None:
    texts, kwargs = drawn
    with mock.patch.multiple(document_rows, _POOL=pool, _PIECE=piece):
        training, validation = plainly(datasets.documents, texts, VOCABULARY, **kwargs)
    sides = [epoch(training), epoch(validation)]
    assert transitions(sides[0]) + transitions(sides[1]) == transitions_of_documents(texts.documents)
    assert documents_of(sides[0]).isdisjoint(documents_of(sides[1]))
    held_out = sum(count for (_, target), count in transitions(sides[1]).items() if target == END)
    assert held_out == round(kwargs["validation"] * len(texts.documents))
    for batches in sides:
        assert_well_formed(batches)
        assert all(1 <= inputs.shape[1] <= kwargs["length"] for inputs, _ in batches)
        if batches:
            assert_even([len(inputs) for inputs, _ in batches], kwargs["batch_size"])
        assert all((targets != PADDING).any(axis=0).all() for _, targets in batches), "padded to the longest only"


@pytest.mark.slow
@pytest.mark.parametrize("cut", [datasets.windows, datasets.documents])
def test_what_is_read_of_a_mapped_file_does_not_stay_in_memory(tmp_path: pathlib.Path, cut: Cut) -> None:
    """A file of 64 MiB is read all over, and three quarters of it are never held, whatever else the process does."""
    ids = np.full(64 << 20, 3, np.uint8)
    ids[::50] = END
    ids.tofile(tmp_path / "ids.bin")
    mapped = np.asarray(np.memmap(tmp_path / "ids.bin", np.uint8, "r"))
    del ids
    with mock.patch.object(cuts, "joined_ids", return_value=mapped):
        before = forget_peak()
        training, _ = plainly(cut, SimpleNamespace(documents=[], ends=True), VOCABULARY, batch_size=8)
        for _ in itertools.islice(training.as_numpy_iterator(), 2000):
            pass
        assert peak() - before < 48 << 20


def test_a_document_is_a_row_between_ends_of_text() -> None:
    texts = SimpleNamespace(documents=["ab", "a"], ends=True)
    letters = Vocabulary.from_corpus(texts)
    training, _ = plainly(datasets.documents, texts, letters, batch_size=2, validation=0)
    [(inputs, targets)] = epoch(training)
    read = [["".join(letters.tokens[i] for i in row) for row in rows] for rows in (inputs, targets)]
    assert read == [["\x03a", "\x03ab"], ["a\x03", "ab\x03"]]


def test_a_long_document_goes_on_in_a_row_that_begins_with_the_last_token_before() -> None:
    texts = SimpleNamespace(documents=["abcdefg"], ends=True)
    letters = Vocabulary.from_corpus(texts)
    training, _ = plainly(datasets.documents, texts, letters, batch_size=1, length=3, validation=0)
    rows = {
        tuple("".join(letters.tokens[i] for i in row) for row in (inputs[0], targets[0]))
        for inputs, targets in epoch(training)
    }
    assert rows == {("\x03ab", "abc"), ("cde", "def"), ("fg", "g\x03")}


def test_documents_of_about_one_length_share_a_batch() -> None:
    texts = corpus([size for size in range(20) for _ in range(4)], ends=True)
    training, _ = plainly(datasets.documents, texts, VOCABULARY, batch_size=4, validation=0)
    for _, targets in epoch(training):
        assert len(np.unique((targets != PADDING).sum(axis=1))) == 1


# The order of an epoch

CUTS = [
    pytest.param(
        lambda seed: plainly(datasets.windows, corpus([200]), VOCABULARY, batch_size=3, length=5, seed=seed),
        id="windows",
    ),
    pytest.param(
        lambda seed: plainly(datasets.documents, corpus([6] * 60, ends=True), VOCABULARY, batch_size=3, seed=seed),
        id="documents",
    ),
]


def rows_in_order(batches: Batches) -> list[tuple[int, ...]]:
    return [tuple(row) for inputs, _ in batches for row in inputs.tolist()]


@pytest.mark.parametrize("cut", CUTS)
@given(seed=SEEDS)
@examples(20)
def test_a_seed_gives_the_same_epochs_again(cut: Cut, seed: int) -> None:
    (first, first_validation), (second, second_validation) = cut(seed), cut(seed)
    np.testing.assert_equal(epoch(first_validation), epoch(second_validation))
    for _ in range(3):
        np.testing.assert_equal(epoch(first), epoch(second))


@pytest.mark.parametrize("cut", CUTS)
def test_each_epoch_has_another_order_of_the_same_rows(cut: Cut) -> None:
    training, _ = cut(1)
    orders = [rows_in_order(epoch(training)) for _ in range(3)]
    assert len({tuple(order) for order in orders}) == 3
    assert len({tuple(sorted(order)) for order in orders}) == 1


@pytest.mark.parametrize("cut", CUTS)
def test_each_seed_has_another_order(cut: Cut) -> None:
    assert len({tuple(rows_in_order(epoch(cut(seed)[0]))) for seed in (0, 1, 2**40)}) == 3


@pytest.mark.parametrize("cut", CUTS)
def test_validation_is_the_same_in_every_epoch(cut: Cut) -> None:
    _, validation = cut(1)
    first, second = epoch(validation), epoch(validation)
    assert first
    np.testing.assert_equal(first, second)


def test_a_batch_is_a_function_of_its_epoch_and_step_whatever_was_read_before() -> None:
    whole, _ = plainly(datasets.windows, corpus([200]), VOCABULARY, batch_size=3, length=5, seed=1)
    broken_off, _ = plainly(datasets.windows, corpus([200]), VOCABULARY, batch_size=3, length=5, seed=1)
    epoch(whole)
    next(broken_off.as_numpy_iterator())
    np.testing.assert_equal(epoch(whole), epoch(broken_off))


# Pipelines


@pytest.mark.parametrize(
    ("cut", "shape"), [(datasets.streams, (3, None)), (datasets.windows, (None, 5)), (datasets.documents, (None, None))]
)
def test_the_pipeline_gives_these_batches_epoch_after_epoch(cut: Cut, shape: tuple[int | None, ...]) -> None:
    texts, kwargs = corpus([7, 11, 40, 5, 0, 13] * 2, ends=True), {"batch_size": 3, "length": 5, "validation": 0.3}
    for pipeline, plain in zip(
        cut(texts, VOCABULARY, **kwargs), plainly(cut, texts, VOCABULARY, **kwargs), strict=True
    ):
        for _ in range(2):
            expected = epoch(plain)
            assert len(expected) > 1
            np.testing.assert_equal(epoch(pipeline), expected)
        assert pipeline.cardinality() == len(expected)
        assert pipeline.element_spec == (tf.TensorSpec(shape, tf.int32), tf.TensorSpec(shape, tf.int32))
        assert plain.shape == shape


def test_there_is_no_validation_pipeline_without_validation() -> None:
    texts = corpus([20] * 4, ends=True)
    for cut in (datasets.streams, datasets.windows, datasets.documents):
        training, validation = cut(texts, VOCABULARY, batch_size=2, length=5, validation=0)
        assert isinstance(training, tf.data.Dataset)
        assert validation is None


# What cannot be cut


def followed(error: InputError, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The settings after the first piece of advice of an error."""
    advice = re.findall(r"(batch_size|length|validation) to (\d+)", str(error))
    assert advice, str(error)
    both = "lower both" in str(error)
    return {**kwargs, **{name: int(value) for name, value in (advice if both else advice[:1])}}


@pytest.mark.parametrize("cut", [datasets.streams, datasets.windows])
@given(
    size=st.integers(4, 60),
    batch_size=st.integers(1, 20),
    length=st.integers(1, 30),
    validation=st.sampled_from([0, 0.05, 0.1, 0.5]),
)
def test_a_text_that_is_too_short_is_an_error_whose_advice_works(
    cut: Cut, size: int, batch_size: int, length: int, validation: float
) -> None:
    kwargs: dict[str, Any] = {"batch_size": batch_size, "length": length, "validation": validation}
    for _ in range(4):  # the training part, then the validation part
        try:
            training, _ = plainly(cut, corpus([size]), VOCABULARY, **kwargs)
        except InputError as error:
            changed = followed(error, kwargs)
            assert changed != kwargs
            assert all(changed[name] <= kwargs[name] for name in kwargs), "settings are lowered"
            kwargs = changed
        else:
            assert epoch(training)
            return
    raise AssertionError(f"the advice leads nowhere: {kwargs}")


@pytest.mark.parametrize(
    ("cut", "settings_", "message"),
    [
        (datasets.streams, {"batch_size": 4, "length": 100}, r"17 tokens to predict.*; lower length to 4\.$"),
        (datasets.streams, {"batch_size": 9, "length": 6}, r"lower length to 1 or lower batch_size to 2\.$"),
        (datasets.streams, {"batch_size": 4, "length": 4}, r"the validation part .* lower batch_size to 1, or set"),
        (datasets.streams, {"batch_size": 50, "length": 100}, r"lower both batch_size to 1 and length to 17"),
        (datasets.windows, {"length": 100}, r"the training part .* lower length to 17"),
        (datasets.windows, {"length": 10}, r"the validation part .* lower length to 1, or set validation to 0"),
    ],
)
def test_the_error_says_which_setting_to_lower_to_what(cut: Cut, settings_: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        cut(corpus([20]), VOCABULARY, **settings_)


@pytest.mark.parametrize("cut", [datasets.streams, datasets.windows])
@pytest.mark.parametrize("text", ["", "一"])
def test_where_there_is_no_transition_only_more_text_helps(cut: Cut, text: str) -> None:
    with pytest.raises(InputError, match=r"[01] tokens?.*; give more text") as error:
        cut(SimpleNamespace(documents=[text], ends=False), VOCABULARY, batch_size=1, length=1, validation=0)
    assert "lower" not in str(error.value)


@pytest.mark.parametrize("cut", [datasets.streams, datasets.windows, datasets.documents])
def test_a_text_is_no_corpus(cut: Cut) -> None:
    with pytest.raises(InputError, match=r"tfgen\.load_corpus gives; received 'a text'"):
        cut("a text", VOCABULARY)


def test_documents_need_a_corpus_of_documents_that_end() -> None:
    with pytest.raises(InputError, match=r"one running text.*use streams or windows"):
        datasets.documents(corpus([9, 9]), VOCABULARY)


@pytest.mark.parametrize(("number", "validation"), [(2, 0.1), (1, 0.9), (0, 0)])
def test_too_few_documents_to_split_are_an_error(number: int, validation: float) -> None:
    with pytest.raises(InputError, match=f"{number} documents cannot be split with validation {validation}"):
        datasets.documents(corpus([5] * number, ends=True), VOCABULARY, validation=validation)


@pytest.mark.parametrize("cut", [datasets.streams, datasets.windows, datasets.documents])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *itertools.product(["batch_size", "length"], [0, -1, 1.5, True, "2", 2**31, 2**63]),
        *itertools.product(["validation"], [-0.1, 1, float("nan"), False, "0", None]),
        ("unknown", "ignore"),
    ],
)
def test_a_setting_out_of_its_range_is_named(cut: Cut, name: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"{name}.*received {re.escape(repr(value))}"):
        cut(corpus([50] * 4, ends=True), VOCABULARY, **{name: value})


@pytest.mark.parametrize("cut", [datasets.windows, datasets.documents])
@pytest.mark.parametrize("seed", [-1, 0.5])
def test_a_seed_is_a_whole_number_from_0_up(cut: Cut, seed: Any) -> None:
    with pytest.raises(InputError, match="seed must be a whole number of at least 0"):
        cut(corpus([50] * 4, ends=True), VOCABULARY, seed=seed)


@pytest.mark.parametrize("cut", [datasets.streams, datasets.windows, datasets.documents])
def test_a_token_outside_the_vocabulary_is_refused_read_as_unknown_or_skipped(cut: Cut) -> None:
    texts = SimpleNamespace(documents=["abxab"], ends=True)
    letters = Vocabulary(["a", "b"])
    kwargs = {"batch_size": 1, "length": 1, "validation": 0}
    targets = {
        unknown: sorted(
            int(t) for _, batch in epoch(plainly(cut, texts, letters, unknown=unknown, **kwargs)[0]) for t in batch.flat
        )
        for unknown in ("unknown", "skip")
    }
    assert targets == {"unknown": [UNKNOWN, END, 3, 3, 4, 4], "skip": [END, 3, 3, 4, 4]}
    for refusing in ({}, {"unknown": "error"}):
        with pytest.raises(InputError, match="'x'"):
            cut(texts, letters, **refusing, **kwargs)
    some = Vocabulary.from_texts(["aabbc"], max_tokens=5, ends=True)  # has left one out, and knows what it means
    as_it_is, asked = (
        [batch.tolist() for _, batch in epoch(plainly(cut, texts, some, **given, **kwargs)[0])]
        for given in ({}, {"unknown": "unknown"})
    )
    assert as_it_is == asked


@pytest.mark.parametrize("size", [20, 253, 300, 70_000])
def test_ids_survive_whatever_the_size_of_the_vocabulary(size: int) -> None:
    known = Vocabulary([chr(0x10000 + i) for i in range(size)])
    text = "".join(known.tokens[-12:])
    training, _ = plainly(
        datasets.streams, SimpleNamespace(documents=[text], ends=False), known, batch_size=1, length=11, validation=0
    )
    [(inputs, targets)] = epoch(training)
    assert known.decode([*inputs[0], targets[0, -1]]) == text


@pytest.mark.parametrize("cut", [datasets.streams, datasets.windows, datasets.documents])
def test_a_dataset_begins_at_any_batch_of_any_epoch(cut: Cut) -> None:
    texts = corpus([7, 11, 40, 5, 0, 13] * 2, ends=True)
    options = {"batch_size": 3, "length": 5, "validation": 0}
    dataset, (plain, _) = cut(texts, VOCABULARY, **options)[0], plainly(cut, texts, VOCABULARY, **options)
    epochs = [epoch(plain) for _ in range(4)]
    course = datasets.course_of(dataset)
    assert course.steps == len(epochs[0])
    for number, step in [(2, 3), (0, 1), (1, course.steps - 1), (2, 0)]:
        course.begin_at(number, step)
        begun = dataset.as_numpy_iterator()
        np.testing.assert_equal(list(itertools.islice(begun, course.steps - step)), epochs[number][step:])
        np.testing.assert_equal(epoch(dataset), epochs[number + 1])  # and those after it are whole
    assert datasets.course_of(dataset.take(2)) is None


@pytest.mark.parametrize("cut", CUTS)
def test_a_fingerprint_is_of_the_batches(cut: Cut) -> None:
    made = [cut(seed)[0] for seed in (1, 1, 2)]
    one, same, other = (datasets.Course(each._batch, each._steps, WHOLE).fingerprint() for each in made)
    assert one == same != other
