"""Laws of patterns: what is written matches as `re.fullmatch` says, and all that matches can be written."""

import collections
import itertools
import re
import string
import time

import numpy as np
import pytest
import tensorflow as tf
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from tfgen import sampling
from tfgen.errors import InputError
from tfgen.sampling import Pattern
from tfgen.sampling.automaton import START
from tfgen.sampling.chain import chain_of
from tfgen.vocabulary.vocabulary import END, PADDING, UNKNOWN, Vocabulary
from tfgen.writing import loop
from tfgen.writing.strategies import Drawing

ALPHABET = "ab\n"
SMALL = Vocabulary(list(ALPHABET))
LETTERS = Vocabulary(list(string.ascii_letters + string.digits + " @.-:_,\n"))
WORDS = Vocabulary(["to", " to", " be", "be", " or", " not", "\n", "!", " 19", "84", " 1984", "e", "r"], split="word")

unhurried = settings(deadline=None)

# Regular expressions over a small alphabet

ATOMS = ["a", "b", "a", "b", "ab", "", ".", "(?s:.)", "[ab]", "[^a]", r"\w", r"\S", r"\s", "(?i:B)", r"\n"]
ANCHORS = ["^", "$", r"\A", r"\Z"]
QUANTIFIERS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,3}", "{2,}", "{,2}?", "{0}"]


def larger(inner):
    return st.one_of(
        st.lists(inner, min_size=2, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(QUANTIFIERS)).map(lambda parts: f"({parts[0]}){parts[1]}"),
    )


EXPRESSIONS = st.recursive(st.sampled_from(ATOMS), larger, max_leaves=8)
ANCHORED = st.recursive(st.sampled_from(ATOMS + ANCHORS), larger, max_leaves=6)


def machine(pattern, vocabulary):
    """Give next states (S, V), -1 for none."""
    bound = Pattern(pattern).bind(vocabulary)
    return bound.transitions.numpy()[:, bound.columns.numpy()]


def writable(following, ids):
    """Say whether ids, and then the end of the text, are permitted one after the other."""
    state = START
    for i in [*ids, END]:
        state = following[state, i]
        if state < 0:
            return False
    return True


def completion(following, state):
    """Give the ids of a shortest way to a match."""
    paths = {state: []}
    waiting = collections.deque([state])
    while waiting:
        state = waiting.popleft()
        if following[state, END] >= 0:
            return paths[state]
        for i, after in enumerate(following[state]):
            if after >= 0 and after not in paths:
                paths[after] = [*paths[state], i]
                waiting.append(after)
    raise AssertionError("a dead end")


def walk(following, draw, most):
    """Write at random; give the ids without the end, whether it was reached, and the state."""
    ids, state = [], START
    while len(ids) < most:
        kept = np.flatnonzero(following[state] >= 0)
        i = draw(kept.tolist())
        if i == END:
            return ids, True, state
        ids.append(i)
        state = following[state, i]
    return ids, False, state


def check_language(pattern):
    texts = ["".join(text) for n in range(6) for text in itertools.product(ALPHABET, repeat=n)]
    matching = {text for text in texts if re.fullmatch(pattern, text)}
    try:
        following = machine(pattern, SMALL)
    except InputError:  # such as a^, which nothing matches
        assert not matching
        return
    assert {text for text in texts if writable(following, SMALL.encode(text))} == matching


@given(EXPRESSIONS)
@unhurried
def test_texts_can_be_written_exactly_if_they_match(pattern):
    check_language(pattern)


@given(ANCHORED)
@unhurried
def test_anchors_hold_where_re_says_so(pattern):
    check_language(pattern)


@given(EXPRESSIONS, st.data())
@unhurried
def test_random_writing_matches_and_never_comes_to_a_dead_end(pattern, data):
    try:
        following = machine(pattern, SMALL)
    except InputError:
        return
    assert (following[:, [PADDING, UNKNOWN]] < 0).all()
    ids, ended, state = walk(following, lambda ids: data.draw(st.sampled_from(ids)), most=12)
    text = SMALL.decode(ids)
    assert not ended or re.fullmatch(pattern, text)
    for length in range(len(ids) + 1):
        reached = START
        for i in ids[:length]:
            reached = following[reached, i]
        assert re.fullmatch(pattern, SMALL.decode(ids[:length] + completion(following, reached)))
    assert state == reached


