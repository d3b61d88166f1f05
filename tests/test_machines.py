"""`tfgen train --workers`: processes of Ray that train together, are killed, make mistakes, and are interrupted."""

import contextlib
import importlib.util
import pathlib
import random
import subprocess
import sys
import time

import killed_workers
import namespaces_support
import numpy as np
import pytest
from cli_support import run
from effort import OTHERS
from ray_support import (
    PATIENCE,
    environment_of,
    processes_of,
    ray_folder_fixture,  # noqa: F401 - a fixture
    ray_node,
    ray_with_token,
)

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples/machines"
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 120
EVERY = 10
STEPS = 3 * 75  # at least, in all epochs
OPTIONS = ("--cell", "rnn", "--units", "6", "--length", "8", "--batch-size", "8", "--epochs", "3", "--no-sample")
OPTIONS = (*OPTIONS, "--checkpoint-every", str(EVERY))


@pytest.fixture(name="folder")
def folder_fixture(tmp_path):
    (tmp_path / "fox.txt").write_text(TEXT)
    return tmp_path


@pytest.fixture(name="ray_there", scope="module")
def ray_there_fixture():
    """A Ray that is there already: its address, and the environment of those who ask it."""
    # Three processes: one more than workers, for what Ray Data reads and writes.
    with (
        ray_with_token() as (folder, environment),
        ray_node(folder, environment, "127.0.0.1", processes=3) as (_, address),
    ):
        yield address, environment


@pytest.fixture(name="one", scope="module")
def one_fixture(tmp_path_factory):
    """The weights that one process finds."""
    folder = tmp_path_factory.mktemp("one")
    (folder / "fox.txt").write_text(TEXT)
    run("train", "fox.txt", *OPTIONS, "-o", "fox.keras", cwd=folder)
    return weights(folder)


@pytest.fixture(name="two", scope="module")
def two_fixture(tmp_path_factory, ray_there):
    """The weights that two workers find, and what was said."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "fox.txt").write_text(TEXT)
    with train(folder, *ray_there) as running:
        said = ended(running)
    assert remaining(folder) == ["fox.keras", "fox.txt"]
    return weights(folder), *said


@contextlib.contextmanager
def train(folder, address, environment, *arguments, before=()):
    """Start the command with two workers, who follow the plan in its directory; end what is left of it."""
    command = [*before, *killed_workers.COMMAND, "train", "fox.txt", *OPTIONS, "-o", "fox.keras", "--workers", "2"]
    command += ["--address", address] if address else []
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = subprocess.Popen([*command, *arguments], cwd=folder, env=environment, **pipes)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def ended(process, code=0):
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, out + err
    return out, err


def weights(folder):
    from tfgen import model_files

    return model_files.load(folder / "fox.keras").get_weights()


def remaining(folder):
    """What a command has left, but for what belongs to the plan."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(("part-", "command.")))


def assert_same(found, expected, atol=0.0):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=atol)


@pytest.mark.slow
@needs_ray
def test_two_workers_compute_what_one_process_does(one, two):
    found, out, err = two
    assert "epoch 3/3" in out
    assert "The model is fox.keras" in out
    assert err == ""
    assert_same(found, one, atol=1e-5)


