"""Chatter of TensorFlow is dropped from the file descriptor of standard error; all else passes, whatever happens."""

import os
import sys

import pytest

from tfgen.cli import tensorflow_log

CHATTER = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    "I0000 00:00:1763877600.123456    1234 port.cc:153] oneDNN custom operations are on.\n"
    "E0000 00:00:1763877600.123456    1234 cuda_platform.cc:51] failed call to cuInit: INTERNAL: CUDA error: "
    "Failed call to cuInit: UNKNOWN ERROR (303)\n"
    "W0000 00:00:1763877600.123456    1234 tf_tfl_flatbuffer_helpers.cc:364] Ignored output_format.\n"
    "W0000 00:00:1763877600.123456    1234 op_kernel.cc:1858] OP_REQUIRES failed at save_restore_v2_ops.cc:163 : "
    "OUT_OF_RANGE: variables; File too large\n"
    "E0000 00:00:1763877600.123456    1234 cuda_executor.cc:12] failed call to cuInit: CUDA_ERROR_NO_DEVICE\n"
    "mkdir -p failed for path /nowhere/.config/matplotlib: [Errno 13] Permission denied: '/nowhere'\n"
    "Matplotlib created a temporary cache directory at /tmp/matplotlib-1 because there was an issue with the default\n"
)
NEWS = (
    "W0000 00:00:1763877600.123456    1234 gpu_device.cc:2342] Cannot dlopen some GPU libraries.\n"
    "E0000 00:00:1763877600.123456    1234 cuda_platform.cc:51] failed call to cuInit: CUDA_ERROR_OUT_OF_MEMORY\n"
    "Traceback (most recent call last):\n"
    "mkdir -p failed for path /data: [Errno 13] Permission denied: '/data'\n"
    "Matplotlib is missing a font\n"
    "  I0000 is not at the beginning of this line\n"
    "naïve 漢字\n"
    "and a last line without an end"
)


def write(text):
    os.write(2, text.encode())


def test_chatter_is_dropped_and_the_rest_passes_in_order(capfd):
    with tensorflow_log.sifted():
        for chatter, news in zip(CHATTER.splitlines(True), NEWS.splitlines(True), strict=True):
            write(chatter + news)
    assert capfd.readouterr().err == NEWS


def test_lines_of_python_pass_too(capfd):
    with tensorflow_log.sifted():
        print("a warning", file=sys.stderr)
        write(CHATTER)
    print("after", file=sys.stderr, flush=True)
    assert capfd.readouterr().err == "a warning\nafter\n"


def test_an_error_in_the_block_passes_with_what_was_written_before_it(capfd):
    @tensorflow_log.sifted()
    def fail():
        write(CHATTER + NEWS)
        raise ImportError("no such library")

    with pytest.raises(ImportError, match="no such library"):
        fail()
    write("\nafter\n")
    assert capfd.readouterr().err == NEWS + "\nafter\n"


def test_bytes_that_are_no_text_pass(capfdbinary):
    with tensorflow_log.sifted():
        os.write(2, b"\xff\x00\n")
    assert capfdbinary.readouterr().err == b"\xff\x00\n"


def test_no_file_descriptor_is_left_open():
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []  # noqa: PTH112, PTH208
    for _ in range(3):
        with tensorflow_log.sifted():
            pass
    assert len(os.listdir("/proc/self/fd") if before else []) == len(before)  # noqa: PTH208
