"""Sources and texts to batches: what is read, how often, and who is held out."""

import collections

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfgen import Corpus, InputError, Vocabulary, datasets, load_pairs, prepare_pairs
from tfgen.terms import sources as terms_sources
from tfgen.vocabulary import END, PADDING

VOCABULARY = Vocabulary.from_texts(["abcde"], ends=True)
OF_SOURCES = Vocabulary.from_texts(["xyz"], ends=True)


def rows_of(dataset):
    """The pairs of an epoch: each source as it is read, and its text."""
    for (source, ids), targets in dataset.as_numpy_iterator():
        assert ids.dtype == targets.dtype == np.int32
        for b in range(len(ids)):
            real = targets[b] != PADDING
            assert (ids[b, 1:][real[1:]] == targets[b, :-1][real[1:]]).all()  # each input is the target before
            assert ids[b, 0] == END == targets[b, real][-1]
            assert (ids[b, ~real] == PADDING).all()
            of_row = tf.nest.map_structure(lambda leaf, b=b: leaf[b], source)
            yield of_row, VOCABULARY.decode(targets[b, real][:-1])


def text_of(ids):
    assert ids[ids != PADDING][-1] == END
    return OF_SOURCES.decode(ids[ids != PADDING][:-1])


some_pairs = st.lists(
    st.tuples(st.text("xyz", max_size=5), st.lists(st.text("abcde", max_size=6), min_size=1, max_size=3)),
    min_size=2,
    max_size=12,
)


@given(some_pairs, st.integers(1, 5), st.integers(0, 3))
@settings(max_examples=10)
def test_every_pair_is_read_once_an_epoch_and_a_source_is_in_one_part(made, batch_size, seed):
    sources, texts = zip(*made, strict=True)
    different = len(set(sources))
    validation = 0.5 if different > 1 else 0
    train, kept = datasets.pairs(
        list(sources),
        list(texts),
        VOCABULARY,
        source_vocabulary=OF_SOURCES,
        batch_size=batch_size,
        validation=validation,
        seed=seed,
    )
    expected = collections.Counter((source, text) for source, some in made for text in some)
    for _ in range(2):
        parts = [[(text_of(s), t) for s, t in rows_of(part)] if part is not None else [] for part in (train, kept)]
        assert collections.Counter(parts[0] + parts[1]) == expected
        assert not {s for s, _ in parts[0]} & {s for s, _ in parts[1]}
        assert len({s for s, _ in parts[1]}) == (round(different / 2) if validation else 0)


@pytest.mark.parametrize("kind", [np.array, tf.constant, lambda texts: np.array(texts, object)])
def test_strings_of_numpy_and_tensorflow_are_texts(kind):
    sources, texts = ["xy", "", "z"], ["abc", "é", ""]
    options = {"source_vocabulary": OF_SOURCES, "validation": 0, "unknown": "unknown"}
    expected, _ = datasets.pairs(sources, texts, VOCABULARY, **options)
    given, _ = datasets.pairs(kind(sources), kind(texts), VOCABULARY, **options)
    for one, other in zip(expected, given, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)
    assert terms_sources.texts(kind(texts)) == texts
    assert terms_sources.plain(kind("ab")) == "ab"


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from("xyz"), st.text("ab", max_size=3)), min_size=4, max_size=12))
@settings(max_examples=20)
def test_texts_are_held_out_where_sources_are_few(made):
    sources, texts = map(list, zip(*made, strict=True))
    if len(set(texts)) < 2:
        return
    options = {"source_vocabulary": OF_SOURCES, "validation": 0.5, "hold_out": "text"}
    train, kept = datasets.pairs(sources, texts, VOCABULARY, **options)
    parts = [[(text_of(s), t) for s, t in rows_of(part)] for part in (train, kept)]
    assert sorted(parts[0] + parts[1]) == sorted(made)
    assert not {t for _, t in parts[0]} & {t for _, t in parts[1]}


