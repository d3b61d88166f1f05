"""What happens to machines: full and read-only disks, files that go away, signals, streams that close, two at once.

Each is made to happen, and must lose nothing that had been saved, leave nothing half done and say what it is in one
line. Runs that are killed are in `test_resume_cli`.
"""

import contextlib
import itertools
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from cli_support import ENVIRONMENT, TEXT, TFGEN, here_fixture, listing, model_bytes_fixture, model_fixture  # noqa: F401 - fixtures
from faults_support import disk_fixture, environment_of_a_clock_that_runs_backwards, fill, make_read_only  # noqa: F401

import tfgen
from tfgen import callbacks
from tfgen.errors import InputError
from tfgen.fitting import model
from tfgen.support import atomic_files
from tfgen.support.checkpoints import Checkpoints

TRAIN = [
    "fox.txt",
    "--cell",
    "rnn",
    "--units",
    "6",
    "--length",
    "16",
    "--batch-size",
    "4",
    "--epochs",
    "3",
    "--no-sample",
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Prepared texts are kept here."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "tfgen" / "prepared"


def weights(path):
    return tfgen.model_files.load(path).get_weights()


# --- a full disk ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["big.txt", "-"])
def test_a_text_that_does_not_fit_on_the_disk_is_refused_and_leaves_nothing(here, disk, source):
    text = b"to be or not to be\n" * 80_000
    (here.folder / "big.txt").write_bytes(text)
    code, _, err = here("prepare", source, "-o", disk / "big", given=text)
    assert (code, len(err.splitlines())) == (1, 1)
    assert ("bytes free, and 1,520,000 are needed" if source == "big.txt" else "No space left on device") in err
    assert list(disk.iterdir()) == []


def test_a_file_that_may_not_grow_is_one_line_too(tmp_path):
    """As a quota does it, without root."""
    (tmp_path / "big.txt").write_bytes(b"to be or not to be\n" * 80_000)
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))  # noqa: E731
    done = subprocess.run(
        [*TFGEN, "prepare", "big.txt", "-o", "big"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        preexec_fn=limit,
    )
    assert (done.returncode, done.stderr) == (1, b"tfgen: File too large\n")
    assert [path.name for path in tmp_path.iterdir()] == ["big.txt"]


def test_a_full_disk_harms_no_checkpoint_and_no_model(here, disk, model, model_bytes):
    kept, generator = Checkpoints(disk / "run"), tfgen.model_files.load(model)
    before = [kept.save({"weights": np.full(9000, number)}) for number in range(2)]
    generator.save(disk / "small.keras")
    session = generator.start("the ", seed=1)
    session.save(disk / "session")
    saved = {name: (disk / name).read_bytes() for name in ("small.keras", "session")}
    ballast = fill(disk)
    session.generate(3)
    for save in (
        lambda: kept.save({"weights": np.full(9000, 2)}),
        lambda: generator.save(disk / "small.keras"),
        lambda: session.save(disk / "session"),
    ):
        with pytest.raises(OSError, match=r"No space left|unable to|write"):
            save()
    assert sorted(path.name for path in disk.iterdir()) == ["ballast", "run", "session", "small.keras"]
    assert sorted((disk / "run").iterdir()) == before
    assert all((disk / name).read_bytes() == content for name, content in saved.items())
    ballast.unlink()
    kept.save({"weights": np.full(9000, 3)})
    assert kept.latest().state["weights"][0] == 3


@pytest.mark.slow
def test_a_training_that_fills_the_disk_goes_on_when_there_is_room(here, disk, monkeypatch):
    (here.folder / "fox.txt").write_text(TEXT)
    here.done("train", *TRAIN, "-o", "whole.keras")

    def fill_disk(bar, epoch, logs=None):
        if epoch == 1:
            fill(disk)

    with monkeypatch.context() as during:
        during.setattr(callbacks.Progress, "on_epoch_end", fill_disk)
        code, _, err = here("train", *TRAIN, "-o", disk / "fox.keras")
    assert (code, err) == (1, "tfgen: No space left on device\n")
    assert weights(disk / "fox.keras")  # of the first epoch
    (disk / "ballast").unlink()
    assert "epoch 2 of 3" in here.done("train", *TRAIN, "-o", disk / "fox.keras", "--resume")
    for one, other in zip(weights(disk / "fox.keras"), weights(here.folder / "whole.keras"), strict=True):
        np.testing.assert_array_equal(one, other)


# --- a directory that cannot be written -----------------------------------------------------------------------------


def test_a_read_only_directory_is_one_line_and_harms_nothing(here, disk, model_bytes, monkeypatch):
    (disk / "small.keras").write_bytes(model_bytes)
    (disk / "fox.txt").write_text(TEXT)
    make_read_only(disk)
    before = listing(disk)
    monkeypatch.chdir(disk)
    for command in (["train", *TRAIN, "-o", "new.keras"], ["prepare", "fox.txt", "-o", "new"]):
        code, _, err = here(*command)
        assert (code, len(err.splitlines())) == (1, 1)
        assert "Read-only file system" in err
    monkeypatch.setenv("KERAS_HOME", str(disk))
    assert "Read-only file system" in here("prepare", "fox.txt")[2]
    assert here.done("generate", "small.keras", "the ", "--length", "5").startswith("the ")
    assert listing(disk) == before


# --- files that go away ---------------------------------------------------------------------------------------------


def test_a_text_that_is_removed_while_it_is_read_is_named(tmp_path, cache):
    path = tmp_path / "fox.txt"
    for stage in ("hashing", "counting", "writing"):
        path.write_text(TEXT)
        with pytest.raises(InputError, match=r"fox\.txt' cannot be read: No such file"):
            tfgen.prepare_corpus(path, show=lambda told, stage=stage: told.startswith(stage) and path.unlink())
        assert list(cache.iterdir()) == []


def test_ids_that_are_removed_while_they_are_trained_on_are_read_to_the_end(tmp_path):
    (tmp_path / "fox.txt").write_text(TEXT)
    prepared = tfgen.prepare_corpus(tmp_path / "fox.txt")
    batches, _ = tfgen.datasets.streams(prepared, batch_size=4, length=16)
    whole = list(batches.as_numpy_iterator())
    shutil.rmtree(prepared.path)
    for one, other in zip(batches.as_numpy_iterator(), whole, strict=True):
        np.testing.assert_array_equal(one, other)


# --- signals --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("signals_end_processes")
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in [(signal.SIGHUP, 129), (signal.SIGINT, 130)]),
    ],
)
def test_a_signal_in_the_middle_of_a_batch_keeps_what_was_saved_and_says_how_to_go_on(here, monkeypatch, number, code):
    (here.folder / "fox.txt").write_text(TEXT)
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)]
    steps = itertools.count()

    def send():
        if next(steps) == 40:
            os.kill(os.getpid(), number)
        return np.int64(0)

    def train_step(model, data, step=model.TrainingModel.train_step):
        tf.numpy_function(send, [], tf.int64)
        return step(model, data)

    with monkeypatch.context() as during:
        during.setattr(model.TrainingModel, "train_step", train_step)
        ended, _, err = here("train", *TRAIN, "-o", "fox.keras", "--checkpoint-every", "3")
    assert ended == code
    assert "To go on:\n  tfgen train" in err
    assert err.endswith("tfgen: interrupted\n" if code == 130 else f"tfgen: stopped by {number.name}\n")
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)] == before
    assert sorted(path.name for path in here.folder.iterdir()) == ["fox.keras", "fox.keras.checkpoints", "fox.txt"]
    assert Checkpoints(here.folder / "fox.keras.checkpoints").latest()


