"""`tfgen train --resume` and `--retry`: real processes that are killed, and what becomes of a run that did not end."""

import contextlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf
from cli_support import ENVIRONMENT, TEXT, TFGEN, here_fixture, listing, model_bytes_fixture, model_fixture  # noqa: F401 - fixtures
from faults_support import environment_of_a_clock_that_runs_backwards

import tfgen.cli
from tfgen import callbacks
from tfgen.cli import stopped_runs
from tfgen.fitting import model
from tfgen.support.checkpoints import Checkpoints

SHAPE = ["--units", "6", "--dropout", "0.2", "--length", "16", "--batch-size", "4"]
OPTIONS = ["fox.txt", *SHAPE, "--epochs", "3", "--checkpoint-every", "3", "--prompt", "the "]


def content(path):
    """Every array of a model file, optimizer included, and what it says of itself but for the time it took."""
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
        found = {}
        weights.visititems(lambda name, node: found.update({name: node[()]} if isinstance(node, h5py.Dataset) else {}))
        provenance = json.loads(archive.read("config.json"))["config"]["provenance"]
    return found, {**provenance, "result": {**provenance["result"], "seconds": 0, "finished": ""}}


def samples(out):
    """What is shown of the last epoch and after it."""
    return out[out.rindex("--- epoch 3") :].replace("killed.keras", "whole.keras")


@pytest.mark.slow
@pytest.mark.usefixtures("signals_end_processes")
def test_processes_that_are_killed_without_a_terminal_or_a_right_clock_go_on_to_the_same_bits(here):
    (here.folder / "fox.txt").write_text(TEXT)
    whole = here.done("train", *OPTIONS, "-o", "whole.keras")
    command = [*TFGEN, "train", *OPTIONS, "-o", "killed.keras", "--resume"]
    checkpoints = Checkpoints(here.folder / "killed.keras.checkpoints")
    draw = random.Random()

    def stop(command, number, **options):
        before = set(checkpoints.directory.glob("*.npz"))
        with subprocess.Popen(command, cwd=here.folder, env=ENVIRONMENT, **options) as process:
            while set(checkpoints.directory.glob("*.npz")) == before and process.poll() is None:
                time.sleep(0.01)
            if number == signal.SIGTERM:
                assert "another process trains into" in here("train", *OPTIONS, "-o", "killed.keras", "--resume")[2]
                assert "another process trains into" in here("train", *OPTIONS, "-o", "killed.keras", "--overwrite")[2]
            time.sleep(draw.uniform(0, 0.3))
            process.send_signal(number)
        assert process.returncode in (-signal.SIGKILL, 128 + signal.SIGTERM)

    stop(["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', *command], signal.SIGKILL, start_new_session=True)
    read, write = os.pipe()
    os.close(read)
    stop(command, signal.SIGTERM, stdout=write, stderr=subprocess.DEVNULL)
    os.close(write)
    assert checkpoints.latest()
    clock = environment_of_a_clock_that_runs_backwards(here.folder)
    environment = {**ENVIRONMENT, **clock}
    done = subprocess.run(command, cwd=here.folder, env=environment, capture_output=True, text=True, check=True)
    assert "going on with the run that was stopped: " in done.stdout
    assert not checkpoints.directory.exists()
    assert samples(done.stdout) == samples(whole)
    (arrays, described), (expected, expected_described) = content("killed.keras"), content("whole.keras")
    assert described == expected_described
    assert arrays.keys() == expected.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name], name)


@pytest.fixture(name="stopped_once", scope="module")
def stopped_once_fixture(tmp_path_factory):
    """The directory of a run that was interrupted after its first epoch, and the advice that it ended with."""

    def interrupt(bar, epoch, logs=None):
        raise KeyboardInterrupt

    folder, err = tmp_path_factory.mktemp("stopped"), io.StringIO()
    (folder / "fox.txt").write_text(TEXT)
    with pytest.MonkeyPatch.context() as during, contextlib.redirect_stderr(err):
        during.chdir(folder)
        during.setattr(callbacks.Progress, "on_epoch_end", interrupt)
        during.setattr(sys, "argv", ["tfgen", "train", *OPTIONS, "-o", "fox.keras", "--no-sample"])
        with pytest.raises(SystemExit) as ended:
            tfgen.cli.main()
    assert ended.value.code == 130
    return folder, err.getvalue()


@pytest.fixture(name="stopped")
def stopped_fixture(here, stopped_once):
    """The same in the test's own directory."""
    shutil.copytree(stopped_once[0], here.folder, dirs_exist_ok=True)
    return stopped_once[1]


