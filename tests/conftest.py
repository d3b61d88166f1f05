"""What all tests share: TensorFlow on one thread and quiet, random examples that can be had again, signals."""

import os
import signal
import threading

import pytest
from effort import OTHERS, examples
from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
# Networks for two threads are compiled twice as large, and the workers of pytest share the cores. What two threads
# change has tests of its own.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

# Each run draws the same examples, as everything here that draws; TFGEN_TESTS=others draws new ones, and all of them.
settings.register_profile("tfgen", examples(100), deadline=None, derandomize=not OTHERS)
settings.load_profile("tfgen")

# Scripts that tests run in processes of their own: importing them, as doctests do, would hide tfgen from all tests.
collect_ignore = ["tensorflow_alone.py", "fixtures"]


@pytest.fixture
def signals_end_processes():
    """Let signals end this process and those that it starts, also where its parent ignores them, as nohup does."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("only the first thread of a process hears signals")
    usual = {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}
    numbers = {getattr(signal, name): handler for name, handler in usual.items() if hasattr(signal, name)}
    before = {number: signal.signal(number, handler) for number, handler in numbers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
