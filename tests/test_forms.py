"""Unicode normalisation belongs to the vocabulary: texts in any form are the same text to a model."""

import dataclasses
import json
import time
import unicodedata

import numpy as np
import pytest
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from tfgen import InputError, TextGenerator, Vocabulary, load_corpus, prepare_corpus, sampling
from tfgen.corpora import Corpus
from tfgen.corpora.forms import in_form
from tfgen.instant.reading import read
from tfgen.instant.writer import Writer
from tfgen.novelty import copies, report
from tfgen.sampling import chain as chains

FORMS = ["NFC", "NFD", "NFKC", "NFKD"]
TEXT = "Zo\u00eb, \uac01 \ufb01ne, a\u0323\u0308b, \u212b and \u1e9b\u0323"


@pytest.mark.parametrize("form", FORMS)
def test_a_corpus_that_was_read_in_a_form_gives_it_to_its_vocabulary(form, tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(TEXT, "utf-8")
    corpus = load_corpus(file, normalize=form)
    vocabulary = Vocabulary.from_corpus(corpus)
    assert vocabulary.normalize == form
    assert vocabulary == prepare_corpus(file, tmp_path / "prepared", normalize=form).vocabulary
    assert prepare_corpus(file, tmp_path / "again", vocabulary=vocabulary).vocabulary.normalize == form
    for other in FORMS[:2]:
        ids = vocabulary.encode(unicodedata.normalize(other, TEXT))
        assert vocabulary.decode(ids) == corpus.documents[0]
        assert report(unicodedata.normalize(other, TEXT), corpus).copied[-1] == 1


@pytest.mark.parametrize("split", ["character", "word"])
@pytest.mark.parametrize(
    ("token", "how", "message"),
    [
        (
            "\u00eb",
            {"normalize": "NFD"},
            "is in no text, for texts are brought into NFD, where it is 'e', ",
        ),
        ("\u212b", {"normalize": "NFC"}, r"brought into NFC, where it is '\u00c5'; replace it\.$"),
        ("\ufb01", {"normalize": "NFKC", "lower": True}, "brought into NFKC and lower case, where it is 'f', 'i'"),
        ("A", {"lower": True}, r"^token 1 of the vocabulary, 'A' \(U\+0041\), .* lower case, where it is 'a'"),
    ],
)
def test_a_token_that_no_text_would_have_is_refused(token, how, message, split):
    with pytest.raises(InputError, match=message):
        Vocabulary(["x", token], split=split, **how)
    assert Vocabulary(["x", token], split=split).encode("x").tolist() == [3]


@given(st.text(st.characters(exclude_characters="\0\x03", exclude_categories=["Cs"]), min_size=1))
@pytest.mark.parametrize("split", ["character", "word"])
@pytest.mark.parametrize("form", [None, *FORMS])
@pytest.mark.parametrize("lower", [False, True])
@examples(30)
def test_what_is_counted_in_a_form_is_in_that_form(split, form, lower, text):
    corpus = Corpus((in_form(text, form, lower),), False, "a", reading={"normalize": form, "lower": lower})
    vocabulary = Vocabulary.from_corpus(corpus, split)
    assert Vocabulary.from_config(vocabulary.get_config()) == vocabulary


def test_settings_of_a_sampler_are_in_the_form_of_the_vocabulary():
    logits = np.zeros([1, 7], np.float32)
    composed = Vocabulary(["a", "\u00eb", "x", "y"], normalize="NFC", lower=True)

    def left(transform):
        return np.isfinite(transform.bind(composed)(logits)[0, 3:]).tolist()

    for written in ("e\u0308", "E\u0308", "\u00cb"):
        assert np.argmax(sampling.LogitBias({written: 2.0}).bind(composed)(logits)) == 4
        assert left(sampling.Allow(written + "X")) == [False, True, True, False]
        assert left(sampling.Forbid(written)) == [True, False, True, True]
        assert sampling.DRY(breakers=[written]).bind(composed).breaker_ids.numpy()[0] == 4
    taken_apart = Vocabulary(["a", "e", "\u0308", "x"], normalize="NFD")
    with pytest.raises(InputError, match=r"no token '\u00eb' to bias \(to it '\u00eb' is 'e', '\u0308'\)\.$"):
        sampling.LogitBias({"\u00eb": 2.0}).bind(taken_apart)
    with pytest.raises(InputError, match=r"for '\u00eb' \(U\+00EB\), for its texts are in NFD: write the pattern so"):
        sampling.Pattern("x\u00eb").bind(taken_apart)


@given(st.text("e\u0308\u00eb\u0323\u1100\u1161\u11a8\uac01\u304b\u3099 \u4e00\u212b\ufb01"), st.data())
@pytest.mark.parametrize("form", FORMS)
@examples(60)
def test_a_text_that_is_cut_anywhere_is_the_whole_one(form, text, data):
    whole = unicodedata.normalize(form, text)
    vocabulary = Vocabulary(sorted({*whole} | {"x"}), normalize=form)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    pieces = [text[i:j] for i, j in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    joined = np.concatenate([np.empty(0, np.int32), *vocabulary.encode_pieces(pieces)])
    assert joined.tolist() == vocabulary.encode(text).tolist() == vocabulary.encode(whole).tolist()


MARKS = "\u0300\u0323\u0f73\u0f71\u0344\u0308\u0301\u3099\u0345\u05b0\u05bc\uff9e\U0001d165"


@given(
    st.text("ae\u00e9\ufb01\u1e9b\u304b" + MARKS, max_size=6), st.randoms(use_true_random=False), st.sampled_from(FORMS)
)
@examples(60)
def test_a_form_of_many_marks_is_the_usual_one(text, random, form):
    marks = "".join(random.choice(MARKS) for _ in range(random.choice([40, 99, 100, 101, 250])))
    assert in_form(text + marks + text, form, False) == unicodedata.normalize(form, text + marks + text)


@pytest.mark.parametrize("marks", ["\u0300\u0323", "\u0f73", "\u0344\u0323", "\U0001d165\u0323"])
def test_marks_without_end_are_normalised_in_a_time_that_is_linear(marks):
    begun = time.process_time()
    for form in FORMS:
        assert len(in_form("a" + marks * 25_000, form, False)) >= 25_000
    assert time.process_time() - begun < 8  # inserting each takes a minute


@pytest.mark.slow
def test_lower_case_is_a_form():
    every = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)])).replace("\x03", "").replace("\0", "")
    for form in (None, *FORMS):
        once = in_form(every, form, True)
        assert in_form(once, form, True) == once
        assert sum(character.isupper() and character.lower() != character for character in once) == 0
    assert in_form(every, None, False) == every


