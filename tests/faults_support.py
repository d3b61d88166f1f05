"""Faults that really happen: full and read-only disks, a clock that runs backwards."""

import contextlib
import os
import pathlib
import shutil
import subprocess

import pytest

FIXTURES = pathlib.Path(__file__).parent / "fixtures"


def _mount(*arguments):
    if not shutil.which("mount"):
        pytest.skip("this system has no mount")
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"only root may mount a disk, where its system lets it: {done.stderr.strip()}")


@contextlib.contextmanager
def mounted(folder, size="1m"):
    """A disk of this size at `folder`; the test is skipped where nobody may mount one."""
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def make_read_only(folder):
    """Let nobody write to a mounted disk, not even root."""
    _mount("-o", "remount,ro", folder)


def fill(folder):
    """Leave no byte free; give the file that takes them."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


@pytest.fixture(name="disk")
def disk_fixture(tmp_path):
    """A disk of one megabyte."""
    with mounted(tmp_path / "disk") as folder:
        yield folder


def environment_of_a_clock_that_runs_backwards(folder):
    """What a process must have in its environment; nothing where no compiler is there to make it."""
    library = folder / "backwards.so"
    compiler = shutil.which("cc")
    if not compiler or os.uname().sysname != "Linux":
        return {}
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, FIXTURES / "backwards.c"], check=True)
    return {"LD_PRELOAD": str(library)}