def started(arguments, until, **options):
    """A process of Python that has come so far as to import that module."""
    command = [sys.executable, "-X", "importtime", "-m", "tfgen", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, **options)
    assert any(line.endswith(f" {until}\n") for line in process.stderr)
    return process


@pytest.mark.usefixtures("signals_end_processes")
@pytest.mark.parametrize("module", ["click.core", "numpy", "tfgen.vocabulary.splitting"])
def test_an_interruption_while_tfgen_is_imported_is_no_traceback(tmp_path, module):
    with started(["inspect", "missing.keras"], module, cwd=tmp_path) as process:
        process.send_signal(signal.SIGINT)
        assert "Traceback" not in process.stderr.read()
        assert process.wait() in (1, 130, -signal.SIGINT)


@pytest.mark.usefixtures("signals_end_processes")
def test_a_terminal_that_hangs_up_stops_a_process_but_not_one_that_ignores_it(tmp_path):
    (tmp_path / "big.txt").write_text("".join(f"{i} to be or not to be\n" for i in range(500_000)))
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731 - what nohup does
    for preexec, code, files in ((None, 129, ["big.txt"]), (ignore, 0, ["big", "big.txt"])):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [*TFGEN, "prepare", "big.txt", "-o", "big"], cwd=tmp_path, env=ENVIRONMENT, preexec_fn=preexec,
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        assert os.read(ours, 100).startswith(b"hashing")
        process.send_signal(signal.SIGHUP)
        os.close(ours)
        assert process.wait(60) == code
        assert sorted(path.name for path in tmp_path.iterdir() if path.name != "keras") == files


