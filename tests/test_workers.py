"""Several workers compute what one does, and go on as one where they were killed; TensorFlow's collectives for real."""

import signal

import numpy as np
import pytest
import tensorflow as tf
import workers_support as support
from hypothesis import given
from hypothesis import strategies as st

from tfgen import TextGenerator, Vocabulary, datasets, workers
from tfgen.datasets import course
from tfgen.datasets.shares import Share
from tfgen.errors import InputError

CUTS = ("streams", "windows", "documents", "pairs")


@given(st.integers(1, 40), st.integers(1, 9))
def test_shares_are_the_whole_batch_in_order(rows, size):
    batch = np.arange(rows)
    targets = np.arange(1, rows + 1)[:, np.newaxis]
    shares = [Share(rank, size) for rank in range(size)]
    assert len({len(each.of(batch)) for each in shares}) == 1
    real = np.concatenate([each.targets(each.of(targets), rows)[:, 0] for each in shares])
    assert real[real > 0].tolist() == targets[:, 0].tolist()
    assert np.concatenate([each.of(batch) for each in shares])[:rows].tolist() == batch.tolist()


@pytest.mark.parametrize("size", [2, 3])
def test_workers_read_their_rows_of_every_batch(size):
    vocabulary = Vocabulary.from_texts(["abc"], ends=True)
    lines = [f"{'a' * (i % 7)}b{'c' * (i % 3)}" for i in range(23)]
    whole = datasets.pairs(lines, lines, vocabulary, source_vocabulary=vocabulary, batch_size=7, validation=0)[0]
    parts = [course.shared(whole, Share(rank, size)) for rank in range(size)]
    assert {course.course_of(each).fingerprint() for each in [whole, *parts]} == {course.course_of(whole).fingerprint()}
    for batch, *shares in zip(whole, *parts, strict=True):
        rows = len(batch[1])
        joined = [np.concatenate(each)[:rows] for each in zip(*map(tf.nest.flatten, shares), strict=True)]
        for one, other in zip(tf.nest.flatten(batch), joined, strict=True):
            np.testing.assert_array_equal(one, other)


def test_one_process_is_a_worker_too(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    alone = workers.join()
    assert (alone.rank, alone.size, alone.is_chief) == (0, 1, True)
    assert alone.gather(b"here") == [b"here"]
    with pytest.raises(InputError, match=r"^it is wrong\.$"), alone.agreeing():
        raise InputError("it is wrong.")


@pytest.mark.parametrize("config", ["{", "{}", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}'])
def test_a_list_that_is_none_is_refused(monkeypatch, config):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(InputError, match="TF_CONFIG must"):
        workers.join()


def test_rows_that_cannot_be_shared_are_refused():
    generator = TextGenerator.build(Vocabulary.from_texts(["ab"]), cell="rnn", units=2, batch_size=6)
    with pytest.raises(InputError, match="the state of 6 rows, which 4 workers cannot share"):
        generator.workers = workers.Workers(0, 4)
    with pytest.raises(InputError, match="workers must be what"):
        generator.workers = 2


def test_rows_start_anew_whoever_has_them():
    generator = TextGenerator.build(Vocabulary.from_texts(["ab"]), cell="rnn", units=2, batch_size=8)
    from tfgen.fitting import carried_state
    from tfgen.networks import recurrent

    def kept(rank, size):
        generator.workers = workers.Workers(rank, size)
        (state,) = recurrent.training_state(generator.network)
        state.assign(tf.ones_like(state))
        carried_state.restart_rows(generator.network, 0.5, tf.constant(3), generator.workers)
        return state.numpy()[:, 0].tolist()

    whole = kept(0, 1)
    assert 0 < sum(whole) < 8
    assert [*kept(0, 2), *kept(1, 2)] == [*kept(0, 4), *kept(1, 4), *kept(2, 4), *kept(3, 4)] == whole


@pytest.fixture(name="one", scope="module")
def one_fixture(tmp_path_factory):
    """What one process finds."""
    folder = tmp_path_factory.mktemp("one")
    support.run(1, folder, *CUTS)
    return {cut: support.found(folder, cut) for cut in CUTS}


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-5, err_msg=name)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 3])
def test_workers_compute_what_one_does(one, tmp_path, size):
    cuts = CUTS if size == 2 else CUTS[1:]  # 8 streams are shared by no three
    support.run(size, tmp_path, *cuts)
    for cut in cuts:
        assert len(one[cut]["losses"]) >= 50
        assert_close(support.found(tmp_path, cut), one[cut])
        for rank in range(1, size):
            assert_same(support.found(tmp_path, cut, rank), support.found(tmp_path, cut))
        assert (tmp_path / f"{cut}.found.keras").exists()


def killed(size, rank, at, folder, *arguments):
    """Run until one worker kills itself at a batch, and end the others as whatever had started them would."""
    with support.started(size, folder, *arguments, "--resume", "--killed", rank, "--kill-at", at) as processes:
        said, _ = processes[rank].communicate(timeout=support.PATIENCE)
        assert processes[rank].returncode == -signal.SIGKILL, said


@pytest.mark.slow
@pytest.mark.parametrize(("cut", "rank", "at"), [("streams", 1, 40), ("documents", 0, 33)])
def test_a_worker_that_was_killed_costs_no_bit(tmp_path, cut, rank, at):
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    support.run(2, tmp_path / "whole", cut, "--resume")
    killed(2, rank, at, tmp_path / "killed", cut)
    support.run(2, tmp_path / "killed", cut, "--resume")
    assert_same(support.found(tmp_path / "killed", cut), support.found(tmp_path / "whole", cut))
    assert_same(support.found(tmp_path / "killed", cut, 1), support.found(tmp_path / "whole", cut, 1))


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_workers(one, tmp_path):
    killed(4, 2, 45, tmp_path, "streams")
    killed(2, 1, 50, tmp_path, "streams")
    (said,) = support.run(1, tmp_path, "streams", "--resume")
    assert "2 workers and goes on with" in said
    assert_close(support.found(tmp_path, "streams"), one["streams"])
