"""Laws of what must hold: bans, masks and patterns are intersected whatever their order, and nothing undoes them."""

import itertools
import re

import numpy as np
import pytest
import tensorflow as tf
from alphabet import Alphabet
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from tfgen import InputError, Vocabulary, sampling
from tfgen.sampling import (
    DRY,
    Allow,
    Forbid,
    LogitBias,
    Mask,
    MinP,
    Mirostat,
    NoRepeatNgram,
    Pattern,
    RepetitionPenalty,
    Temperature,
    TopK,
    TopP,
    constraints,
)
from tfgen.sampling import chain as chains
from tfgen.vocabulary.vocabulary import END
from tfgen.writing.writer import Writer

CHARACTERS = Vocabulary.from_texts(["abc"], ends=True)
ENDLESS = Vocabulary.from_texts(["abc"])
WORDS = Vocabulary(["a", "b", "ab", "ba", "bb", "c", "cab"], split="word", counts=[0, 0, 1, *[1] * 7])
TEXTS = ["".join(letters) for n in range(6) for letters in itertools.product("abc", repeat=n)]


def permitted(chain, vocabulary, ids, before=()):
    """Say whether ids may be written, one after another, after others."""
    history = tf.constant([[END, *before]], tf.int32)
    states = chains.start(chain, history, len(vocabulary))
    for i in ids:
        logits, given = chains.apply(chain, tf.zeros([1, len(vocabulary)]), states)
        if logits[0, i] == -np.inf:
            return False
        states = chains.update(chain, states, tf.constant([i], tf.int32), given)
    return True


def walks(chain, vocabulary, most=5, before=()):
    """Give every row of ids, of `most` or up to an end, that may be written, by the automata alone."""
    logits = tf.zeros([1, len(vocabulary)])

    def on(ids, states):
        if len(ids) == most or (ids and ids[-1] == END):
            yield ids
            return
        shaped, given = chains.apply(chain, logits, states)
        for i in np.flatnonzero(np.isfinite(shaped[0].numpy())).tolist():
            if i >= END:
                yield from on([*ids, i], chains.update(chain, states, tf.constant([i], tf.int32), given))

    yield from on([], chains.start(chain, tf.constant([[END, *before]], tf.int32), len(vocabulary)))


CONSTRAINTS = {
    "no b": (Forbid("b"), lambda text: "b" not in text),
    "a and b": (Allow("ab"), lambda text: set(text) <= set("ab")),
    "no c by bias": (LogitBias({"c": -np.inf}), lambda text: "c" not in text),
    "some": (Pattern("a*(b|c)[abc]?"), lambda text: re.fullmatch("a*(b|c)[abc]?", text) is not None),
    "even": (Pattern("([abc]{2})*"), lambda text: len(text) % 2 == 0),
    "either": (Pattern("ab|ac|ba+|caa"), lambda text: re.fullmatch("ab|ac|ba+|caa", text) is not None),
    "no aa, no ba": (Forbid(strings=["aa", "ba"]), lambda text: "aa" not in text and "ba" not in text),
    "no abc": (Forbid(strings="abc"), lambda text: "abc" not in text),
}


@given(st.permutations(list(CONSTRAINTS)).flatmap(lambda names: st.integers(1, 4).map(lambda n: names[:n])))
@examples(6)
def test_what_is_written_satisfies_all_and_all_that_does_can_be_written(names):
    transforms = [CONSTRAINTS[name][0] for name in names]
    good = {text for text in TEXTS if all(CONSTRAINTS[name][1](text) for name in names)}
    try:
        chain = chains.chain_of([Temperature(1.0), *transforms], {}, CHARACTERS)
    except InputError:  # which no text satisfies
        assert not good
        return
    found = {CHARACTERS.decode(ids) for ids in walks(chain, CHARACTERS, 6) if ids[-1] == END}
    assert found == good


@pytest.mark.slow
@pytest.mark.parametrize("names", [("no b", "either"), ("either", "even", "no abc"), ("no aa, no ba", "some")])
def test_no_walk_comes_to_a_dead_end(names):
    chain = chains.chain_of([CONSTRAINTS[name][0] for name in names], {}, CHARACTERS)
    for ids in walks(chain, CHARACTERS, 3):
        more = {tuple(each[: len(ids)]) for each in walks(chain, CHARACTERS, 6)}
        assert tuple(ids) in more


