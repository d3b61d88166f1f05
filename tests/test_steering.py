"""Steering a text: stop strings, lengths, time, scores, beams and patterns, through a generator."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfgen import InputError, TextGenerator, Vocabulary
from tfgen.sampling import (
    DRY,
    Allow,
    DynamicTemperature,
    Epsilon,
    Forbid,
    FrequencyPenalty,
    LogitBias,
    Mirostat,
    NoRepeatNgram,
    Pattern,
    PresencePenalty,
    Temperature,
    TopK,
    default_chain,
)
from tfgen.support.recent import Recent
from tfgen.terms.stops import StopStrings
from tfgen.writing import compiled as compiled_

TEXT = "the quick brown fox jumps over the lazy dog. "


@pytest.fixture(scope="module")
def generator():
    return TextGenerator.build(Vocabulary.from_texts([TEXT]), units=8, seed=1)


@pytest.fixture(scope="module")
def titles():
    return TextGenerator.build(Vocabulary.from_texts([TEXT] * 3, ends=True), units=8, seed=1)


# Stop strings


@given(
    st.text("ab", max_size=30),
    st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3),
    st.lists(st.integers(1, 5), min_size=30, max_size=30),
    st.booleans(),
)
def test_a_text_stops_at_the_first_stop_string_however_it_is_cut(text, stops, sizes, keep):
    watch, given, place = StopStrings(stops, keep), "", 0
    for size in sizes:
        given += watch.feed(text[place : place + size])
        place += size
    given += watch.rest()
    complete = [(end, [stop for stop in stops if text[:end].endswith(stop)]) for end in range(len(text) + 1)]
    end, stop = next(((end, max(found, key=len)) for end, found in complete if found), (len(text), ""))
    assert watch.stopped == bool(stop)
    assert given == text[: end if keep else end - len(stop)]


@pytest.mark.parametrize("cut", [1, 2, 3, 7])
def test_the_stop_string_that_ends_first_wins(cut):
    watch = StopStrings(["abcd", "c"])
    assert "".join(watch.feed("abcdefg"[i : i + cut]) for i in range(0, 7, cut)) + watch.rest() == "ab"


def test_stop_strings_end_every_row_by_itself(generator):
    free = generator.generate(["the ", "dog", ""], length=300, seed=3, echo=False)
    for keep in (False, True):
        stopped = generator.generate(
            ["the ", "dog", ""], length=300, seed=3, echo=False, stop=["ab", "e", "x."], keep_stop=keep
        )
        for text, whole in zip(stopped, free, strict=True):
            places = [(whole.find(stop) + len(stop), -len(stop)) for stop in ("ab", "e", "x.") if stop in whole]
            end, length = min(places)
            assert text == whole[: end if keep else end + length]


def test_a_stream_never_shows_the_beginning_of_a_stop_string(generator):
    whole = generator.generate("the ", length=200, seed=5, echo=False)
    stop = whole[60:64]
    expected = whole[: whole.find(stop)]
    pieces = list(generator.stream("the ", length=200, seed=5, stop=stop))
    assert "".join(pieces) == expected == generator.generate("the ", length=200, seed=5, echo=False, stop=stop)


def test_a_stop_string_that_never_comes_takes_nothing_away(generator):
    assert generator.generate("a", length=50, seed=1, stop="ZZ") == generator.generate("a", length=50, seed=1)


# Lengths and time


def test_no_text_ends_before_its_least_length(titles):
    assert min(map(len, titles.generate("", n=64, seed=1, length=60, temperature=3.0))) < 20
    texts = titles.generate("", n=64, seed=1, length=60, min_length=20, temperature=3.0)
    assert min(map(len, texts)) >= 20
    assert min(map(len, texts)) < 60


def test_time_runs_out_between_pieces(generator):
    text = generator.generate("", length=10**7, max_time=0.2, seed=1)
    assert 0 < len(text) < 10**6


def test_no_time_at_all_writes_nothing(generator):
    given = generator.generate("the ", max_time=1e-9, return_scores=True)
    assert (given.text, given.tokens, len(given.log_probabilities), given.alternatives) == ("the ", (), 0, ())


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"stop": ""}, "stop"),
        ({"stop": [1]}, "stop"),
        ({"stop": 3}, "stop"),
        ({"min_length": 2**31}, "min_length"),
        ({"max_time": "2"}, "max_time"),
        ({"num_beams": 2, "return_scores": True}, "return_scores"),
        ({"min_length": -1}, "min_length"),
        ({"max_time": 0}, "max_time"),
        ({"max_time": True}, "max_time"),
        ({"num_beams": 0}, "num_beams"),
        ({"num_beams": 2, "n": 3}, "num_beams"),
        ({"num_beams": 2, "stop": "a"}, "num_beams"),
        ({"return_scores": True, "alternatives": 0}, "alternatives"),
        ({"return_scores": True, "alternatives": 2.5}, "alternatives"),
        ({"return_scores": "yes"}, "return_scores"),
        ({"echo": 0}, "echo"),
        ({"stop": ["a", ""]}, "stop"),
        ({"stop": b"a"}, "stop"),
        ({"sampler": [0.5]}, "sampler"),
        ({"sampler": [], "temperature": 1.0}, "sampler"),
    ],
)
def test_settings_out_of_range_are_named(generator, settings, name):
    with pytest.raises(InputError, match=name):
        generator.generate("a", **settings)


def test_a_setting_that_does_not_exist_is_a_type_error(generator):
    with pytest.raises(TypeError, match="temprature"):
        generator.generate("a", temprature=1.0)


# Scores


def test_scores_are_those_of_the_model_and_of_the_sampler(generator):
    prompts = ["the ", ""]
    plain = generator.generate(prompts, length=12, seed=2, temperature=0.7, top_k=5)
    found = generator.generate(prompts, length=12, seed=2, temperature=0.7, top_k=5, return_scores=True, alternatives=4)
    assert [each.text for each in found] == plain
    for each, prompt in zip(found, prompts, strict=True):
        assert prompt + "".join(each.tokens) == each.text
        # Scores are of the whole softmax; what was drawn is among the tokens that may come.
        whole = generator.score(each.text).log_probabilities[len(prompt) :]
        assert (each.log_probabilities >= whole - 1e-9).all()
        assert np.abs(np.diff(each.log_probabilities - whole)).max() < 0.5
        assert (each.sampler_log_probabilities <= 0).all()
        for token, log_p, others in zip(each.tokens, each.log_probabilities, each.alternatives, strict=True):
            assert [p for _, p in others] == sorted((p for _, p in others), reverse=True)
            assert len(others) == 4
            if token in dict(others):
                assert dict(others)[token] == pytest.approx(log_p)


def test_greedy_scores_say_certainty(generator):
    found = generator.generate("the ", length=5, temperature=0, return_scores=True)
    np.testing.assert_array_equal(found.sampler_log_probabilities, 0)
    assert [others[0][0] for others in found.alternatives] == list(found.tokens)


def test_scores_end_where_a_stop_string_cuts(generator):
    whole = generator.generate("the ", length=40, seed=4, echo=False)
    found = generator.generate("the ", length=40, seed=4, stop=whole[10:12], echo=False, return_scores=True)
    assert "".join(found.tokens) == found.text == whole[: whole.find(whole[10:12])]


# Beams


def test_one_beam_less_is_never_likelier(generator):
    def cost(text):
        return generator.score(text).log_probabilities[4:].sum()

    wide = generator.generate("the ", length=6, num_beams=40, n=40)
    assert cost(wide[0]) == pytest.approx(max(map(cost, wide)), abs=1e-4)
    assert len(set(wide)) == 40
    assert cost(wide[0]) >= cost(generator.generate("the ", length=6, temperature=0)) - 1e-4


def test_beams_of_several_prompts_are_those_of_each(generator):
    together = generator.generate(["the ", "a"], length=8, num_beams=3, n=2)
    assert together == [generator.generate(prompt, length=8, num_beams=3, n=2) for prompt in ("the ", "a")]


# Said as text


def test_tokens_are_allowed_forbidden_and_biased_as_text(generator):
    def write(*transforms):
        return generator.generate("", length=60, seed=1, sampler=[*transforms, Temperature(2.0)])

    assert set(write(Allow("abc"))) <= set("abc")
    assert set(write(Allow(category="L"))) <= {c for c in TEXT if c.isalpha()}
    assert not set(write(Forbid("aeiou"))) & set("aeiou")
    assert set(write(Allow(pattern="[x-z.]"))) <= set("xyz.")
    assert set(write(LogitBias({"q": 100.0}))) == {"q"}
    assert "e" not in write(LogitBias({"e": -np.inf}))


def test_a_pattern_ends_the_text_of_a_model_that_never_ends(generator):
    import re

    for seed in range(5):
        text = generator.generate("the ", length=40, seed=seed, echo=False, sampler=[Pattern("[a-f]{3} (fox|dog)\\.")])
        assert re.fullmatch("[a-f]{3} (fox|dog)\\.", text)


def test_what_a_vocabulary_does_not_have_is_named(generator):
    for transform in (LogitBias({"Ж": 1.0}), Allow("Ж"), Pattern("Ж+")):
        with pytest.raises(InputError, match="Ж"):
            generator.generate("", sampler=[transform])
    with pytest.raises(InputError, match="one of"):
        Forbid()
    with pytest.raises(InputError, match="regular expression"):
        Allow(pattern="(")


def test_the_order_of_a_sampler_is_the_order_given(generator):
    top = generator.generate("", length=30, seed=1, sampler=[TopK(1), Temperature(50.0)])
    assert top == generator.generate("", length=30, temperature=0)
    assert generator.generate("", length=30, seed=1, sampler=[LogitBias({"q": 9.0}), TopK(1)]) == "q" * 30


def test_a_search_gives_no_text_that_cannot_be(generator):
    found = generator.generate("", length=5, num_beams=4, n=4, echo=False, sampler=[Pattern("ab|cd")])
    assert sorted(found) == ["ab", "cd"]


def test_a_sampler_that_leaves_nothing_to_begin_with_is_an_error_and_no_padding(generator):
    for settings in ({}, {"num_beams": 2}):
        with pytest.raises(InputError, match="leaves no token"):
            generator.generate("", length=9, min_length=1, sampler=[Pattern("")], **settings)


@pytest.mark.parametrize("penalty", [-1, float("nan"), "1", 1e9])
def test_a_length_penalty_out_of_range_is_named(generator, penalty):
    with pytest.raises(InputError, match="length_penalty"):
        generator.generate("", num_beams=2, length_penalty=penalty)


JIT_SAMPLERS = {
    "settings and repetition": lambda: [
        *default_chain(0.8, 3, 0.9, 0.05, 0.9, 1.2),
        DRY(window=32, longest=8),
        NoRepeatNgram(3, window=32),
    ],
    "penalties and masks": lambda: [
        *(FrequencyPenalty(0.1), PresencePenalty(0.1), DynamicTemperature(0.5, 1.5), Epsilon(0.01)),
        *(LogitBias({"a": 1.0}), Forbid("b"), Mirostat(1.0)),
    ],
    "pattern": lambda: [Pattern("[a-c]{3,40}")],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name == "penalties and masks" else ()) for name in JIT_SAMPLERS],
)
def test_the_loop_compiled_by_xla_writes_the_same(generator, name):
    sampler, settings = JIT_SAMPLERS[name](), {"length": 40, "seed": 5}
    plain = generator.generate(["a", "abc"], sampler=sampler, jit_compile=False, **settings)
    assert generator.generate(["a", "abc"], sampler=sampler, jit_compile=True, **settings) == plain
    alone = generator.stream("a", sampler=sampler, jit_compile=True, **settings)
    assert "a" + "".join(alone) == generator.generate("a", sampler=sampler, **settings)


@pytest.mark.slow
def test_scores_of_the_compiled_loop_are_those_of_the_graph(generator):
    plain, compiled = (
        generator.generate("a", length=20, seed=3, return_scores=True, jit_compile=jit) for jit in (False, True)
    )
    assert compiled.text == plain.text
    np.testing.assert_allclose(compiled.log_probabilities, plain.log_probabilities, atol=1e-5)
    np.testing.assert_allclose(compiled.sampler_log_probabilities, plain.sampler_log_probabilities, atol=1e-5)


@pytest.mark.slow
def test_settings_do_not_compile_the_xla_loop_again():
    generator = TextGenerator.build(Vocabulary.from_texts([TEXT]), cell="rnn", units=4, seed=1)
    compiled = generator.writer._compiled._functions
    generator.generate("a", length=5, seed=1, temperature=0.5, jit_compile=True)
    before = len(compiled.kept())
    generator.generate("abc", length=9, seed=2, temperature=1.5, min_length=3, jit_compile=True)
    assert len(compiled.kept()) == before
    generator.generate(["a", "b"], length=5, seed=1, temperature=0.5, jit_compile=True)
    assert len(compiled.kept()) == before + 1, "XLA knows the number of rows"


@pytest.mark.slow
def test_compiled_functions_are_kept_within_a_bound(monkeypatch):
    monkeypatch.setattr(compiled_, "KEPT", 3)
    generator = TextGenerator.build(Vocabulary.from_texts([TEXT]), cell="rnn", units=4, seed=1)
    functions = generator.writer._compiled._functions
    expected = generator.generate("a", length=5, temperature=0)
    structures = [[each(1.5)] * number for number in (1, 2, 3) for each in (FrequencyPenalty, PresencePenalty)]
    for sampler in structures:
        generator.generate("a", length=2, sampler=sampler)
    assert len(functions.kept()) == 3
    assert generator.generate("a", length=5, temperature=0) == expected
    kept = functions.kept()
    generator.generate("a", length=2, sampler=structures[-1])
    assert sorted(map(str, functions.kept())) == sorted(map(str, kept)), "nothing was compiled again"


@pytest.mark.slow
def test_settings_that_are_sizes_compile_a_few_loops(monkeypatch):
    monkeypatch.setattr(compiled_, "KEPT", 99)
    vocabulary = Vocabulary.from_texts(["".join(map(chr, range(65, 65 + 40)))])
    generator = TextGenerator.build(vocabulary, cell="rnn", units=4, seed=1)
    functions = generator.writer._compiled._functions

    def compiled(*requests):
        before = len(functions.kept())
        for request in requests:
            generator.generate("A", length=2, seed=1, **request)
        return len(functions.kept()) - before

    generator.generate("A", length=2)
    windows = [{"sampler": [DRY(window=window, longest=(window + 1) // 2)]} for window in range(1, 65)]
    assert compiled(*windows) == 1
    assert compiled(*({"sampler": [DRY(breakers=breakers)]} for breakers in ("", "A", "AB", "ABC", "ABCD"))) == 4
    assert compiled(*({"sampler": [NoRepeatNgram(n, window=99)]} for n in (1, 5, 99))) == 1
    assert compiled(*({"return_scores": True, "alternatives": number} for number in range(1, 41))) == 17
    assert compiled(*({"num_beams": number, "n": number} for number in range(2, 17))) == 11


def test_what_was_used_last_is_kept_by_any_number_of_threads():
    recent, made = Recent(3), []

    def use(key):
        return recent.get(key, lambda: made.append(key) or key)

    assert [use(key) for key in "abcabdabe"] == list("abcabdabe")
    assert made == list("abcde")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(use, "xyz" * 100)) == list("xyz" * 100)
    assert sorted(made[5:]) == ["x", "y", "z"]
