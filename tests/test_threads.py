"""The numbers of threads that tfgen reckons with are those that TensorFlow starts."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from cli_support import ENVIRONMENT
from hypothesis import given
from hypothesis import strategies as st

from tfgen.support import threads

INTRA, INTER = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"
VALUES = ("3", "0", "", "-1", "-7", "words", "2.0", "0x4", "1e1", " 5\t", "+4", "- 3", "007", "\uff13", "99999999999")
CASES = [
    {},
    # A negative number within an operation ends the process.
    *({INTER: value} if value.startswith("-") else {INTER: value, INTRA: value} for value in VALUES),
    {INTRA: "3", INTER: "4", "intra": 5, "inter": 6},
    {INTRA: "3", INTER: "4", "intra": 0, "inter": 0},
    {INTRA: "3", INTER: "4", "inter": -1},
    {"inter": -1},
    {"cores": [0]},
]
# Each case in a child, which sets what the case says before TensorFlow computes for the first time, and counts.
PROGRAM = """
import collections, json, os, pathlib, sys
import tensorflow as tf
from tfgen.support import threads

def started():
    tasks = pathlib.Path("/proc/self/task").iterdir()
    return collections.Counter("tf_Compute" in (task / "comm").read_text() for task in tasks)

def counted(case):
    if "cores" in case:
        os.sched_setaffinity(0, case.pop("cores"))
    for name, value in case.items():
        if name.startswith("TF_"):
            os.environ[name] = value
        else:
            getattr(tf.config.threading, f"set_{name}_op_parallelism_threads")(value)
    before = started()
    tf.function(lambda x: tf.reduce_sum(x @ x))(tf.ones((400, 400)))
    after = started()
    return [threads.within(), threads.between()], [after[False] - before[False], after[True]]

for case in json.loads(sys.argv[1]):
    sys.stdout.flush()
    if not os.fork():
        print(json.dumps(counted(case)), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path("/proc/self/task").is_dir(), reason="threads are counted as Linux shows them")
def test_both_numbers_are_those_of_the_threads_that_tensorflow_starts():
    environment = {name: value for name, value in ENVIRONMENT.items() if name not in (INTRA, INTER)}
    command = [sys.executable, "-c", PROGRAM, json.dumps(CASES)]
    out = subprocess.check_output(command, env=environment, text=True, stderr=subprocess.DEVNULL)
    counted = [json.loads(line) for line in out.splitlines()]
    assert len(counted) == len(CASES)
    # Beside the threads within an operation stand others, as many in each process.
    others = counted[0][1][0] - len(os.sched_getaffinity(0))
    for case, (reckoned, (within, between)) in zip(CASES, counted, strict=True):
        assert reckoned == [within - others, between], case


@given(number=st.integers(-(2**40), 2**40), space=st.text(" \t\n\r\f\v", max_size=3), zeros=st.integers(0, 30))
def test_whole_numbers_of_32_bits_are_read_however_they_are_written(number, space, zeros):
    written = f"{space}{'-' if number < 0 else '+'}{'0' * zeros}{abs(number)}{space}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(INTER, written)
        assert threads.between() == (number if 0 < number < 2**31 else len(os.sched_getaffinity(0)))
        patch.setenv(INTRA, written)
        assert threads.within() == (number if -(2**31) <= number < 2**31 and number else len(os.sched_getaffinity(0)))