@pytest.mark.parametrize("order", list(itertools.permutations(["no b", "either", "no abc"])))
def test_the_order_changes_nothing(order):
    chain = chains.chain_of([CONSTRAINTS[name][0] for name in order], {}, CHARACTERS)
    assert {CHARACTERS.decode(ids) for ids in walks(chain, CHARACTERS)} == {"ac", "caa"}


def test_what_is_too_large_for_a_product_is_carried_as_its_parts(monkeypatch):
    monkeypatch.setattr(constraints, "_MOST_TRANSITIONS", 3)
    chain = chains.chain_of([Pattern("a*b?"), Forbid("a"), Pattern("[ab]*"), Forbid(strings=["bb"])], {}, CHARACTERS)
    assert len(chain) > 1
    assert {CHARACTERS.decode(ids) for ids in walks(chain, CHARACTERS)} == {"", "b"}


# Banned strings

STRINGS = st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=4)


@pytest.mark.parametrize("vocabulary", [CHARACTERS, WORDS], ids=["characters", "words"])
@given(strings=STRINGS, data=st.data())
@examples(12)
def test_a_banned_string_is_never_completed_and_nothing_else_is_banned(vocabulary, strings, data):
    try:
        chain = chains.chain_of([Forbid(strings=strings)], {}, vocabulary)
    except InputError:
        assert any(set(string) <= set("abc") for string in strings)
        return
    ids = data.draw(st.lists(st.integers(END + 1, len(vocabulary) - 1), max_size=6))
    split = data.draw(st.integers(0, len(ids)))
    before, after = vocabulary.decode(ids[:split]), vocabulary.decode(ids[split:])
    completed = any(string in (before + after)[max(len(before) - len(string) + 1, 0) :] for string in strings)
    assert permitted(chain, vocabulary, ids[split:], ids[:split]) == (not completed)


def test_where_a_text_cannot_end_it_is_not_led_where_nothing_may_follow():
    chain = chains.chain_of([Forbid(strings=["aa", "ab", "ac"])], {}, ENDLESS)
    assert {ENDLESS.decode(ids) for ids in walks(chain, ENDLESS, 2) if END not in ids} == {"bb", "bc", "cb", "cc"}
    with pytest.raises(InputError, match="every text over this vocabulary has one of the strings 'a', 'b', 'c'"):
        chains.chain_of([Forbid(strings=["a", "b", "c"])], {}, ENDLESS)


@pytest.mark.parametrize("strings", [[], "", ["a", ""], [3], 3, ["a", None], b"a"], ids=repr)
def test_what_is_no_string_is_refused(strings):
    with pytest.raises(InputError, match="strings must be a text that is not empty, or a list of them"):
        Forbid(strings=strings)
    with pytest.raises(InputError, match="give one of characters, category, pattern and strings"):
        Forbid("a", strings=["b"])


def test_too_many_strings_are_refused():
    with pytest.raises(InputError, match="10,000 characters together"):
        Forbid(strings=["a" * 6000 + "b" * 6000]).bind(CHARACTERS)


# Contradictions


@pytest.mark.parametrize(
    "wrong",
    [
        [Pattern("ab"), Forbid("b")],
        [Pattern("ab"), Pattern("ba")],
        [Allow("a"), Forbid("a")],
        [Allow("a"), Allow("b")],
        [Pattern("a+"), Forbid(strings=["a"])],
        [LogitBias({"a": -np.inf}), Pattern("a")],
        [Mask([True, True, True, False, True, True]), Pattern("a")],
    ],
    ids=lambda wrong: ", ".join(type(each).__name__ for each in wrong),
)
def test_what_no_text_satisfies_is_refused_when_it_is_made(wrong):
    for order in (wrong, wrong[::-1]):
        with pytest.raises(InputError, match="no text satisfies all constraints"):
            chains.chain_of(order, {}, CHARACTERS)


@pytest.mark.parametrize(
    "after",
    [DRY(), RepetitionPenalty(2.0), TopK(3), TopP(0.5), MinP(0.1), Temperature(2.0), Mirostat(), LogitBias({"a": 2.0})],
)
def test_what_can_do_nothing_is_refused(after):
    name = type(after).__name__
    with pytest.raises(InputError, match=rf"{name} can do nothing after Temperature\(0\)"):
        chains.chain_of([Temperature(0), after], {}, CHARACTERS)
    assert len(chains.chain_of([after, Temperature(0)], {}, CHARACTERS)) == 2


