"""The data of the figure's stories: what is held out is never trained on, and every answer is the right one."""

import datetime
import importlib
import itertools
import random
import string
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.effort import examples

SEEDS = st.integers(0, 2**32)


def data(name: str, *packages: str):
    """Import a module of the folder; skip the test where a package that it reads is absent."""
    for package in packages:
        pytest.importorskip(package, reason=f"{package} is not installed: pip install '.[examples]'")
    return importlib.import_module(f"figure.{name}")


@pytest.fixture(scope="module")
def dates():
    return data("written_dates", "babel")


@pytest.fixture(scope="module")
def lists():
    return data("country_lists", "babel", "sklearn")


@pytest.fixture(scope="module")
def digits():
    return data("handwritten_digits", "sklearn")


@pytest.fixture(scope="module")
def letters():
    return data("letters", "matplotlib")


@pytest.fixture(scope="module")
def parts(letters):
    return letters.split()


# Dates


@examples(20)
@given(seed=SEEDS, held_out=st.booleans())
def test_an_iso_date_is_the_day_that_was_written(dates, seed, held_out):
    drawn = dates.drawn(50, held_out=held_out, seed=seed)
    for written, iso, language in zip(*drawn, strict=True):
        day = datetime.date.fromisoformat(iso)
        assert written in [dates.format_date(day, style, locale=language) for style in dates.STYLES]
        assert dates.is_held_out(day) == held_out


@examples(5)
@given(seed=SEEDS)
def test_no_day_is_both_trained_on_and_held_out_in_any_language(dates, seed):
    train = dates.drawn(2000, held_out=False, seed=seed)
    test = dates.drawn(2000, held_out=True, seed=seed)
    left_out = dates.drawn(200, held_out=True, languages=[*dates.LEFT_OUT], seed=seed)
    assert not set(train.iso) & (set(test.iso) | set(left_out.iso))
    assert not set(train.languages) & set(left_out.languages)


def test_the_days_of_both_parts_are_the_whole_calendar(dates):
    kept, held_out = dates.days(False), dates.days(True)
    assert sorted(kept + held_out) == [dates.FIRST + datetime.timedelta(n) for n in range(len(kept) + len(held_out))]
    assert max(kept + held_out) == dates.LAST
    assert len(held_out) == pytest.approx(len(kept + held_out) / 10, rel=0.05)


def test_a_written_date_means_one_day_in_whatever_language(dates):
    # The days on which day and month, or day and year, are most easily taken for one another, and some others.
    months = itertools.product([1901, 1912, 2012], range(1, 13))
    days = [datetime.date(year, month, day) for year, month in months for day in (1, 5, 12)]
    days += random.Random(0).sample(dates.days(True), 20)
    means: dict[str, set[datetime.date]] = {}
    for language in [*dates.LANGUAGES, *dates.LEFT_OUT]:
        for style in dates.STYLES:
            for day in days:
                means.setdefault(dates.format_date(day, style, locale=language), set()).add(day)
    assert {len(meant) for meant in means.values()} == {1}


def test_there_are_sixty_languages_and_five_more(dates):
    assert len(set(dates.LANGUAGES)) == len(dates.LANGUAGES) == 60
    assert len(dates.LEFT_OUT) == 5
    assert not set(dates.LANGUAGES) & set(dates.LEFT_OUT)


def test_babel_reads_numbers_and_no_names_of_months(dates):
    assert dates.read_by_babel("05.03.1952", "de") == "1952-03-05"
    assert dates.read_by_babel("5. März 1952", "de") != "1952-03-05"


# Letters


def test_every_picture_is_24_x_24_with_ink_between_0_and_1(parts):
    for part in parts:
        assert part.pictures.shape == (len(part.names), 24, 24, 1)
        assert part.pictures.dtype == np.float32
        assert part.pictures.min() == 0
        assert part.pictures.max() <= 1
        assert part.pictures.reshape(len(part.names), -1).max(axis=1).min() > 0.2  # none is empty


def test_every_name_is_the_letters(parts, letters):
    for part in parts:
        assert [unicodedata.lookup(name) for name in part.names] == part.letters
        assert {name.split()[0] for name in part.names} == set(letters.SCRIPTS)


def test_no_letter_of_the_unseen_is_trained_on_in_any_face(parts):
    assert not set(parts.train.letters) & set(parts.unseen_letters.letters)
    assert set(parts.unseen_face.letters) <= set(parts.train.letters)