@given(EXPRESSIONS)
@unhurried
def test_the_same_pattern_gives_the_same_automaton(pattern):
    try:
        first = machine(pattern, SMALL)
    except InputError:
        return
    np.testing.assert_array_equal(machine(pattern, SMALL), first)


PATTERNS = {
    r"[A-Z][a-z]+ [0-9]{4}": (["Anna 1984", "Zo 0000"], ["anna 1984", "Anna 198", "Anna1984", "Anna 19845", ""]),
    r"(a|b)*abb": (["abb", "aabb", "babaabb"], ["ab", "abba", ""]),
    r"": ([""], ["a"]),
    r"\w+@\w+\.(com|org)": (["a_1@b.org", "me@x.com"], ["@b.org", "a@b.net", "a@b.orgs", "a@b.c.com"]),
    r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])": (["1999-12-31"], ["1999-13-01", "1999-2-1"]),
    r"(?i)yes|no": (["YES", "nO"], ["yesno", "y"]),
    r"(?i:Y)es": (["yes", "Yes"], ["YES", "yEs"]),
    r"(?x) a b  # comment": (["ab"], ["a b"]),
    r"(?P<year>\d{2,3}?)(?:bc)?": (["44bc", "476"], ["1", "1234"]),
    r"((a{2}){2}|b+?)*c??": (["", "aaaabaaaac", "bbb"], ["aa", "aaab", "cc"]),
    r"[^\W\d_]+": (["abcXYZ"], ["a1", "_"]),
    r"a$": (["a"], ["a\n"]),
    r"a$\n": (["a\n"], ["a", "a\n\n"]),
    r"^\Aa?(?:^b)?\Z": (["", "a", "b"], ["ab"]),
    r".": (["a"], ["\n", ""]),
    r"(?s).": (["a", "\n"], [""]),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_known_patterns(pattern):
    following = machine(pattern, LETTERS)
    good, bad = PATTERNS[pattern]
    for text in good + bad:
        assert (text in good) == bool(re.fullmatch(pattern, text))
        assert writable(following, LETTERS.encode(text)) == (text in good), text


CLASSES = [r"\w", r"\W", r"\d", r"\s", r"\S", r"(?a)\w", r"(?a:\d)", ".", r"[\d\s]", "[^a-z]", "[α-ω]"]
CLASSES += ["(?i)[a-z]", "(?i)k", "(?ia)k", "(?i)ß", "(?i)ſ", "(?i)[^k-s]", r"(?i)[\w-]", "(?i)[α-ω]", "(?i)µ", "(?i)İ"]
CLASSES += ["(?i)ﬅ", "(?ia)[^é]", "(?i)[^ǅ]"]


@pytest.mark.parametrize("pattern", CLASSES)
def test_characters_are_as_re_says(pattern):
    codes = [*range(1, 0x600), *range(0x1E00, 0x2130), *range(0xFB00, 0xFB10), *range(0x1F600, 0x1F610)]
    characters = [chr(code) for code in codes if code != 3]
    following = machine(pattern, Vocabulary(characters))
    kept = [character for character, after in zip(characters, following[START, END + 1 :], strict=True) if after >= 0]
    assert kept == [character for character in characters if re.fullmatch(pattern, character)]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"(a)\1", "reference"),
        (r"(?P<x>a)(?P=x)", "reference"),
        (r"(a)?(?(1)b|c)", "condition"),
        (r"a(?=b)b", "lookahead"),
        (r"a(?<=a)b", "lookbehind"),
        (r"(?!b)a", "negative lookahead"),
        (r"(?<!b)a", "lookbehind"),
        (r"(?!)", "negative lookahead"),
        (r"(?>a|ab)b", "atomic"),
        (r"a*+", "possessive"),
        (r"\ba", r"\\b"),
        (r"\Ba", r"\\B"),
        (r"(?m)^a", "flag m"),
        (r"(?m:a$)", "flag m"),
        (r"(a", "no regular expression"),
        (r"a**", "no regular expression"),
        (r"(?L)a", "no regular expression"),
        (r"a{99999999999}", "no regular expression"),
        (r"((a{1000}){1000}){1000}", "too large"),
        ("(" * 5000 + ")" * 5000, "nested too deeply"),
        (b"a", "must be a str"),
    ],
)
def test_what_is_not_supported_is_refused_at_once_and_named(pattern, said):
    with pytest.raises(InputError, match=said):
        Pattern(pattern)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["[ab]*a[ab]{20}", "(?:a?){9000}", "[ab]{20000}", "(((((a?){9}){9}){9}){9}){9}"])
