"""Chatter of TensorFlow is dropped from the file descriptor of standard error; all else passes, whatever happens."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
import threading
import time

import pytest
from cli_support import ENVIRONMENT
from faults_support import disk_fixture, fill  # noqa: F401 - a fixture
from hypothesis import given, settings
from hypothesis import strategies as st

from tfgen.support import sieve, standard_error

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
    "To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the flags.\n"
    "E0000 00:00:1763877600.123456    1234 util.cc:131] oneDNN supports DT_BOOL only on platforms with AVX-512.\n"
)
NEWS = (
    "W0000 00:00:1763877600.123456    1234 gpu_device.cc:2342] Cannot dlopen some GPU libraries.\n"
    "E0000 00:00:1763877600.123456    1234 cuda_platform.cc:51] failed call to cuInit: CUDA_ERROR_OUT_OF_MEMORY\n"
    "Traceback (most recent call last):\n"
    "mkdir -p failed for path /data: [Errno 13] Permission denied: '/data'\n"
    "Matplotlib is missing a font\n"
    "  I0000 is not at the beginning of this line\n"
    "To enable the following, set a flag.\n"
    "E0000 00:00:1763877600.123456    1234 util.cc:131] oneDNN has run out of memory.\n"
    "naïve 漢字\n"
    "and a last line without an end"
)
POSIX = pytest.mark.skipif(not hasattr(os, "posix_spawn"), reason="this system starts no such process")


def write(text):
    os.write(2, text.encode())


def test_chatter_is_dropped_and_the_rest_passes_in_order(capfd):
    with standard_error.sifted():
        for chatter, news in zip(CHATTER.splitlines(True), NEWS.splitlines(True), strict=True):
            write(chatter + news)
    assert capfd.readouterr().err == NEWS


def test_lines_of_python_pass_too(capfd):
    with standard_error.sifted():
        print("a warning", file=sys.stderr)
        write(CHATTER)
    print("after", file=sys.stderr, flush=True)
    assert capfd.readouterr().err == "a warning\nafter\n"


def test_an_error_in_the_block_passes_with_what_was_written_before_it(capfd):
    @standard_error.sifted()
    def fail():
        write(CHATTER + NEWS)
        raise ImportError("no such library")

    with pytest.raises(ImportError, match="no such library"):
        fail()
    write("\nafter\n")
    assert capfd.readouterr().err == NEWS + "\nafter\n"


def test_bytes_that_are_no_text_pass(capfdbinary):
    with standard_error.sifted():
        os.write(2, b"\xff\x00\n")
    assert capfdbinary.readouterr().err == b"\xff\x00\n"


def test_blocks_one_after_another_and_within_another_keep_the_order(capfd):
    for i in range(0, 12, 4):
        with standard_error.sifted():
            write(f"{i}\n")
            with standard_error.sifted():
                write(f"I0000 chatter\n{i + 1}\n")
            write(f"I0000 chatter\n{i + 2}\n")
        write(f"{i + 3}\n")
    assert capfd.readouterr().err.split() == [str(i) for i in range(12)]


def test_no_file_descriptor_is_left_open():
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []  # noqa: PTH112, PTH208
    for _ in range(3):
        with standard_error.sifted():
            pass
    deadline = time.monotonic() + 10
    while len(os.listdir("/proc/self/fd") if before else []) > len(before):  # noqa: PTH208 - threads close the last
        assert time.monotonic() < deadline
        time.sleep(0.01)


# What may be written, and how it is cut into pieces


LINES = st.sampled_from([*CHATTER.encode().splitlines(True), *NEWS.encode().splitlines(True), b"\n", b"I0000 \0", b"x"])
MARKER = sieve.marker("word")


def sift(text):
    """What is passed on of a text, and what had been at each answer."""
    (source, into), (out, sink) = os.pipe(), os.pipe()
    os.set_blocking(out, False)
    passed_on = []

    def read():
        try:
            passed_on.append(os.read(out, 1 << 20))
        except BlockingIOError:
            passed_on.append(b"")

    os.write(into, text)
    os.close(into)
    sieve.sift("word", source, sink, read)
    read()
    for descriptor in (source, out, sink):
        os.close(descriptor)
    return passed_on


@given(st.lists(st.lists(LINES, max_size=6).map(b"".join), min_size=1, max_size=4), st.integers(1, 300))
@settings(max_examples=60)
def test_all_that_stands_before_a_marker_is_passed_on_before_the_answer(parts, piece):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sieve, "_PIECE", piece)
        passed_on = sift(MARKER.join(parts))
    lines = [[line + b"\n" for line in part.split(b"\n")] for part in parts]
    for each in lines:
        each[-1] = each[-1][:-1]
    assert passed_on == [b"".join(line for line in each if not sieve._CHATTER.match(line)) for each in lines]


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_line_without_end_is_not_held_in_memory(monkeypatch, piece):
    monkeypatch.setattr(sieve, "_PIECE", piece)
    monkeypatch.setattr(sieve, "_LONGEST_LINE", 100)
    line = bytes(range(32, 127)) * 20
    assert sift(line + MARKER + line) == [line, line]


# Processes that end before the block does


def python(program, **options):
    """Start a process that is in such a block."""
    begin = "import os, signal, subprocess, sys, time\nfrom tfgen.support import standard_error\n"
    command = [sys.executable, "-c", begin + program]
    return subprocess.Popen(command, env=ENVIRONMENT, **{"stderr": subprocess.PIPE, **options})


ENDS = {
    "an exception": ("raise SystemExit(3)", 3),
    "an exit": ("os._exit(3)", 3),
    "an abort": ("signal.signal(signal.SIGABRT, signal.SIG_DFL); os.abort()", -signal.SIGABRT),
    "a kill": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "another program": ("os.execv(sys.executable, [sys.executable, '-c', 'exit(3)'])", 3),
}


@POSIX
@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_lost_however_the_process_ends(end):
    statement, code = ENDS[end]
    program = f"""