@pytest.mark.parametrize("face", ["Serif-Italic", "Sans"])
def test_nothing_of_the_unseen_face_is_trained_on(letters, face):
    parts, drawn = letters.split(face), letters.drawn(face)
    rows = dict(zip(drawn.letters, drawn.pictures, strict=True))
    for letter, picture in zip(parts.unseen_face.letters, parts.unseen_face.pictures, strict=True):
        assert (rows[letter] == picture).all()
    others = sum(len(letters.drawn(other).letters) for other in letters.FACES if other != face)
    assert len(parts.train.letters) + len(parts.unseen_letters.letters) == others


def test_the_nearest_picture_of_a_trained_one_is_itself_or_its_twin(parts, letters):
    chosen = np.random.default_rng(0).choice(len(parts.train.names), 300, replace=False)
    pictures = parts.train.pictures[chosen]
    found = letters.nearest(parts.train, pictures)
    twins = {}
    for picture, name in zip(parts.train.pictures, parts.train.names, strict=True):
        twins.setdefault(picture.tobytes(), set()).add(name)
    assert all(name in twins[picture.tobytes()] for name, picture in zip(found, pictures, strict=True))


@examples(50)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_the_ceiling_is_what_is_right_if_one_of_each_look_alikes_is(letters, looks):
    pictures = np.array(looks, np.float32)[:, None, None, None] * np.ones((1, 24, 24, 1), np.float32)
    names = [f"LATIN {number}" for number in range(len(looks))]
    guesses = dict(zip(looks, names, strict=True))
    right = np.mean([guesses[look] == name for look, name in zip(looks, names, strict=True)])
    assert letters.ceiling(letters.Letters(pictures, names, names)) == pytest.approx(right)


WORDS = st.lists(st.sampled_from(["LATIN", "SMALL", "A", "B"]), min_size=1, max_size=5)
NAMES = st.lists(WORDS.map(" ".join), min_size=1)


@examples(50)
@given(NAMES)
def test_words_are_right_at_their_place(letters, names):
    assert letters.words_right(names, names) == 1
    assert letters.words_right(names, [""] * len(names)) == 0
    assert letters.words_right(names, [f"{name} MORE" for name in names]) == 1
    assert letters.words_right(names, [f"MORE {name}".lower() for name in names]) == 0


# Countries


@examples(10)
@given(seed=SEEDS, held_out=st.booleans())
def test_a_list_holds_three_countries_of_its_part_in_its_language(lists, seed, held_out):
    by_name = {lists.Locale(code).english_name: lists.Locale(code) for code in lists.LANGUAGES}
    for written, language, codes in zip(*lists.drawn(50, held_out=held_out, seed=seed), strict=True):
        assert len(set(codes)) == 3
        assert all(lists.is_held_out(code) == held_out for code in codes)
        assert all(by_name[language].territories[code] in written for code in codes)


def test_no_country_is_both_trained_on_and_held_out(lists):
    kept, held_out = lists.countries(False), lists.countries(True)
    assert not set(kept) & set(held_out)
    assert len(held_out) == pytest.approx(len(kept + held_out) / 4, rel=0.1)
    assert all(code.isalpha() for code in kept + held_out)


def test_naive_bayes_beats_chance_tenfold(lists):
    train, test = lists.drawn(2000, held_out=False), lists.drawn(500, held_out=True)
    assert np.mean(lists.naive_bayes(train, test) == np.array(test.languages)) > 10 / len(lists.LANGUAGES)


# Digits


def test_the_held_out_digits_are_the_contiguous_last_fifth(digits):
    train, test = digits.split()
    whole = digits.load_digits()
    assert len(test.digits) == -(-len(whole.target) // 5)
    assert "".join(train.digits + test.digits) == "".join(map(str, whole.target))
    np.testing.assert_array_equal(np.concatenate([train.pictures, test.pictures])[..., 0] * 16, whole.images)


def test_the_pictures_of_digits_are_8_x_8_with_ink_between_0_and_1(digits):
    for part in digits.split():
        assert part.pictures.shape == (len(part.digits), 8, 8, 1)
        assert part.pictures.min() == 0
        assert part.pictures.max() == 1
        assert set(part.digits) == set(string.digits)