def test_an_explosion_is_refused_quickly(pattern):
    begin = time.monotonic()
    with pytest.raises(InputError, match="10,000 states"):
        Pattern(pattern).bind(SMALL)
    assert time.monotonic() - begin < 20  # two or three seconds, on a machine with nothing else to do


LONG = {  # with how many b match; re would try for ever
    ".{0,5000}": range(5001),
    "(?s:[ab]{10,280})": range(10, 281),
    "(?:[ab]{1,8}\\n?){1,100}": range(1, 801),
    "(?:a?b){20,}(?:b?b){3}": range(23, 10_000),
}


@pytest.mark.parametrize("pattern", LONG)
def test_long_patterns_are_compiled(pattern):
    following = machine(pattern, SMALL)
    _, b = SMALL.encode("ab")
    for n in [0, 1, 9, 10, 22, 23, 280, 281, 800, 801, 5000, 5001]:
        assert writable(following, [b] * n) == (n in LONG[pattern])


@pytest.mark.parametrize("pattern", ["(?:){1000000000}", "(?:){0,1000000000}", "(?:(?:a{0}){999999999}){99}"])
def test_nothing_can_be_repeated_for_ever(pattern):
    assert writable(machine(pattern, SMALL), [])


@pytest.mark.parametrize(
    ("pattern", "vocabulary", "said"),
    [
        ("a[x-z]|b@", SMALL, r"any of 'x' to 'z', '@' \(U\+0040\)"),
        (r"a\d[^\Wab]", SMALL, "any of digit, none of not word, 'a', 'b'"),
        ("a^b", SMALL, "do not add up"),
        ("bet", WORDS, "do not add up"),
    ],
)
def test_a_pattern_that_nothing_matches_is_refused(pattern, vocabulary, said):
    with pytest.raises(InputError, match=f"no text over this vocabulary matches.*{said}"):
        Pattern(pattern).bind(vocabulary)


@pytest.mark.slow
def test_words_take_several_steps_at_once():
    pattern = r"(to|be)( \w+){2}( \d{4})?[!]"
    following = machine(pattern, WORDS)
    tokens = range(END + 1, len(WORDS))
    found = 0
    for n in range(6):
        for ids in itertools.product(tokens, repeat=n):
            text = WORDS.decode(list(ids))
            matches = re.fullmatch(pattern, text) is not None
            found += matches
            assert writable(following, ids) == matches, text
    assert found > 100


def test_words_are_not_begun_that_no_other_word_can_finish():
    vocabulary = Vocabulary([" a", "ab", "b", "c"], split="word")
    following = machine(r"ab*d|b*", vocabulary)
    kept = [vocabulary.tokens[i] for i in np.flatnonzero(following[START] >= 0)]
    assert kept == ["\x03", "b"]


# As a transform


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_logits_of_what_is_permitted_stay_as_they_are(dtype):
    logits = np.arange(2 * len(SMALL)).reshape(2, -1).astype(dtype)
    bound = Pattern("a|b").bind(SMALL)
    shaped = bound(logits).numpy()
    assert shaped.dtype == dtype
    kept = np.isin(np.arange(len(SMALL)), SMALL.encode("ab"))
    np.testing.assert_array_equal(shaped, np.where(kept, logits, -np.inf))
    assert bound.ends
    assert Pattern("a|b").ends
    assert not sampling.Temperature(1.0).ends


