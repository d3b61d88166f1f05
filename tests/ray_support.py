"""A Ray whose processes and files can be told from all others: what a test has left is found, and removed."""

import os
import pathlib
import signal
import tempfile
import time

import pytest


def processes_of(folder):
    """The processes of Ray whose files lie below a folder, by their numbers and command lines."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().decode(errors="replace")
            # Ray writes its own names over the environment of its processes, but not over where they write.
            places = [words, (path / "environ").read_bytes().decode(errors="replace")]
            places += [str(each.readlink()) for each in (path / "fd" / "1", path / "fd" / "2")]
        except OSError:
            continue
        if any(folder in place for place in places):
            found[int(path.name)] = words
    return found


@pytest.fixture(name="ray_folder")
def ray_folder_fixture():
    """A short path for what Ray leaves, and a look at what it has left."""
    with tempfile.TemporaryDirectory(prefix="tg") as folder:
        yield folder
        deadline = time.monotonic() + 30
        while (left := processes_of(folder)) and time.monotonic() < deadline:
            time.sleep(0.5)
        for process in left:
            os.kill(process, signal.SIGKILL)
        assert not left, left
        assert not [*pathlib.Path(folder).iterdir()]