@pytest.mark.slow
def test_a_run_that_did_not_end_is_never_forgotten_in_silence(here, stopped):
    assert "To go on:\n  tfgen train" in stopped
    assert "fox.txt -o fox.keras --resume\n" in stopped
    command = ["train", *OPTIONS, "-o", "fox.keras", "--no-sample"]
    message = here.refused(*command)
    for part in ("fox.keras.checkpoints", "epoch 1 of 3", "--resume", "--overwrite"):
        assert part in message
    before = listing(here.folder)
    code, out, err = here(*command, "--seed", "4", "--resume")
    assert (code, len(err.splitlines())) == (1, 1)
    assert "seed was 0 and is now 4" in err
    assert "going on with the run" not in out
    assert {path: of for path, of in listing(here.folder).items() if path.is_file() and path.name != ".lock"} == {
        path: of for path, of in before.items() if path.is_file() and path.name != ".lock"
    }
    command[command.index("--epochs") + 1] = "4"
    out = here.done(*command, "--patience", "9", "--resume")
    assert out.index("going on with the run") < out.index("4 epochs instead of 3") < out.index("epoch 2/4")
    assert "epoch 4/4" in out
    assert not stopped_runs.directory(here.folder / "fox.keras").exists()


@pytest.mark.slow
def test_overwrite_begins_anew(here, stopped):
    others = ["5" if before == "--units" else each for before, each in zip(("", *OPTIONS), OPTIONS, strict=False)]
    out = here.done("train", *others, "-o", "fox.keras", "--no-sample", "--overwrite")
    assert "going on" not in out
    assert "epoch 1/3" in out
    assert not stopped_runs.directory(here.folder / "fox.keras").exists()


def test_a_finished_model_is_not_trained_again_by_resume(here, model):
    (here.folder / "fox.txt").write_text(TEXT)
    before = (here.folder / model).read_bytes()
    assert "no stopped run beside it" in here.done("train", *OPTIONS, "-o", model, "--resume")
    assert (here.folder / model).read_bytes() == before


@pytest.mark.parametrize("state", [{}, [], {"epoch": "x"}, {"epoch": 1, "step": 1, "steps": 1, "epochs": 1}])
def test_a_checkpoint_of_something_else_is_a_clear_error(here, state):
    (here.folder / "fox.txt").write_text(TEXT)
    Checkpoints(here.folder / "fox.keras.checkpoints").save(state)
    assert "is no checkpoint of a run" in here.refused("train", *OPTIONS, "-o", "fox.keras", "--resume")


@pytest.mark.slow
def test_a_run_that_diverges_goes_on_at_half_the_rate(here, monkeypatch):
    """The weights become no number in step 45 at rates above 0.015, which the first half of 0.04 still is."""
    step = model.TrainingModel.train_step

    def train_step(model, data):
        logs = step(model, data)
        bad = (model.optimizer.iterations == 45) & (model.optimizer.learning_rate > 0.015)
        for variable in model.trainable_variables:
            variable.assign(tf.where(bad, tf.fill(variable.shape, np.nan), variable))
        return logs

    monkeypatch.setattr(model.TrainingModel, "train_step", train_step)
    (here.folder / "fox.txt").write_text(TEXT)
    command = ["train", *OPTIONS, "-o", "fox.keras", "--no-sample", "--learning-rate", "0.04", "--cell", "rnn"]
    code, _, err = here(*command)
    assert (code, len(err.splitlines())) == (1, 1)
    assert "at a learning rate of 0.03" in err
    assert err.endswith("fox.txt -o fox.keras --resume --retry 1`.\n")
    place = Checkpoints(stopped_runs.directory(here.folder / "fox.keras"))
    assert all(np.isfinite(array).all() for array in place.latest().state["variables"])

    code, out, err = here(*command, "--resume", "--retry", "1")
    assert code == 1
    assert "with 0.02 at the peak" in out
    # The next process knows of the first half.
    out = here.done(*command, "--resume", "--retry", "1", "--ngrams", "3")
    assert "with 0.01 at the peak" in out
    assert "mixed with n-grams of up to 3 tokens" in out
    described, counts = content("fox.keras")[1]["members"]
    assert counts["settings"] == {"cell": "ngram", "order": 3}
    assert described["retried"] == [0.02, 0.01]
    assert described["settings"]["learning_rate"] == 0.04
    assert described["result"]["epochs"] == 3
    assert not place.directory.exists()