def test_rows_follow_their_own_text_and_stay_when_finished():
    bound = Pattern("ab?").bind(SMALL)
    a, b = SMALL.encode("ab")
    logits = tf.zeros([3, len(SMALL)])
    state = bound.start(tf.constant([[a, b], [PADDING, b], [b, b]]), len(SMALL))
    state = bound.update(state, tf.constant([a, a, a]), logits)
    before = bound.update(state, tf.constant([b, END, END]), logits)
    after = bound.update(before, tf.constant([END, PADDING, PADDING]), logits)
    np.testing.assert_array_equal(after, before)
    np.testing.assert_array_equal(after[1:], state[1:])
    kept = np.isfinite(bound.apply(logits, before))
    assert [np.flatnonzero(row).tolist() for row in kept] == [[END], [END, b], [END, b]]


def test_off_the_pattern_nothing_can_come():
    bound = Pattern("a|b").bind(SMALL)
    logits = tf.zeros([1, len(SMALL)])
    lost = bound.update(tf.constant([START]), tf.constant([UNKNOWN]), logits)
    assert not np.isfinite(bound.apply(logits, lost)).any()


def test_another_pattern_does_not_compile_again():
    traces = []

    @tf.function
    def shape(transform, logits):
        traces.append(transform)
        return transform(logits)

    for pattern in ["a", "[ab]{7}", "(a|b)*abb"]:
        shape(Pattern(pattern).bind(SMALL), tf.zeros([1, len(SMALL)]))
    assert len(traces) == 1


# In the loop: a network that wants the next token of the vocabulary after each one, and no end.


def next_token(ids, state):
    size = len(LETTERS)
    ahead = (tf.range(size) - ids[:, tf.newaxis] - 1) % size
    return tf.where(tf.range(size) == END, -1000.0, -tf.cast(ahead, tf.float32)), state


GREEDY = sampling.Temperature(0.0)


def write(pattern, prompts, length=20, before=(), after=GREEDY, min_length=0):
    allowed = np.ones(len(LETTERS), bool)
    allowed[[PADDING, UNKNOWN]] = False
    chain = chain_of([*before, Pattern(pattern), after], {}, LETTERS)
    history = tf.constant([LETTERS.encode(prompt) for prompt in prompts])
    logits, network = next_token(history[:, -1], ())
    states = tuple(transform.start(history, len(LETTERS)) for transform in chain)
    seeds = tf.constant(sampling.row_seeds(0, len(prompts)))
    strategy = Drawing(tf.constant(allowed), chain, tf.constant(min_length))
    state = loop.begin(logits, network, states, seeds)
    _, record, _ = loop.decode(next_token, strategy, state, tf.constant(length))
    return [
        "".join("." if i == END else "_" if i == PADDING else LETTERS.decode([i]) for i in row.tolist())
        for row in record["ids"].numpy()
    ]


def test_a_greedy_text_follows_the_pattern():
    assert write("[a-d]+-[0-9]{2}|[x-z]*", ["a", "v"], length=12) == ["bcd-01._____", "xyzxyzxyzxyz"]
    assert write("[a-d]{2,5}|z", ["a", "v"]) == ["bcdab.", "z.____"]
    assert write("hello|help", ["z", "i"]) == ["help.", "help."]


def test_a_match_that_is_too_short_ends_where_nothing_is_left():
    assert write("[a-d]{3}", ["a"], min_length=10) == ["bcd_"]


def test_what_stands_before_it_in_the_chain_cannot_stop_it():
    assert write("[a-d]{3}", ["x"], before=(sampling.TopK(1),)) == ["abc."]


@given(st.sampled_from(["[a-c]{1,3}-?", "(ab|ba)+,", "x?y?z?", r"\w@\w\.(com|org)"]), st.integers(0, 2**31))
@examples(20)
def test_drawn_texts_match(pattern, seed):
    after = sampling.Temperature(np.inf)
    for text in write(pattern, list("abcdefgh"), length=60, after=after):
        text = text.rstrip("_")
        assert not text.endswith(".") or re.fullmatch(pattern, text.removesuffix("."))
        assert text.endswith(".") or len(text) == 60
