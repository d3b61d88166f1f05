"""Sessions: one text that goes on, forks, is saved and resumed, as if it had been written in one go."""

import io
import os
import random
import tracemalloc
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from memory_support import forget_peak, peak

from tfgen import InputError, TextGenerator, Vocabulary
from tfgen.sampling import DRY, Mirostat, Pattern, Temperature
from tfgen.writing.session import Session

TEXT = "the quick brown fox jumps over the lazy dog. "


@pytest.fixture(scope="module")
def generator():
    return TextGenerator.build(Vocabulary.from_texts([TEXT]), units=8, layers=2, seed=1)


def test_parts_are_the_text_of_one_call(generator):
    whole = generator.generate("the ", length=60, seed=3, temperature=0.9)
    session = generator.start("the ", seed=3)
    parts = [session.generate(20, temperature=0.9), *session.stream(33, temperature=0.9)]
    parts.append(session.generate(7, temperature=0.9))
    assert "the " + "".join(parts) == session.text == whole


@pytest.mark.parametrize("sampler", [[Mirostat(1.5, 0.3)], [DRY(allowed_length=1, window=64), Temperature(0.7)]])
def test_a_sampler_with_a_memory_goes_on_too(generator, sampler):
    whole = generator.generate("the ", length=50, seed=3, sampler=sampler)
    session = generator.start("the ", seed=3)
    for _ in range(5):
        session.generate(10, sampler=sampler)
    assert session.text == whole


def test_a_stream_ends_where_another_answer_has_begun(generator):
    session = generator.start("the ", seed=3)
    one = session.stream(30)
    begun = "the " + next(one) + next(one)
    assert session.text == begun
    text = begun + session.generate(10)
    with pytest.raises(InputError, match="begun another answer"):
        next(one)
    assert session.text == text == generator.generate("the ", length=len(text) - 4, seed=3)


def test_another_sampler_reads_the_text_so_far(generator):
    session = generator.start("the ", seed=3)
    session.generate(20)
    twin = session.fork()
    penalised = session.generate(20, temperature=0, repetition_penalty=5.0)
    again = generator.generate(twin.text, length=20, temperature=0, repetition_penalty=5.0, echo=False)
    assert penalised == again


def test_forks_part_only_by_their_seeds(generator):
    session = generator.start("the ", seed=3)
    session.generate(10)
    twins = [session.fork() for _ in range(3)]
    others = [session.fork(seed) for seed in (1, 2)]
    texts = [each.generate(40) for each in (session, *twins)]
    assert len(set(texts)) == 1
    assert len({each.generate(40) for each in others} | set(texts)) == 3


def test_a_thousand_forks_are_light(generator):
    session = generator.start("the ", seed=3)
    forks = [session.fork(seed) for seed in range(1000)]
    assert all(each._compiled is session._compiled for each in forks)
    assert forks[999].generate(5) == forks[999].text[4:]


def test_what_is_saved_goes_on_with_the_same_character(generator, tmp_path):
    for sampler in ([Temperature(1.2)], [Mirostat(1.5, 0.3)]):
        session = generator.start("the ", seed=3)
        session.generate(25, sampler=sampler)
        session.save(tmp_path / "session")
        resumed = generator.resume(tmp_path / "session")
        assert resumed.text == session.text
        assert resumed.generate(25, sampler=sampler) == session.generate(25, sampler=sampler)
    assert [path.name for path in tmp_path.iterdir()] == ["session"]