@pytest.mark.slow
@needs_ray
def test_workers_that_are_killed_end_like_those_that_are_not(folder, ray_there, two):
    draw = random.Random() if OTHERS else random.Random(17)
    plan = [
        # The one that is not the chief, and then the chief, who begins anew at a checkpoint; both before half the run.
        {"rank": rank, "batch": draw.randrange(1, STEPS // 4), "does": "die", "delay": draw.uniform(0, 0.01)}
        for rank in (1, 0)
    ]
    killed_workers.write_plan(folder, *plan)
    with train(folder, *ray_there) as running:
        out, err = ended(running)
    assert killed_workers.are_done(folder, 2), (plan, out, err)
    assert out.count("going on with the run that was stopped") == 2, (plan, out, err)
    assert_same(weights(folder), two[0])
    assert remaining(folder) == ["fox.keras", "fox.txt"]


@pytest.mark.slow
@needs_ray
def test_an_interruption_ends_all_and_another_number_goes_on(folder, ray_folder, signals_end_processes, one):
    # Who has interrupted takes a second for each batch that is left, so that the run cannot end before it is heard.
    killed_workers.write_plan(folder, {"rank": 1, "batch": 4 * EVERY + 3, "does": "interrupt", "pause": 1.0})
    with train(folder, None, environment_of(ray_folder)) as running:
        _, err = ended(running, 130)
    assert err.splitlines()[-1] == "tfgen: interrupted"
    assert "To go on:" in err
    assert not processes_of(ray_folder)
    assert killed_workers.are_done(folder, 1)
    assert not (folder / "fox.keras.checkpoints" / "ray").exists()
    again = run("train", "fox.txt", *OPTIONS, "-o", "fox.keras", "--resume", cwd=folder)
    assert "going on with the run that was stopped" in again.stdout.decode(), again.stderr.decode()
    assert "2 workers and goes on with" in again.stderr.decode()
    assert_same(weights(folder), one, atol=1e-5)


@pytest.mark.slow
@needs_ray
def test_a_file_that_one_worker_lacks_ends_all_at_once(folder, ray_there):
    killed_workers.write_plan(folder, {"rank": 1, "does": "lack"})
    with train(folder, *ray_there) as running:
        out, err = ended(running, 1)
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert err.startswith("tfgen: "), err
    assert "'fox.txt'" in err
    assert len([*folder.glob("part-0.[01]-*")]) == 2  # and not tried again
    assert remaining(folder) == ["fox.txt"]


@pytest.mark.slow
@needs_ray
def test_a_machine_that_is_cut_off_is_replaced_by_another(folder, two):
    with namespaces_support.machines(3) as (first, cut, new), ray_with_token() as (ray_folder, environment):
        del environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"]
        # So long a machine that has much to do may be silent.
        environment |= {"RAY_health_check_period_ms": "2000", "RAY_health_check_timeout_ms": "8000"}
        environment |= {"RAY_health_check_failure_threshold": "3", "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "1200"}

        def node(machine, head=None):
            return ray_node(ray_folder, environment, machine.ip, head=head, processes=1, before=machine.before)

        with node(first) as (_, address), node(cut, address):
            # From some batch of the first epoch on they take a second for each, so that they cannot end too early.
            killed_workers.write_plan(folder, {"rank": 1, "batch": 2 * EVERY + 3, "does": "tell", "pause": 1.0})
            with train(folder, address, environment, before=first.before) as running:
                wait_for(lambda: killed_workers.are_done(folder, 1), running)
                cut.cut_off()
                with node(new, address):
                    out, err = ended(running)
    assert "going on with the run that was stopped: epoch 1 of 3" in out, (out, err)
    assert_same(weights(folder), two[0])


def wait_for(condition, running):
    """Wait until something is so while a command runs."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
@needs_ray
def test_the_examples_run(folder, ray_there):
    import pyarrow
    from pyarrow import parquet

    from tfgen import model_files

    def example(name, *arguments):
        command = [sys.executable, str(EXAMPLES / name), *arguments]
        environment = {**ray_there[1], "RAY_ADDRESS": ray_there[0]}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return ended(subprocess.Popen(command, cwd=folder, env=environment, **pipes))[0]

    assert "The model is " in example("train.py", "fox.txt", "fox.keras", "2", "6", "1")
    prompts = [f"{'the '[: i % 4]}fox" for i in range(150)]
    parquet.write_table(pyarrow.table({"prompt": prompts, "number": range(150)}), folder / "prompts.parquet")
    assert "150 texts, " in example("many.py", "fox.keras", "prompts.parquet", "texts", "2", "5")
    rows = parquet.read_table(folder / "texts").to_pylist()
    assert [(row["prompt"], row["number"], row["seed"]) for row in rows] == [
        (prompt, number, 1 + number) for number, prompt in enumerate(prompts)
    ]
    generator = model_files.load(folder / "fox.keras")
    for row in rows[::49]:
        assert row["text"] == generator.generate(row["prompt"], length=5, temperature=0.8, seed=row["seed"])


def test_what_several_workers_cannot_do_is_refused(folder):
    for more, message in (
        (("--address", "a:1"), "--address is where --workers run"),
        (("--workers", "2", "--cell", "ngram"), "omit --workers"),
    ):
        done = run("train", "fox.txt", *more, "-o", "x.keras", cwd=folder)
        assert done.returncode == 2
        assert message in done.stderr.decode()
