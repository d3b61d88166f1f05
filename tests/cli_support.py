"""What the tests of the command line share: real processes, the same in this process, and what a refusal looks like."""

import io
import os
import pathlib
import re
import subprocess
import sys

import pytest

import tfgen
import tfgen.cli

TFGEN = [sys.executable, "-m", "tfgen"]
TEXT = "the quick brown fox jumps over the lazy dog.\n" * 40
TINY = ("--units", "4", "--length", "16", "--batch-size", "8", "--epochs", "1")

# Processes find the package of this checkout wherever they run; a terminal's settings do not reach them.
_DROPPED = ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "COLUMNS", "PYTHONIOENCODING", "TF_CPP_MIN_LOG_LEVEL")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in _DROPPED} | {
    "PYTHONPATH": str(pathlib.Path(tfgen.__file__).parents[1]),
    "PYTHONUTF8": "1",
}


def run(*arguments, cwd, given=b"", **options):
    """Run tfgen as a process of its own; streams are bytes."""
    return subprocess.run(
        [*TFGEN, *map(str, arguments)],
        cwd=cwd,
        input=given,
        capture_output=True,
        env=ENVIRONMENT,
        timeout=300,
        check=False,
        **options,
    )


def listing(folder):
    """Every file and directory below, with its size and time of change."""
    return {path: (path.lstat().st_size, path.lstat().st_mtime_ns) for path in pathlib.Path(folder).rglob("*")}


def assert_refusal(code, out, err):
    """A wrong input: nothing on standard output, one line on standard error, which is given back."""
    assert code in (1, 2), (code, out, err)
    assert out == ""
    assert err.startswith("tfgen: "), err
    assert err.endswith("\n"), err
    assert len(err.splitlines()) == 1, err
    assert "Traceback" not in err
    return err


def refused(*arguments, cwd, given=b""):
    """The line with which a process refuses, having left nothing behind."""
    before = listing(cwd)
    done = run(*arguments, cwd=cwd, given=given)
    message = assert_refusal(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert listing(cwd) == before
    return message


class Here:
    """`tfgen` in this process, where TensorFlow is imported once, in a directory of its own."""

    def __init__(self, folder, capsys, monkeypatch):
        self.folder = folder
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(folder)

    def __call__(self, *arguments, given=b""):
        """Give the exit code and the two streams."""
        self._monkeypatch.setattr(sys, "argv", ["tfgen", *map(str, arguments)])
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            tfgen.cli.main()
        return ended.value.code, *self._capsys.readouterr()

    def done(self, *arguments, given=b""):
        """What it writes when all is well."""
        code, out, err = self(*arguments, given=given)
        assert (code, re.sub(r"\Aseed \d+\n", "", err)) == (0, "")
        return out

    def refused(self, *arguments, given=b"", out=""):
        """The line with which it refuses, having left nothing behind."""
        before = listing(self.folder)
        code, written, err = self(*arguments, given=given)
        message = assert_refusal(code, written, err)
        assert listing(self.folder) == before
        return message


@pytest.fixture(name="here")
def here_fixture(tmp_path, capsys, monkeypatch):
    return Here(tmp_path, capsys, monkeypatch)


@pytest.fixture(name="model_bytes", scope="session")
def model_bytes_fixture(tmp_path_factory):
    """A small untrained model of TEXT, as the bytes of its file."""
    from tfgen import TextGenerator, Vocabulary

    path = tmp_path_factory.mktemp("model") / "small.keras"
    TextGenerator.build(Vocabulary.from_texts([TEXT]), units=8, seed=1).save(path)
    return path.read_bytes()


@pytest.fixture(name="model")
def model_fixture(tmp_path, model_bytes):
    """The file of that model, in the test's own directory."""
    path = tmp_path / "small.keras"
    path.write_bytes(model_bytes)
    return path
