"""Counted n-grams: the probabilities of a plain implementation, sums of one, ends of text, files, refusals."""

import collections
import itertools

import keras
import numpy as np
import pytest
from cli_support import here_fixture  # noqa: F401 - a fixture
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from models import VOCABULARY, V

from tfgen import InputError, TextGenerator, Vocabulary, interop, load_corpus, model_files, networks
from tfgen.ngrams import counting, kneser_ney
from tfgen.vocabulary import END, PADDING

texts = st.lists(st.lists(st.integers(END + 1, 6), max_size=12), min_size=1, max_size=8)
orders = st.integers(1, 5)
POSSIBLE = np.array([False, False, True, True, True, True, True, True])


def joined(texts, ends):
    end = [END] * ends
    return np.array([*end, *itertools.chain(*([*text, *end] for text in texts))], np.int64)


class Plain:
    """Modified Kneser-Ney as it stands in the paper, with dictionaries, one n-gram at a time."""

    def __init__(self, ids, order, possible):
        self.order = order
        self.possible = {*np.flatnonzero(possible).tolist(), *ids[int(ids[0] == END) :].tolist()}
        whole = [collections.Counter() for _ in range(order + 1)]
        lefts = [collections.defaultdict(set) for _ in range(order + 1)]
        for place, token in enumerate(ids.tolist()):
            if place == 0 and token == END:
                continue
            context = self.context(ids[:place].tolist(), order)
            for length in range(len(context) + 1):
                gram = (*context[len(context) - length :], token)
                whole[length + 1][gram] += 1
                # What stands before it, within the same text: nothing, at the beginning of a text that does not end.
                if length < order - 1:
                    before = context[-length - 1] if length < len(context) else None
                    lefts[length + 1][gram].add(before)
        self.levels = []
        for length in range(1, order + 1):
            grams = whole[length]
            if length < order:
                grams = {
                    gram: times if length > 1 and gram[0] == END else len(lefts[length][gram])
                    for gram, times in grams.items()
                }
            self.levels.append((grams, self.discounts(grams.values())))

    @staticmethod
    def context(before, order):
        """The tokens that a token is predicted from: none beyond an end of text, which is the first of them."""
        context = []
        for token in reversed(before):
            if len(context) == order - 1:
                break
            context.insert(0, token)
            if token == END:
                break
        return context

    @staticmethod
    def discounts(counts):
        n = collections.Counter(counts)
        found = []
        for count, usual in ((1, 0.5), (2, 1.0), (3, 1.5)):
            if not n[1] or not n[count]:
                found.append(usual)
                continue
            y = n[1] / (n[1] + 2 * n[2])
            discount = count - (count + 1) * y * n[count + 1] / n[count]
            found.append(discount if 0 < discount < count else usual)
        kept = [0, *(count - taken for count, taken in enumerate(found, 1))]
        return found if all(b - a > 1e-3 for a, b in itertools.pairwise(kept)) else [0.5, 1.0, 1.5]

    def p(self, context, token):
        """Of a token after the last tokens of a context."""
        p = 1 / len(self.possible) if token in self.possible else 0.0
        for length in range(self.order):
            if length > len(context):
                break
            h = tuple(context[len(context) - length :])
            grams, discounts = self.levels[length]
            following = {gram[-1]: count for gram, count in grams.items() if gram[:-1] == h}
            if not following:
                break
            taken = {each: discounts[min(count, 3) - 1] for each, count in following.items()}
            total = sum(following.values())
            p = (following.get(token, 0) - taken.get(token, 0)) / total + sum(taken.values()) / total * p
        return p


@examples(60)
@given(texts, st.booleans(), orders, st.lists(st.integers(END, 7), min_size=1, max_size=9))
def test_probabilities_are_those_of_a_plain_implementation(texts, ends, order, read):
    ids = joined(texts, ends)
    if len(ids) <= ends:
        return
    plain = Plain(ids, order, POSSIBLE)
    tables = kneser_ney.smoothed(counting.count([ids], order, 8), POSSIBLE)
    grams = counting.ending_at(np.full(order - 1, PADDING), np.array(read), order)
    expected = [plain.p(Plain.context(read[:place], order), token) for place, token in enumerate(read)]
    np.testing.assert_allclose(tables.probabilities(grams), expected, atol=1e-6)


@examples(40)
@given(texts, st.booleans(), orders, st.lists(st.integers(PADDING, 7), max_size=6))
def test_each_context_has_a_distribution_over_what_may_be_written(texts, ends, order, context):
    ids = joined(texts, ends)
    if len(ids) <= ends:
        return
    tables = kneser_ney.smoothed(counting.count([ids], order, 8), POSSIBLE)
    before = [PADDING] * order + context
    grams = [np.arange(8), *(np.full(8, before[-back]) for back in range(1, order))]
    p = tables.probabilities(grams)
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert (p > 0).tolist() == POSSIBLE.tolist()


@examples(40)
@given(texts, st.booleans(), orders, st.data())
def test_a_text_in_parts_is_counted_as_one(texts, ends, order, data):
    ids = joined(texts, ends)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(ids)), max_size=4)))
    whole, parts = (counting.count(each, order, 70_000) for each in ([ids], np.split(ids, cuts)))
    assert whole.times.tolist() == parts.times.tolist()
    assert [column.tolist() for column in whole.tokens] == [column.tolist() for column in parts.tokens]