@given(st.text("\u03a3\u0391aA\u0130 I\u0307"), st.integers(0, 9))
@examples(60)
def test_lower_case_does_not_depend_on_what_stands_beside(text, cut):
    assert in_form(text[:cut], None, True) + in_form(text[cut:], None, True) == in_form(text, None, True)


def test_a_lower_corpus_takes_prompts_and_scores_in_any_case(tmp_path):
    (tmp_path / "text.txt").write_text("ROMEO: He jests at SCARS")
    corpus = load_corpus(tmp_path / "text.txt", lower=True)
    assert corpus.documents == ("romeo: he jests at scars",)
    vocabulary = Vocabulary.from_corpus(corpus)
    assert Vocabulary.from_config(json.loads(json.dumps(vocabulary.get_config()))) == vocabulary
    assert vocabulary == prepare_corpus(tmp_path / "text.txt", tmp_path / "prepared", lower=True).vocabulary
    again = prepare_corpus(tmp_path / "text.txt", tmp_path / "again", vocabulary=vocabulary)
    assert vocabulary.decode(again.ids) == corpus.documents[0]
    assert report("ROMEO", corpus).copied[-1] == copies(["Romeo: HE jests at scars"], corpus).copied == 1
    generator = TextGenerator.build(vocabulary, units=4, seed=1)
    generator.save(tmp_path / "model.keras")
    for writer in (generator, Writer(*read(tmp_path / "model.keras"))):
        assert writer.score("ROMEO").nats == writer.score("romeo").nats
        shouted, said = (writer.generate(each, length=9, seed=3) for each in ("ROMEO", "romeo"))
        assert np.ravel(shouted)[0][5:] == np.ravel(said)[0][5:]


def test_the_form_is_kept_where_there_is_one_and_the_saved_form_is_the_old_one_where_there_is_none():
    plain, formed = Vocabulary(["e", "\u0308"]), Vocabulary(["e", "\u0308"], normalize="NFD")
    assert set(plain.get_config()) == {"tokens", "counts", "split"}
    assert Vocabulary.from_config(json.loads(json.dumps(formed.get_config()))) == formed != plain
    assert Vocabulary.from_config(plain.get_config()).normalize is None
    with pytest.raises(InputError, match="normalize must be one of"):
        Vocabulary(["e"], normalize="nfd")


def test_banned_strings_are_banned_in_the_form_of_the_texts():
    vocabulary = Vocabulary(["e", "\u0308", "x"], normalize="NFD")
    composed, decomposed = ([sampling.Forbid(strings=[each])] for each in ("\u00eb", "e\u0308"))
    tables = [chains.chain_of(each, {}, vocabulary)[0].transitions.numpy() for each in (composed, decomposed)]
    np.testing.assert_array_equal(*tables)


def test_a_model_takes_prompts_scores_and_stops_in_any_form(tmp_path):
    composed, decomposed = "Zo\u00eb", "Zoe\u0308"
    vocabulary = Vocabulary.from_corpus(dataclasses.replace(Corpus.from_text(decomposed), reading={"normalize": "NFD"}))
    generator = TextGenerator.build(vocabulary, units=4, seed=1)
    generator.save(tmp_path / "model.keras")
    for writer in (generator, Writer(*read(tmp_path / "model.keras"))):
        one, other = (writer.score(text) for text in (composed, decomposed))
        assert one.text == other.text == decomposed
        np.testing.assert_array_equal(one.log_probabilities, other.log_probabilities)
        texts = [
            writer.generate(text, length=40, seed=3, echo=False, stop=stop)
            for text, stop in ((composed, "\u00eb"), (decomposed, "e\u0308"))
        ]
        assert texts[0] == texts[1]
    assert generator.start(composed, seed=1).generate(9) == generator.start(decomposed, seed=1).generate(9)