with standard_error.sifted():
    os.write(2, sys.stdin.buffer.read())
    {statement}
"""
    with python(program, stdin=subprocess.PIPE) as process:
        _, errors = process.communicate((CHATTER + NEWS).encode() * 200)
    assert process.returncode == code
    # Without a marker the last line has no end, and the next text begins in it.
    assert errors.decode() == "".join(
        line for line in ((CHATTER + NEWS) * 200).splitlines(True) if not sieve._CHATTER.match(line.encode())
    )


@POSIX
def test_a_fork_in_the_block_loses_nothing_and_holds_nobody_up():
    program = """
with standard_error.sifted():
    for leave in (True, False):
        os.write(2, b"parent\\nI0000 chatter\\n")
        if not os.fork():
            os.write(2, b"child\\n")
            if leave:
                os._exit(0)
            break
        os.wait()
os.write(2, b"after\\n")
"""
    with python(program) as process:
        _, errors = process.communicate()
    assert sorted(errors.split()) == [b"after", b"after", b"child", b"child", b"parent", b"parent"]
    assert errors.endswith(b"after\n")


@POSIX
def test_a_process_that_inherited_the_pipe_is_not_waited_for_and_heard_later():
    program = """
with standard_error.sifted():
    command = "echo first >&2; read line; echo I0000 chatter >&2; echo last >&2"
    other = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE)
    time.sleep(0.1)
print("after", file=sys.stderr, flush=True)
other.communicate(b"go\\n")
"""
    with python(program) as process:
        assert process.communicate(timeout=60)[1] == b"first\nafter\nlast\n"


@POSIX
def test_a_signal_to_all_processes_of_a_terminal_does_not_end_the_sieve():
    program = """
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, lambda *_: os.write(2, b"heard\\n"))
with standard_error.sifted():
    os.write(2, b"begun\\n")
    while not sys.stdin.buffer.readline():
        pass
"""
    with python(program, stdin=subprocess.PIPE, start_new_session=True) as process:
        assert process.stderr.readline() == b"begun\n"
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            os.killpg(process.pid, number)
            assert process.stderr.readline() == b"heard\n"
        assert process.communicate(b"go\n") == (None, b"")
    assert process.returncode == 0


# A sieve that is not there


@POSIX
def test_a_sieve_that_is_killed_is_replaced(capfd, monkeypatch):
    started, start = [], standard_error._start_sieve
    monkeypatch.setattr(standard_error, "_start_sieve", lambda *args: started.append(start(*args)) or started[-1])
    with standard_error.sifted():
        write("before\n" + CHATTER)
        while "before" not in (seen := capfd.readouterr().err):
            pass
        os.kill(started[0], signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # the thread has asked how it ended
            os.waitid(os.P_PID, started[0], os.WEXITED | os.WNOWAIT)
        for _ in range(1000):  # more than a pipe holds
            write(NEWS + "\n" + CHATTER)
    write("after\n")
    assert seen + capfd.readouterr().err == "before\n" + (NEWS + "\n") * 1000 + "after\n"


@POSIX
@pytest.mark.parametrize(("interpreter", "expected"), [("", CHATTER + NEWS), ("/bin/false", NEWS)])
def test_an_interpreter_that_cannot_be_started_loses_nothing(capfd, monkeypatch, interpreter, expected):
    monkeypatch.setattr(sys, "executable", interpreter)
    with standard_error.sifted():
        write(CHATTER + NEWS)
    assert capfd.readouterr().err == expected


def test_without_threads_nothing_is_sifted_and_nothing_lost(capfd, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with standard_error.sifted():
        write(CHATTER + NEWS)
    assert capfd.readouterr().err == CHATTER + NEWS


# Where standard error leads


def test_a_closed_standard_error_is_no_fault():
    program = """
os.close(2)
with standard_error.sifted():
    pass
sys.stderr = None
with standard_error.sifted():
    print("done")
"""
    with python(program, stdout=subprocess.PIPE) as process:
        assert process.communicate()[0] == b"done\n"
    assert process.returncode in (0, 120)  # Python itself cannot flush the stream


def test_a_full_disk_takes_what_it_can_and_stops_nothing(disk):
    fill(disk)
    with (disk / "log").open("wb") as log:
        program = """
with standard_error.sifted():
    for _ in range(1000):
        os.write(2, b"to be or not to be\\n" * 100)
print("done")
"""
        with python(program, stdout=subprocess.PIPE, stderr=log) as process:
            assert process.communicate(timeout=60)[0] == b"done\n"
    assert process.returncode == 0


@POSIX
def test_a_terminal_shows_each_line_at_once():
    program = """
with standard_error.sifted():
    os.write(2, b"I0000 chatter\\nfirst\\n")
    sys.stdin.read()
"""
    ours, theirs = pty.openpty()
    with python(program, stdin=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        assert os.read(ours, 100) == b"first\r\n"
        process.communicate()
    os.close(ours)


@POSIX
def test_a_stream_that_does_not_wait_loses_nothing():
    program = """
os.set_blocking(2, False)
with standard_error.sifted():
    for number in range(20_000):
        os.write(2, b"%d\\n" % number)
"""
    with python(program) as process:
        time.sleep(0.5)  # while the pipe is full
        assert process.communicate()[1].split() == [b"%d" % number for number in range(20_000)]
    assert process.returncode == 0
