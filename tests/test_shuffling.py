"""A random order that is never held: all are there once, and each anywhere."""

from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tfgen.datasets import permutation
from tfgen.datasets.permutation import shuffled

SEEDS = st.integers(0, 2**63)


@given(st.integers(1, 3000), SEEDS, st.integers(0, 10**6))
def test_each_thing_has_one_place(count, seed, epoch):
    order = shuffled(np.arange(count), count, seed, epoch)
    assert np.array_equal(np.sort(order), np.arange(count))


@given(st.integers(1, 2**45), SEEDS, st.data())
def test_what_stands_at_a_place_does_not_depend_on_the_places_asked_for(count, seed, data):
    places = np.array(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=5)))
    together = shuffled(places, count, seed, 3)
    assert [shuffled(places[i : i + 1], count, seed, 3)[0] for i in range(len(places))] == together.tolist()
    assert ((together >= 0) & (together < count)).all()


def test_each_thing_stands_anywhere():
    count, draws = 7, 2100
    orders = np.stack([shuffled(np.arange(count), count, seed, 0) for seed in range(draws)])
    for place in range(count):
        seen = np.bincount(orders[:, place], minlength=count)
        # Chi-square with 6 degrees of freedom exceeds 37 in two cases of a million.
        assert ((seen - draws / count) ** 2 / (draws / count)).sum() < 37


def test_neighbours_do_not_stay_neighbours_and_epochs_differ():
    one, other = (shuffled(np.arange(10_000), 10_000, 5, epoch) for epoch in (0, 1))
    assert (np.abs(np.diff(one)) == 1).sum() < 20
    assert (one == other).sum() < 20


def batch_cut(order, steps):
    """The order in so many parts of about one length, each of which ends where its share of all ends."""
    return np.split(order, [len(order) * step // steps for step in range(1, steps)])


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 20), st.none() | SEEDS)
def test_batches_are_the_order_cut_however_many_are_looked_up_at_once(count, batch_size, together, seed):
    with mock.patch.object(permutation, "_TOGETHER", together):
        batch = permutation.batches(count, batch_size, seed)
    order = np.arange(count) if seed is None else shuffled(np.arange(count), count, seed, 1)
    steps = range(-(-count // batch_size))
    cut = [each.tolist() for each in batch_cut(order, len(steps))]
    assert max(map(len, cut)) - min(map(len, cut)) <= 1
    assert [batch(1, step).tolist() for step in steps] == cut
    assert [batch(1, step).tolist() for step in reversed(steps)] == cut[::-1]