@pytest.mark.parametrize(
    "after", [NoRepeatNgram(2), Forbid("a"), Allow("a"), Pattern("b"), Forbid(strings=["a"]), LogitBias({"a": -np.inf})]
)
def test_what_forbids_holds_after_the_likeliest_was_taken_too(after):
    chain = chains.chain_of([Temperature(0), after], {}, CHARACTERS)
    other = chains.chain_of([after, Temperature(0)], {}, CHARACTERS)
    assert [type(each) for each in chain] == [type(each) for each in other]


class Undoing(sampling.Transform):
    """Gives every token the same chance."""

    def __call__(self, logits):
        return tf.zeros_like(logits)


def test_a_transform_of_ones_own_brings_nothing_back():
    chain = chains.chain_of([Forbid("b"), Undoing(), Pattern("[ab]+")], {}, CHARACTERS)
    assert {CHARACTERS.decode(ids) for ids in walks(chain, CHARACTERS, 3)} == {"a", "aa", "aaa"}


# In texts: a network that wants the next letter after each one

LETTERS = Vocabulary([chr(code) for code in range(ord("a"), ord("z") + 1)], counts=[0, 0, 1, *[1] * 26])


@pytest.fixture(name="writer", scope="module")
def writer_fixture():
    return Writer(LETTERS, Alphabet())


GREEDY = Temperature(0)


@pytest.mark.slow
def test_a_row_for_which_nothing_is_left_ends_with_a_reason_and_not_the_batch(writer):
    given_ = {"length": 6, "sampler": [GREEDY, NoRepeatNgram(1), Allow("abcd")], "min_length": 99, "echo": False}
    one, other, third = writer.generate(["a", "bc", "x"], return_scores=True, **given_)
    assert (one.text, one.finish_reason) == ("bcd", "nothing_left")
    assert (other.text, other.finish_reason) == ("da", "nothing_left")
    assert (third.text, third.finish_reason) == ("abcd", "nothing_left")
    assert len(one.tokens) == len(one.log_probabilities) == len(one.alternatives) == 3
    assert writer.generate(["a", "bc", "x"], **given_) == ["bcd", "da", "abcd"]
    given_.pop("echo")
    assert ["".join(writer.stream(prompt, **given_)) for prompt in ["a", "bc", "x"]] == ["bcd", "da", "abcd"]


def test_each_text_says_why_it_ended(writer):
    def reason(**more):
        return writer.generate("a", length=5, return_scores=True, **more).finish_reason

    assert reason(temperature=0) == "length"
    assert reason(temperature=0, stop="cd") == "stop"
    assert reason(sampler=[Pattern("bc"), GREEDY]) == "end"
    assert reason(temperature=0, max_time=1e-9) == "time"
    assert reason(sampler=[Pattern("bc"), GREEDY], min_length=3) == "nothing_left"


@pytest.mark.slow
def test_a_match_ends_also_where_texts_do_not():
    endless = Writer(Vocabulary(LETTERS.tokens[3:]), Alphabet())
    (text,) = endless.generate(["a"], sampler=[Pattern("[a-d]{3}"), GREEDY], return_scores=True)
    assert (text.text, text.finish_reason) == ("abcd", "end")


@pytest.mark.slow
def test_nothing_to_begin_with_is_an_error_only_where_no_row_has_anything(writer):
    sampler = [Forbid(strings=["ab", "b"]), Pattern("b|c"), GREEDY]
    assert writer.generate(["a"], sampler=[Pattern("b|c"), Forbid(strings=["ab"]), GREEDY]) == ["ac"]
    assert writer.generate(["a", "x"], sampler=sampler) == ["ac", "xc"]
    sampler = [Pattern("b"), Forbid(strings=["ab"]), GREEDY]
    assert writer.generate(["a", "x"], sampler=sampler, echo=False) == ["", "b"]
    for search in ({}, {"num_beams": 2}):
        with pytest.raises(InputError, match="leaves no token to begin with"):
            writer.generate("a", sampler=sampler[:2], **search)


class Diverging(Alphabet):
    """Has lost its distribution after a d."""

    def step(self, ids, state, context):
        logits, after = super().step(ids, state, context)
        return tf.where((ids == LETTERS.tokens.index("d"))[:, tf.newaxis], np.nan, logits), after


@pytest.mark.slow
def test_a_network_that_diverges_in_mid_text_is_named_and_not_the_sampler():
    diverging = Writer(LETTERS, Diverging())
    assert diverging.generate("a", length=3, temperature=0) == "abcd"
    for more in ({}, {"num_beams": 3}, {"sampler": [GREEDY]}, {"sampler": [TopP(0.9), MinP(0.1)]}):
        with pytest.raises(InputError, match="the network's output is NaN"):
            diverging.generate(["x", "a"], length=9, **more)
    with pytest.raises(InputError, match="the network's output is NaN"):
        list(diverging.stream("a", length=9, temperature=0))