def test_pictures_and_several_inputs_stay_with_their_texts():
    pictures = np.arange(10 * 6, dtype=np.uint8).reshape(10, 2, 3)
    vectors = np.linspace(0, 1, 10)[:, np.newaxis]
    texts = [text * (1 + i % 3) for i, text in enumerate("abcdeabcde")]
    train, kept = datasets.pairs((pictures, {"other": vectors}), texts, VOCABULARY, batch_size=3, validation=0.2)
    (spec, _), _ = train.element_spec
    assert spec == (
        tf.TensorSpec([None, 2, 3], tf.uint8),
        {"other": tf.TensorSpec([None, 1], tf.float32)},
    )
    seen = []
    for part in (train, kept):
        for (picture, others), text in rows_of(part):
            (i,) = [i for i in range(10) if (pictures[i] == picture).all()]
            assert text == texts[i]
            assert others["other"] == np.float32(vectors[i])
            seen.append(i)
    assert sorted(seen) == list(range(10))


def test_equal_pictures_are_one_source():
    pictures = np.repeat(np.eye(4), 5, axis=0)
    train, kept = datasets.pairs(pictures, ["a"] * 20, VOCABULARY, validation=0.25)
    assert len({tuple(picture) for picture, _ in rows_of(kept)}) == 1
    assert len(list(rows_of(kept))) == 5
    assert len(list(rows_of(train))) == 15


def test_a_batch_has_sources_of_about_one_length():
    rng = np.random.default_rng(0)
    sources = ["x" * n for n in rng.integers(1, 60, size=640)]
    options = {"source_vocabulary": OF_SOURCES, "validation": 0, "batch_size": 16}
    train, _ = datasets.pairs(sources, ["a"] * 640, VOCABULARY, **options)
    padding = [(source == PADDING).mean() for (source, _), _ in train.as_numpy_iterator()]
    assert np.mean(padding) < 0.05
    first = [tuple(source[:, 0].tolist()) + source.shape for (source, _), _ in train.as_numpy_iterator()]
    assert first != sorted(first)  # batches come in random order


def test_a_course_begins_anywhere():
    options = {"source_vocabulary": OF_SOURCES, "validation": 0, "batch_size": 2}
    make = lambda: datasets.pairs(["x", "yy", "z", "xz", "y"], list("abcde"), VOCABULARY, **options)[0]  # noqa: E731
    whole, begun = make(), make()
    epochs = [list(whole.as_numpy_iterator()) for _ in range(2)]
    datasets.course_of(begun).begin_at(1, 1)
    for one, other in zip(begun.take(2).as_numpy_iterator(), epochs[1][1:], strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)
    assert datasets.course_of(make()).fingerprint() == datasets.course_of(make()).fingerprint()
    other = datasets.pairs(["y", "yy", "z", "xz", "y"], list("abcde"), VOCABULARY, **options)[0]
    assert datasets.course_of(make()).fingerprint() != datasets.course_of(other).fingerprint()