@pytest.mark.slow
def test_a_process_killed_while_it_writes_checkpoints_leaves_a_whole_one_each_time(tmp_path):
    program = """
import sys, numpy as np
from tfgen.support.checkpoints import Checkpoints
kept = Checkpoints(sys.argv[1])
found = kept.latest()
number = found.state["number"] if found else 0
while True:
    number += 1
    kept.save({"number": number, "array": np.full(300_000, number)})
    print("saved", flush=True)
"""
    draw, last = np.random.default_rng(), 0
    for _ in range(6):
        command = [sys.executable, "-c", program, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
            process.stdout.readline()
            time.sleep(draw.uniform(0, 0.1))
            process.kill()
        found = Checkpoints(tmp_path).latest(lambda message: pytest.fail(message))
        assert (found.state["array"] == found.state["number"]).all()
        assert found.state["number"] > last
        last = found.state["number"]


# --- streams --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_and_no_terminal_are_no_fault(tmp_path, closed):
    (tmp_path / "fox.txt").write_text(TEXT)
    for arguments, code in (("prepare fox.txt -o fox", 0), ("inspect missing.keras", 1)):
        shell = ["sh", "-c", f'exec "$0" -m tfgen {arguments} {closed}', sys.executable]
        done = subprocess.run(shell, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, start_new_session=True)
        assert done.returncode == code
        assert b"Traceback" not in done.stderr
    assert len(tfgen.open_prepared(tmp_path / "fox").ids) == len(TEXT)


def test_a_pipe_that_does_not_block_gets_all_of_a_text(tmp_path):
    """As a program in Node leaves it: of what does not fit Python itself drops the rest in silence."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    code = "import sys; from tfgen.cli import terminal; terminal.open_streams(); sys.stdout.write('x' * 1_000_000)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=writing, cwd=tmp_path, env=ENVIRONMENT) as process:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            assert len(pipe.read()) == 1_000_000
    assert process.returncode == 0


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_pipe_that_nobody_reads_stops_no_work(tmp_path, stream):
    (tmp_path / "fox.txt").write_text(TEXT)
    for arguments, code in ((["prepare", "fox.txt", "-o", "fox"], 0), (["inspect", "missing.keras"], 1)):
        read, write = os.pipe()
        os.close(read)
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: write}
        done = subprocess.run([*TFGEN, *arguments], cwd=tmp_path, env=ENVIRONMENT, **streams)
        os.close(write)
        assert done.returncode == code
        assert b"Traceback" not in (done.stderr or b"")
        assert b"Exception ignored" not in (done.stderr or b"")
    assert len(tfgen.open_prepared(tmp_path / "fox").ids) == len(TEXT)


# --- clocks ---------------------------------------------------------------------------------------------------------


def test_a_clock_that_runs_backwards_makes_nothing_stale(tmp_path):
    clock = environment_of_a_clock_that_runs_backwards(tmp_path)
    if not clock:
        pytest.skip("no compiler makes such a clock here")
    program = """
import os, pathlib, time, tfgen
first, second = time.time(), time.time()
assert second < first
path = pathlib.Path("a.txt")
for text in ("to be", "or not", "to be"):
    path.write_text(text)
    os.utime(path, (time.time(), time.time()))
    found = tfgen.prepare_corpus("a.txt")
    print(found.vocabulary.decode(found.ids), found.path.name)
"""
    environment = {**ENVIRONMENT, **clock, "KERAS_HOME": str(tmp_path / "keras")}
    out = subprocess.check_output([sys.executable, "-c", program], cwd=tmp_path, env=environment, text=True)
    first, second, third = (line.rsplit(" ", 1) for line in out.splitlines())
    assert (first[0], second[0]) == ("to be", "or not")
    assert first == third


# --- two at once ----------------------------------------------------------------------------------------------------


def test_two_processes_that_write_one_file_leave_one_of_theirs_whole(tmp_path):
    program = """
import pathlib, sys
from tfgen.support import atomic_files
for _ in range(60):
    with atomic_files.file(pathlib.Path("model.keras")) as new:
        new.write_bytes(sys.argv[1].encode() * 400_000)
print("done")
"""
    commands = [[sys.executable, "-c", program, letter] for letter in "ab"]
    runs = [subprocess.Popen(c, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE) for c in commands]
    seen = set()
    while any(run.poll() is None for run in runs):
        with contextlib.suppress(FileNotFoundError):
            content = (tmp_path / "model.keras").read_bytes()
            assert content in (b"a" * 400_000, b"b" * 400_000)
            seen.add(content[:1])
    assert [run.communicate()[0] for run in runs] == [b"done\n"] * 2
    assert seen == {b"a", b"b"}
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_a_link_to_a_file_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.keras").symlink_to(tmp_path / "elsewhere" / "model.keras")
    for content in (b"first", b"second"):
        with atomic_files.file(tmp_path / "link.keras") as new:
            new.write_bytes(content)
        assert (tmp_path / "link.keras").is_symlink()
        assert (tmp_path / "elsewhere" / "model.keras").read_bytes() == content
    assert len(list(tmp_path.rglob("*"))) == 3


def test_what_a_killed_save_left_goes_away_with_the_next(tmp_path):
    program = """
import pathlib, sys, time
from tfgen.support import atomic_files
with atomic_files.file(pathlib.Path("model.keras")) as new:
    new.write_bytes(b"half")
    print("begun", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE
    ) as run:
        run.stdout.readline()
        with atomic_files.file(tmp_path / "other.keras") as new:
            new.write_bytes(b"whole")
        assert len(list(tmp_path.iterdir())) == 2  # nothing is taken from a process that runs
        run.kill()
        os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie, as in containers
        with atomic_files.file(tmp_path / "model.keras") as new:
            new.write_bytes(b"whole")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["model.keras", "other.keras"]


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as error, atomic_files.file(tmp_path / "none" / "model.keras"):
        pass
    assert error.value.filename == str(tmp_path / "none")