@pytest.mark.slow
def test_banned_strings_hold_under_xla_too(writer):
    call = {"length": 60, "sampler": [Temperature(9.0), Forbid(strings=["de", "b"])], "seed": [3, 4, 5], "echo": False}
    texts = writer.generate(["a", "d", "xd"], jit_compile=True, **call)
    assert texts == writer.generate(["a", "d", "xd"], **call)
    assert sum(map(len, texts)) > 100
    assert not any("b" in text or "de" in prompt + text for prompt, text in zip("add", texts, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"top_p": 5e-324}, {"typical_p": 5e-324}, {"top_p": 1e-310, "temperature": 3.0}])
def test_the_smallest_shares_leave_the_likeliest(writer, settings):
    assert len(writer.generate("a", length=9, echo=False, seed=1, **settings)) == 9
    if "top_p" in settings:
        assert writer.generate("a", length=9, **settings) == writer.generate("a", length=9, temperature=0)


@pytest.mark.slow
def test_the_largest_penalty_of_lengths_compares_long_texts(writer):
    likeliest = writer.generate("a", length=1500, num_beams=2, length_penalty=0.0)
    assert writer.generate("a", length=1500, num_beams=2, length_penalty=99.9) == likeliest


def test_a_search_keeps_the_other_prompts_too(writer):
    sampler = [Pattern("b"), Forbid(strings=["ab"])]
    assert writer.generate(["a", "x"], sampler=sampler, num_beams=2) == ["a", "xb"]
    found = writer.generate(["a", "x"], sampler=[NoRepeatNgram(1), Allow("ab")], num_beams=2, length=9, min_length=9)
    assert found == ["ab", "xab"]


@pytest.mark.slow
@pytest.mark.parametrize("strings", [["de"], ["def", "b"], ["z", "cd"]])
def test_banned_strings_hold_in_batches_streams_searches_and_sessions_alike(writer, strings):
    prompts = ["a", "ab", "abcd", "y"]
    sampler = [Temperature(9.0), Forbid(strings=strings)]
    together = writer.generate(prompts, length=60, sampler=sampler, seed=[3, 4, 5, 6], echo=False)
    for prompt, seed, text in zip(prompts, [3, 4, 5, 6], together, strict=True):
        assert "".join(writer.stream(prompt, length=60, sampler=sampler, seed=seed)) == text
        session = writer.start(prompt, seed=seed)
        assert "".join(session.generate(20, sampler=sampler) for _ in range(3)) == text
        for string in strings:
            assert string not in (prompt + text)[max(len(prompt) - len(string) + 1, 0) :]
    assert len("".join(together)) > 100
    (found,) = writer.generate(["a"], length=6, num_beams=3, sampler=[Forbid(strings=strings)], echo=False)
    assert not any(string in found for string in strings)


def test_a_session_that_came_to_where_nothing_is_left_goes_on_from_there(writer):
    session = writer.start("a", seed=1)
    assert session.generate(9, sampler=[GREEDY, NoRepeatNgram(1), Allow("abcd")], min_length=9) == "bcd"
    assert not session.finished
    assert session.text == "abcd"
    with pytest.raises(InputError, match="leaves no token to begin with"):
        session.generate(9, sampler=[GREEDY, NoRepeatNgram(1), Allow("abcd")], min_length=9)
    assert session.generate(3, temperature=0) == writer.generate("abcd", length=3, temperature=0, echo=False)


def test_xla_meets_automata_of_few_sizes_that_say_the_same():
    vocabulary = Vocabulary.from_texts(["abcdef"])
    logits, sizes = tf.zeros([1, len(vocabulary)], tf.float64), set()
    for length in (17, 20, 25, 29):
        both = [Pattern("[a-d]" * length + "e?").bind(vocabulary)]
        both.append(both[0].in_rooms())
        sizes.add(tuple(tuple(each.shape) for each in (both[1].transitions, both[1].moves, both[1].starts)))
        states = [each.start(tf.constant([[END]]), len(vocabulary)) for each in both]
        for _ in range(3):
            kept = [each.apply(logits, state) for each, state in zip(both, states, strict=True)]
            np.testing.assert_array_equal(*kept)
            drawn = tf.constant(vocabulary.encode("c"))
            states = [each.update(state, drawn, logits) for each, state in zip(both, states, strict=True)]
    assert len(sizes) == 1
