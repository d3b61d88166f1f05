"""`tfgen train --workers`: processes of Ray that train together, are killed, make mistakes, and are interrupted."""

import contextlib
import importlib.util
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import numpy as np
import pytest
from cli_support import ENVIRONMENT, TFGEN, run
from ray_support import processes_of, ray_folder_fixture  # noqa: F401 - a fixture

from tfgen.errors import InputError

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 120
OPTIONS = ("--cell", "rnn", "--units", "6", "--length", "8", "--batch-size", "8", "--epochs", "3", "--no-sample")


@pytest.fixture(name="folder")
def folder_fixture(tmp_path):
    (tmp_path / "fox.txt").write_text(TEXT)
    return tmp_path


def start(folder, ray_folder, output, *arguments, workers=2):
    command = [*TFGEN, "train", "fox.txt", *OPTIONS, "--checkpoint-every", "10", "-o", output, *arguments]
    environment = {**ENVIRONMENT, "TMPDIR": ray_folder, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, "--workers", str(workers)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process, code=0):
    out, err = process.communicate(timeout=900)
    assert process.returncode == code, out + err
    return out, err


def weights(path):
    from tfgen import model_files

    return model_files.load(path).get_weights()


def wait_for_checkpoints(folder, output, count):
    """Wait until a run has written so many."""
    deadline = time.monotonic() + 600
    checkpoints = folder / f"{output}.checkpoints"
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            numbers = [int(path.name.split("-")[1]) for path in checkpoints.glob("checkpoint-*.npz")]
            if max(numbers, default=0) >= count:
                return
        time.sleep(0.05)
    raise AssertionError("no checkpoint was written")


def workers_of(ray_folder):
    """The processes that train, the chief first: it alone reads the checkpoints' lock."""
    found = [process for process, words in processes_of(ray_folder).items() if "RayTrainWorker" in words]
    held = {process: bool(locks(process)) for process in found}
    return sorted(found, key=lambda process: not held[process])


def locks(process):
    return [
        path
        for path in pathlib.Path(f"/proc/{process}/fd").iterdir()
        if os.path.realpath(path).endswith(".checkpoints/.lock")
    ]


@pytest.mark.slow
def test_workers_that_are_killed_end_like_those_that_are_not(folder, ray_folder):
    out, err = ended(start(folder, ray_folder, "whole.keras"))
    assert "epoch 3/3" in out
    assert "The model is whole.keras" in out
    assert err == ""
    run("train", "fox.txt", *OPTIONS, "-o", "one.keras", cwd=folder)
    for one, other in zip(weights(folder / "one.keras"), weights(folder / "whole.keras"), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    running = start(folder, ray_folder, "killed.keras")
    for which, at in ((1, 4), (0, 9)):  # a worker, and then the chief
        wait_for_checkpoints(folder, "killed.keras", at)
        os.kill(workers_of(ray_folder)[which], signal.SIGKILL)
    out, _ = ended(running)
    assert out.count("going on with the run that was stopped") == 2
    for one, other in zip(weights(folder / "killed.keras"), weights(folder / "whole.keras"), strict=True):
        np.testing.assert_array_equal(one, other)
    assert {path.name for path in folder.iterdir()} == {"fox.txt", "whole.keras", "one.keras", "killed.keras"}


@pytest.mark.slow
def test_an_interruption_ends_all_and_another_number_goes_on(folder, ray_folder, signals_end_processes):
    running = start(folder, ray_folder, "fox.keras")
    wait_for_checkpoints(folder, "fox.keras", 5)
    running.send_signal(signal.SIGINT)
    _, err = ended(running, 130)
    assert err.splitlines()[-1] == "tfgen: interrupted"
    assert "To go on:" in err
    assert not processes_of(ray_folder)
    again = run("train", "fox.txt", *OPTIONS, "--checkpoint-every", "10", "-o", "fox.keras", "--resume", cwd=folder)
    assert "going on with the run that was stopped" in again.stdout.decode(), again.stderr.decode()
    run("train", "fox.txt", *OPTIONS, "-o", "one.keras", cwd=folder)
    for one, other in zip(weights(folder / "one.keras"), weights(folder / "fox.keras"), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def one_without_its_file(folder):
    """What one of the workers does: the second has no such file."""
    from tfgen import workers

    together = workers.join()
    pathlib.Path(folder, f"begun-{together.rank}-{os.getpid()}").touch()
    with together.agreeing():
        pathlib.Path(folder, "fox.txt" if together.is_chief else "gone.txt").read_text()


@pytest.mark.slow
def test_a_file_that_one_worker_lacks_ends_all_at_once(folder, ray_folder, monkeypatch):
    from tfgen.machines import train_together

    monkeypatch.setenv("TMPDIR", ray_folder)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("PYTHONPATH", f"{pathlib.Path(__file__).parent}:{ENVIRONMENT['PYTHONPATH']}")
    with pytest.raises(InputError, match=r"on worker 1 of 2, No such file or directory: .*gone.txt\."):
        train_together(one_without_its_file, str(folder), workers=2, folder=folder / "ray")
    assert len([*folder.glob("begun-*")]) == 2  # and not tried again


def test_what_several_workers_cannot_do_is_refused(folder):
    for more, message in (
        (("--address", "a:1"), "--address is where --workers run"),
        (("--workers", "2", "--cell", "ngram"), "omit --workers"),
    ):
        done = run("train", "fox.txt", *more, "-o", "x.keras", cwd=folder)
        assert done.returncode == 2
        assert message in done.stderr.decode()