@pytest.mark.parametrize("policy", ["float64", "mixed_bfloat16", "mixed_float16"])
def test_numbers_of_every_precision_are_kept(policy, generator, tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        session = TextGenerator.build(generator.vocabulary, units=4, seed=1).start("the ", seed=3)
    finally:
        keras.config.set_dtype_policy(before)
    session.save(tmp_path / "session")
    resumed = Session.load(tmp_path / "session", session._compiled, generator.vocabulary)
    for one, other in zip(tf.nest.flatten(session._position), tf.nest.flatten(resumed._position), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_a_session_of_another_model_is_refused(generator, tmp_path):
    generator.start("the ").save(tmp_path / "session")
    other = TextGenerator.build(generator.vocabulary, units=8, layers=2, seed=2)
    with pytest.raises(InputError, match="another model"):
        other.resume(tmp_path / "session")


def test_a_damaged_session_is_refused(generator, tmp_path):
    path = tmp_path / "session"
    generator.start("the ", seed=1).save(path)
    good = path.read_bytes()
    rng = random.Random(0)
    for _ in range(60):
        data = bytearray(good[: rng.randrange(len(good))] if rng.random() < 0.5 else good)
        for _ in range(rng.randrange(1, 4)):
            if data:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(data))
        refused = ""
        try:
            assert generator.resume(path).text == "the "
        except InputError as error:
            refused = str(error)
        assert "\n" not in refused
        assert not refused or "session" in refused
    for content in (b"", b"text", np.random.default_rng(0).bytes(500)):
        path.write_bytes(content)
        with pytest.raises(InputError, match="session"):
            generator.resume(path)
    with pytest.raises(InputError, match="cannot be read"):
        generator.resume(tmp_path / "nothing")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_session_that_claims_more_than_it_holds_is_refused_before_memory_is_taken(generator, tmp_path, compression):
    path = tmp_path / "session"
    generator.start("the ", seed=1).save(path)
    with np.load(path) as file:
        arrays = dict(file)
    zeros = io.BytesIO()
    np.save(zeros, np.zeros(10**7, np.int32) if compression else np.zeros(100, np.int32))
    content = zeros.getvalue() if compression else zeros.getvalue().replace(b"(100,), }     ", b"(10000000,), }")
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("history.npy", content)
        for name in arrays.keys() - {"history"}:
            each = io.BytesIO()
            np.save(each, arrays[name])
            archive.writestr(f"{name}.npy", each.getvalue())
    del zeros, content
    before = forget_peak()
    with pytest.raises(InputError, match=r"bytes and claims 40,\d+,\d+: it is not a session"):
        generator.resume(path)
    assert peak() - before < 20 << 20


@pytest.mark.parametrize("path", ["/dev/zero", "pipe"])
def test_a_session_is_a_file(generator, tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with pytest.raises(InputError, match="is a pipe, a socket or a device, and must be a file"):
        generator.resume(path)


def test_an_answer_that_stops_goes_on_after_the_stop_string(generator):
    whole = generator.generate("the ", length=60, seed=3, echo=False)
    stop = whole[20:23]
    end = whole.find(stop) + 3
    session = generator.start("the ", seed=3)
    assert session.generate(60, stop=stop) == whole[: end - 3]
    assert session.text == "the " + whole[:end]
    assert not session.finished
    assert session.generate(60 - end) == whole[end:]


def test_a_text_that_ends_writes_no_more():
    titles = TextGenerator.build(Vocabulary.from_texts(["ab"] * 3, ends=True), units=4, seed=1)
    session = titles.start("a", seed=1)
    session.generate(500)
    assert session.finished
    assert session.generate(10) == ""
    fresh = titles.start("a", seed=1)
    assert len(fresh.generate(30, min_length=30)) == 30


@pytest.mark.slow
@pytest.mark.parametrize("ends", [False, True])
def test_the_end_of_a_match_ends_the_answer_and_not_the_session(ends, tmp_path):
    generator = TextGenerator.build(Vocabulary.from_texts([TEXT] * 3, ends=ends), units=8, seed=1)
    session = generator.start("the ", seed=3)
    number = [Pattern("[a-f]{3}"), Temperature(1.0)]
    first = session.generate(50, sampler=number)
    assert len(first) == 3
    assert not session.finished
    assert session.text == "the " + first
    twin = generator.start("the " + first, seed=9)
    assert session.fork().generate(12, temperature=0) == twin.generate(12, temperature=0), "the end was never read"
    second = session.generate(50, sampler=number)
    session.save(tmp_path / "session")
    third = session.generate(50, sampler=number)
    assert generator.resume(tmp_path / "session").generate(50, sampler=number) == third
    assert session.text == "the " + first + second + third
    assert {len(each) for each in (second, third)} == {3}
    assert len({first, second, third}) > 1, "the draws go on"


def test_a_match_that_was_cut_short_goes_on(generator):
    session, long = generator.start("the ", seed=3), [Pattern("[a-f]{9}"), Temperature(1.0)]
    parts = [session.generate(4, sampler=long), session.generate(99, sampler=long)]
    assert [len(part) for part in parts] == [4, 5]


def test_a_stream_that_nobody_takes_changes_nothing(generator):
    long = [Pattern("[a-f]{9}"), Temperature(1.0)]
    session = generator.start("the ", seed=3)
    session.generate(4, sampler=long)
    twin = session.fork()
    session.stream(5, temperature=0.5)
    assert session.generate(99, sampler=long) == twin.generate(99, sampler=long)


@pytest.mark.slow
def test_a_session_holds_one_copy_of_its_text_however_often_it_writes():
    generator = TextGenerator.build(Vocabulary.from_texts(["ab"]), cell="rnn", units=2, seed=1)
    session = generator.start("a" * 60_000, seed=1)
    session.generate(1)
    tracemalloc.start()
    try:
        for _ in range(50):
            session.generate(1)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 180_000, "each answer would copy the history of 240,000 bytes"
    assert len(session.text) == 60_051


def test_memory_that_runs_out_is_no_damage(generator, tmp_path, monkeypatch):
    generator.start("the ").save(tmp_path / "session")
    monkeypatch.setattr(np, "load", _no_memory)
    with pytest.raises(MemoryError):
        generator.resume(tmp_path / "session")


def _no_memory(*arguments, **options):
    raise MemoryError
