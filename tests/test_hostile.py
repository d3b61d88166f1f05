"""Some thousands of damaged inputs for every reader; `benchmarks/fuzz.py` gives them a hundred thousand."""

import random
import time

import hostile
import pytest
import readers
from cli_support import model_bytes_fixture  # noqa: F401 - a fixture
from effort import OTHERS, share_of
from memory_support import forget_peak

from tfgen.errors import InputError

COUNT = share_of(120)
PLAIN = [reader.name for reader in readers.plain_readers(b"")]
SEED = random.randrange(10**9) if OTHERS else 0  # as with Hypothesis


def assert_no_finding(reader, folder, count):
    outcomes, findings = hostile.fuzz(reader, count, SEED, folder)
    assert not findings, f"seed {SEED}, {findings[0]}"
    assert outcomes["refused"] > 0


@pytest.mark.random
@pytest.mark.parametrize("name", PLAIN)
def test_a_reader_gives_a_result_or_refuses_in_one_line(name, tmp_path, model_bytes):
    (reader,) = (reader for reader in readers.plain_readers(model_bytes) if reader.name == name)
    assert_no_finding(reader, tmp_path, round(COUNT * reader.share))


@pytest.mark.slow
def test_so_do_readers_that_take_a_network(tmp_path, model_bytes):
    for reader in readers.slow_readers(model_bytes):
        assert_no_finding(reader, tmp_path, round(COUNT * reader.share) + 8)


def refuse(message):
    raise InputError(message)


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (lambda data, chance, folder: 1 / 0, "ZeroDivisionError"),
        (lambda data, chance, folder: refuse("two\nlines"), "its message is"),
        (lambda data, chance, folder: refuse((folder / "half").write_bytes(data)), "it leaves"),
        (lambda data, chance, folder: len(b"x" * (64 << 20)), "memory grew"),
        (lambda data, chance, folder: time.sleep(9), "more than 1 s"),
    ],
)
def test_what_no_reader_may_do_is_found(tmp_path, monkeypatch, fault, found):
    if found == "memory grew":
        forget_peak()  # which skips the test where memory cannot be measured
    monkeypatch.setattr(hostile, "SECONDS", 1)
    monkeypatch.setattr(hostile, "MEMORY", 32 << 20)
    outcomes, (finding,) = hostile.fuzz(hostile.Reader("x", fault, [b"seed"]), 1, SEED, tmp_path)
    assert found in str(finding)
    assert outcomes == {"fault": 1}
