"""`.ci/run` with other programs in the place of its own: what it runs, in which order, and what it says at the end."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[1]
NAMES = [
    "PyTorch and Hugging Face",
    "ONNX",
    "ONNX Runtime Web",
    "The page in a browser",
    "LiteRT",
    "The server",
    "KServe",
]


@pytest.fixture(name="ci")
def ci_fixture(tmp_path):
    """Runs it where `missing` cannot be installed; gives the exit code, the commands and the last lines."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    program = f"""#!/bin/sh
echo "${{TFGEN_TESTS:-some}}: $(basename "$0") $*" >> {tmp_path}/log
case "$*" in *install*) for word in $MISSING; do case "$*" in *$word*) exit 1;; esac; done;; esac
case "$0 $*" in *"$FAILING") exit 3;; esac
"""
    for name in ("make", "npm", ".venv/bin/pip", ".venv/bin/python"):
        path = tmp_path / name
        path.write_text(program)
        path.chmod(0o755)

    def ci(missing="", failing="nothing"):
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "MISSING": missing, "FAILING": failing}
        done = subprocess.run([tmp_path / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False)
        return done.returncode, (tmp_path / "log").read_text().splitlines(), done.stdout.splitlines()

    return ci


def test_it_runs_the_command_of_the_readme_first_and_then_everything(ci):
    code, log, last = ci()
    assert (code, last) == (0, [])
    assert log[:3] == [
        "some: make lint",
        "some: make test",
        "all: python -m pytest -m slow or hypothesis or random --numprocesses 2 --dist worksteal",
    ]
    assert "make test" in (ROOT / "README.md").read_text("utf-8")
    optional = (
        *("hugging_face", "pytorch", "onnx", "onnx_web", "page_browser", "litert"),
        *("serve_process", "serving", "documents"),
    )
    assert all(any(f"tests/test_{name}.py" in line for line in log[3:]) for name in optional)


def test_what_could_not_be_checked_is_said_in_the_last_lines(ci):
    code, log, last = ci(missing="torch tf2onnx onnxruntime-web axe-core litert starlette kserve")
    assert code == 0
    assert last == [f"Not checked, since its packages cannot be installed here: {name}." for name in NAMES]
    assert not any("tests/test_onnx.py" in line for line in log)


def test_a_failure_ends_it_with_its_code_and_still_says_so(ci):
    code, log, last = ci(missing="torch", failing="python -m pytest tests/test_litert.py")
    assert code == 3
    assert last == [f"Not checked, since its packages cannot be installed here: {NAMES[0]}."]
    assert not any("serving" in line for line in log)