def test_prepared_pairs_make_the_batches_of_those_in_memory(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\nxy,ab\n,c\nz,ee\n")
    loaded = load_pairs(tmp_path / "a.csv", source="a", column="b")
    prepared = prepare_pairs(tmp_path / "a.csv", tmp_path / "ids", source="a", column="b")
    of_texts, of_sources = prepared.texts.vocabulary, prepared.sources.vocabulary
    one, _ = datasets.pairs(loaded.sources, loaded.texts, of_texts, source_vocabulary=of_sources, validation=0)
    other, _ = datasets.pairs(prepared.sources, prepared.texts, validation=0)
    assert datasets.course_of(one).fingerprint() == datasets.course_of(other).fingerprint()


@pytest.mark.parametrize(
    ("sources", "texts", "options", "said"),
    [
        (["x"], ["a", "b"], {}, "one source for each text, .*received 1 source and 2"),
        (np.zeros((3, 2)), [["a"], ["b"]], {}, "received 3 sources and 2"),
        ([], [], {}, "there must be at least one text"),
        (["x", "y"], ["a", ["b"]], {}, "for each source a list"),
        (["x", "y"], [["a"], []], {}, "at least one"),
        (["x", "y"], ["a", "b\x03"], {}, r"number 2 of the texts holds U\+0003"),
        (["\x03", "y"], ["a", "b"], {}, r"number 1 of the sources holds U\+0003"),
        (["x", 3], ["a", "b"], {}, "sources must be a list of str"),
        ("xy", ["a", "b"], {}, "sources must be"),
        (["x", "y"], "ab", {}, "received 'ab'"),
        (["x", "y"], ["a", "b"], {"source_vocabulary": None}, "need a source_vocabulary"),
        (["x", "y"], ["a", "b"], {"validation": 0.1}, "2 different sources cannot be split"),
        (["x", "y"], ["a", "b"], {"validation": 0.1, "hold_out": "all"}, "hold_out must be one of"),
        (["x", "y"], ["a", "bcd"], {"length": 3}, "text 2 has 4 tokens, its end included, and length is 3"),
        (["x", "y"], Corpus.from_text("ab"), {}, "one running text"),
        ((np.zeros((3, 2)), np.zeros((2, 2))), ["a", "b"], {}, "same number of rows; received 3 and 2"),
        (np.array(3), ["a"], {}, "the first axis of sources must count them; received the number 3"),
        ([object(), object()], ["a", "b"], {}, "sources must be arrays of numbers"),
        (["x", "y"], ["a", "b"], {"batch_size": 0}, "batch_size must be"),
        (np.array([[1.0], [1j]]), ["a", "b"], {}, "received complex numbers"),
        (np.zeros((2, 0, 3)), ["a", "b"], {}, r"must hold something; received an array of shape \(2, 0, 3\)"),
        ([[1, 2], [3]], ["a", "b"], {}, r"all of one shape; received \[\[1, 2\], \[3\]\]"),
        (["x", "q"], ["a", "b"], {}, r"in the sources, the text holds characters that the vocabulary lacks: 'q'"),
        (["x", "y"], ["a", "q"], {}, r"in the texts, the text holds characters that the vocabulary lacks: 'q'"),
        (np.array([[1.0], [np.nan]]), ["a", "b"], {}, "finite numbers.*received nan in number 2"),
    ],
)
def test_what_does_not_go_together_is_refused(sources, texts, options, said):
    options = {"source_vocabulary": OF_SOURCES, "validation": 0, **options}
    with pytest.raises(InputError, match=said) as caught:
        datasets.pairs(sources, texts, VOCABULARY, **options)
    assert str(caught.value).endswith(".")
    assert " at 0x" not in str(caught.value)


def test_an_unknown_token_is_read_as_such_where_it_was_learned_or_asked_for():
    options = {"validation": 0, "source_vocabulary": OF_SOURCES}
    train, _ = datasets.pairs(["xq"], ["a"], VOCABULARY, unknown="unknown", **options)
    ((source, _), _), *_ = train.as_numpy_iterator()
    assert source.tolist() == [[*OF_SOURCES.encode("xq", "unknown"), END]]
    some = Vocabulary.from_texts(["xyzzq"], ends=True, max_tokens=6)  # it has left tokens out
    ((ids, _), _), *_ = datasets.pairs(["xw"], ["a"], VOCABULARY, validation=0, source_vocabulary=some)[0]
    assert ids.numpy().tolist() == [[*some.encode("xw", "unknown"), END]]


@pytest.mark.parametrize(
    "given",
    [
        [[1, 2], [3, 4]],
        ((1, 2), (3, 4)),
        [np.array([1, 2]), np.array([3, 4])],
        tf.constant([[1, 2], [3, 4]]),
    ],
)
def test_sources_one_by_one_are_an_array(given):
    train, _ = datasets.pairs(given, ["a", "b"], VOCABULARY, validation=0)
    assert sorted((source.tolist(), text) for source, text in rows_of(train)) == [([1, 2], "a"), ([3, 4], "b")]


def test_an_array_of_texts_is_as_good_as_a_list():
    for sources in (["x", "y"], np.array(["x", "y"]), np.array(["x", "y"], object)):
        train, _ = datasets.pairs(sources, ["a", "b"], VOCABULARY, source_vocabulary=OF_SOURCES, validation=0)
        assert sorted((text_of(source), text) for source, text in rows_of(train)) == [("x", "a"), ("y", "b")]


def test_a_vocabulary_without_an_end_is_refused():
    with pytest.raises(InputError, match="ends=True"):
        datasets.pairs(np.zeros((2, 2)), ["a", "b"], Vocabulary.from_texts(["ab"]), validation=0)