def test_what_was_never_seen_is_equally_likely():
    vocabulary = Vocabulary.from_texts(["abcdef"])
    generator = TextGenerator(vocabulary, networks.ngram(vocabulary.encode("aaaaaaa"), vocabulary, order=3))
    rare, rarer = (score.log_probabilities[0] for score in generator.score(["b", "c"]))
    assert rare == rarer
    generator = TextGenerator(vocabulary, networks.ngram(vocabulary.encode("abcdef"), vocabulary, order=1))
    assert np.exp(generator.score("fadebc").log_probabilities) == pytest.approx(1 / 6)


@pytest.mark.slow
def test_texts_end_where_they_ended(tmp_path):
    titles = ["Rain", "Wind", "Snow"] * 20
    (tmp_path / "titles.txt").write_text("\n".join(titles))
    vocabulary = Vocabulary.from_texts(titles, ends=True)
    generator = TextGenerator.count(load_corpus(tmp_path / "titles.txt", lines=True), vocabulary, order=5)
    assert {*generator.generate(["R", "W", "S"], temperature=0)} == {*titles}
    assert generator.score("Rain\x03").nats < generator.score("RainR").nats


def test_a_network_of_them_gives_what_the_tables_give():
    rng = np.random.default_rng(0)
    ids = rng.integers(END, V, size=500)
    network = networks.ngram(ids, VOCABULARY, order=4)
    tables = kneser_ney.smoothed(counting.count([ids], 4, V), VOCABULARY.writable)
    text = rng.integers(END, V, size=(1, 40))
    p = network(text).numpy()[0]
    grams = counting.ending_at(np.full(3, PADDING), text[0], 4)
    np.testing.assert_allclose(p[np.arange(39), text[0, 1:]], tables.probabilities(grams)[1:], atol=1e-6)
    np.testing.assert_allclose(p.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.slow
def test_a_file_of_them_is_loaded_in_safe_mode_and_writes_the_same(tmp_path):
    generator = TextGenerator(VOCABULARY, networks.ngram(VOCABULARY.encode("abcdeabcde" * 9), VOCABULARY))
    generator.save(tmp_path / "counts.keras")
    for loaded in (keras.saving.load_model(tmp_path / "counts.keras"), model_files.load(tmp_path / "counts.keras")):
        assert loaded.generate("ab", seed=3) == generator.generate("ab", seed=3)
        assert loaded.writer.model.fingerprint() == generator.writer.model.fingerprint()


def test_damaged_tables_are_refused(tmp_path):
    generator = TextGenerator(VOCABULARY, networks.ngram(VOCABULARY.encode("abcdeabcde" * 9), VOCABULARY))
    arrays = generator.network.get_weights()
    for number, wrong in ((1, 255), (2, -1), (3, 10**6), (5, 255)):
        damaged = [array.copy() for array in arrays]
        damaged[number][len(damaged[number]) // 2] = wrong
        generator.network.set_weights(damaged)
        generator.save(tmp_path / "damaged.keras")
        with pytest.raises(InputError, match="is damaged"):
            model_files.load(tmp_path / "damaged.keras")


def test_what_counts_cannot_do_is_said(tmp_path):
    generator = TextGenerator(VOCABULARY, networks.ngram(VOCABULARY.encode("abcde"), VOCABULARY))
    generator.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(InputError, match=r"counts are not trained by fit; TextGenerator\.count"):
        generator.fit(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(InputError, match=r"counts are not trained by fit"):
        generator.train_on_batch(np.ones((2, 3)), np.ones((2, 3)))
    for format, name in (("onnx", "ONNX"), ("litert", "LiteRT")):
        with pytest.raises(InputError, match=f"{name} holds the step of a network"):
            generator.export(tmp_path / "export", format)
    for call in (interop.to_keras, networks.layers_of):
        with pytest.raises(InputError, match=r"NGrams|received Counts"):
            call(generator)


@pytest.mark.slow
def test_the_command_counts_and_says_what_next(here):
    (here.folder / "fox.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 40)
    out = here.done("train", "fox.txt", "--cell", "ngram", "--order", 5, "--prompt", "the ").splitlines()
    assert out[2].startswith("counts: ")
    assert "n-grams of up to 5 characters" in out[2]
    assert out[3].startswith("validation 0.")
    assert out[-2:] == ["The model is fox.keras. Try:", "  tfgen generate fox.keras 'the '"]
    assert here.done("generate", "fox.keras", "the q", "--temperature", 0, "--length", 14) == "the quick brown fox\n"
    assert "NGrams(order 5" in here.done("inspect", "fox.keras")
    here.refused("train", "fox.txt", "--cell", "ngram", "--units", 5, "-o", "a.keras")
    here.done("train", "fox.txt", "--cell", "ngram", "--paragraphs", "--no-sample", "-o", "b.keras")
    here.refused("train", "fox.txt", "--order", 5, "-o", "a.keras")
    here.refused("train", "fox.txt", "--init-from", "fox.keras", "-o", "a.keras")


@pytest.mark.parametrize(
    ("ids", "message"),
    [([], "no token to count"), ([[1, 2]], "must be whole numbers"), ([1.5], "whole numbers"), ([99], "from 1 to")],
)
def test_what_cannot_be_counted_is_refused(ids, message):
    with pytest.raises(InputError, match=message):
        networks.ngram(np.array(ids), VOCABULARY)
