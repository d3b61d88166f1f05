"""Reads the fenced examples of a Markdown document, and runs them one after another in a directory of its own."""

import contextlib
import csv
import dataclasses
import gzip
import importlib.util
import io
import os
import pathlib
import re
import shlex
import shutil
import string
import subprocess
import sys

import pytest
from cli_support import ENVIRONMENT
from effort import ALL

ROOT = pathlib.Path(__file__).parents[1]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
DOCUMENTS.append("examples/README.md")

# These take the place of what an example says, so that it is small.
_SMALL_TRAINING = ("--units", "4", "--layers", "1", "--length", "16", "--batch-size", "8", "--epochs", "1")
_SMALL_PYTHON = ((r"\bunits=\d+", "units=4"), (r"\bepochs=\d+", "epochs=1"), (r"\bGRU\(256,", "GRU(8,"))
_PROGRAMS = ("tfgen", "make", "pip", "npm", "python", ".venv/bin/python", "saved_model_cli", "curl", "pytest")
_NEEDS_PACKAGES = re.compile(r"needs? (the package|packages|another package|matplotlib)|is not installed")


@dataclasses.dataclass(frozen=True)
class Fence:
    """A fenced block.

    Attributes:
        line: Where it begins, counted from 1.
        kind: "python", "shell", or "output" of an example before it.
        code: What is in it.
    """

    line: int
    kind: str
    code: str


def fences(text: str) -> list[Fence]:
    """Find every fenced block."""
    found, lines = [], iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        opened = re.fullmatch(r"( *)(```+|~~~+) *(\S*).*", line)
        if not opened:
            continue
        indent, fence, tag = opened.groups()
        code = []
        for _, inner in lines:
            if inner.strip() == fence:
                break
            code.append(inner.removeprefix(indent))
        else:
            raise ValueError(f"the block that begins in line {number} does not end")
        found.append(Fence(number, _kind(tag, code), "\n".join(code) + "\n"))
    return found


def _kind(tag: str, code: list[str]) -> str:
    if tag in ("python", "py"):
        return "python"
    if tag in ("sh", "bash", "shell"):
        return "shell"
    if tag:
        raise ValueError(f"a block of {tag!r} is none that this file can run: teach it, or call the block an example's")
    first = (code[0].split() or [""])[0] if code else ""
    return "shell" if first in _PROGRAMS or re.match(r"[A-Z_]+=", first) or shutil.which(first) else "output"


def commands(code: str) -> list[str]:
    """Join lines that go on after a backslash; comments and blank lines are left out."""
    joined = re.sub(r"\\\n *", "", code).splitlines()
    return [line for line in joined if shlex.split(line, comments=True)]


class Reader:
    """Does what a document says, in a directory that has what it takes for granted."""

    def __init__(self, document: str, folder: pathlib.Path, data: pathlib.Path) -> None:
        self.fences = fences((ROOT / document).read_text("utf-8"))
        self._folder = folder
        self._outcomes: list[BaseException | None] = []
        self._names: dict[str, object] | None = None
        text = (ROOT / document).read_text("utf-8")
        _put_texts(folder, data)
        _put_models(folder, text)
        shutil.copytree(ROOT / "examples", folder / "examples")
        shutil.copytree(ROOT / "benchmarks", folder / "benchmarks")
        (folder / "docs").mkdir()
        shutil.copy(ROOT / "docs" / "sampling.py", folder / "docs")
        (folder / ".venv").symlink_to(sys.prefix)

    def read(self, number: int) -> None:
        """Run the examples up to that one; raise what that one has raised."""
        while len(self._outcomes) <= number:
            fence, outcome = self.fences[len(self._outcomes)], None
            try:
                with contextlib.chdir(self._folder):
                    {"python": self._run_python, "shell": self._run_shell, "output": len}[fence.kind](fence.code)
            except (Exception, pytest.skip.Exception, pytest.fail.Exception) as error:
                outcome = error
            self._outcomes.append(outcome)
        if (outcome := self._outcomes[number]) is not None:
            raise outcome

    def _run_python(self, code: str) -> None:
        if self._names is None:
            self._names = _names_taken_for_granted()
        for pattern, small in _SMALL_PYTHON:
            code = re.sub(pattern, small, code)
        with contextlib.redirect_stdout(io.StringIO()), _packages_or_skip():
            exec(compile(code, "example", "exec"), self._names)

    def _run_shell(self, code: str) -> None:
        for command in commands(code):
            words = shlex.split(command, comments=True)
            run = next((run for pattern, run in _SPECIAL if re.search(pattern, command)), None)
            if run:
                run(self._folder, command, words)
            elif words[0] == "tfgen" and not _has_operators(command):
                run_tfgen(words)
            else:
                run_bash(self._folder, command)


def _has_operators(command: str) -> bool:
    words = shlex.shlex(command, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    return any(set(word) <= set("();<>|&") for word in words)


def run_tfgen(words: list[str]) -> str:
    """Run a command in this process, where TensorFlow is imported already, and give what it prints."""
    import tfgen.cli

    out, err = io.StringIO(), io.StringIO()
    small = _SMALL_TRAINING if words[1] == "train" and "ngram" not in words else ()  # counting takes no training
    if "--source" in words:  # whose texts are of any length
        small = tuple(word for word in small if word not in ("--length", "16"))
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", [*words[:2], *small, *_without(small[::2], words[2:])])
        with pytest.raises(SystemExit) as ended:
            tfgen.cli.main()
    if ended.value.code and _NEEDS_PACKAGES.search(err.getvalue()):
        pytest.skip(err.getvalue().strip())
    assert ended.value.code == 0, (words, err.getvalue())
    return out.getvalue()


def _without(options: tuple[str, ...], words: list[str]) -> list[str]:
    """Leave out some options, each with its value."""
    left = [*words]
    for option in options:
        while option in left:
            del left[left.index(option) : left.index(option) + 2]
    return left


def run_bash(folder: pathlib.Path, command: str) -> str:
    """Run a command in a process of its own, and give what it prints."""
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env={**ENVIRONMENT, "PATH": path, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode and _NEEDS_PACKAGES.search(done.stderr):
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


# --- what is not run as it stands -----------------------------------------------------------------------------------


def _make(folder: pathlib.Path, command: str, words: list[str]) -> None:
    """See that there is such a target: `make demo` and `make test` are commands that have tests of their own."""
    shown = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown.strip()


def _pip(folder: pathlib.Path, command: str, words: list[str]) -> None:
    """Install nothing, but see that the extras exist."""
    extras = re.findall(r"(?m)^(\w+) =$", (ROOT / "setup.cfg").read_text().split("[options.extras_require]")[1])
    named = re.findall(r"(?:\.|tfgen)\[([\w,]+)\]", command)
    assert set(",".join(named).split(",")) - {""} <= set(extras), command


def _needs_packages(*packages: str):
    def run(folder: pathlib.Path, command: str, words: list[str]) -> None:
        for package in packages:
            if importlib.util.find_spec(package) is None:
                pytest.skip(f"{package} is not installed")
        run_bash(folder, command)

    return run


def _skip(reason: str):
    def run(folder: pathlib.Path, command: str, words: list[str]) -> None:
        pytest.skip(reason)

    return run


def _slowly(folder: pathlib.Path, command: str, words: list[str]) -> None:
    if not ALL:
        pytest.skip(f"it takes long, and is run by .ci/run: {command}")
    run_bash(folder, command)


def _measure(*fewer: str):
    """Run a measurement with more arguments, which make it small."""

    def run(folder: pathlib.Path, command: str, words: list[str]) -> None:
        _slowly(folder, " ".join([re.sub(r" +#.*", "", command), *fewer]), words)

    return run


def _read_script(folder: pathlib.Path, command: str, words: list[str]) -> None:
    """A measurement that cannot be made small: its script is there, and is Python or JavaScript."""
    (script,) = (word for word in words if word.startswith("benchmarks/"))
    if script.endswith(".py"):
        compile((folder / script).read_text("utf-8"), script, "exec")
    assert (folder / script).exists()


_SPECIAL = (
    (r"^make ", _make),
    (r"^pip install ", _pip),
    (r"^npm install ", _skip("a package of npm is not installed here; tests/test_onnx_web.py uses it where it is")),
    (
        r"^curl |^python examples/serving/server.py",
        _skip("tests/test_serving.py and tests/test_serve_process.py run the servers"),
    ),
    (r"^python -m http.server", _skip("it serves until it is stopped")),
    (r"\btfgen serve ", _skip("it serves until it is stopped; tests/test_serve_process.py runs it")),
    (r"^python examples/clients/onnx_client.py", _needs_packages("onnxruntime")),
    (r"^python examples/clients/litert_client.py", _needs_packages("ai_edge_litert")),
    (r"benchmarks/deploy.py \S+ \S+$", _measure("20")),
    (r"benchmarks/export.py \S+$", _measure("20", "1")),
    (r"\bbenchmarks/", _read_script),
    (r"docs/sampling.py", _slowly),
    (r"^python docs/figure.py", _skip("tests/test_figure_picture.py draws it, from models that have learned nothing")),
    (r"^python examples/\w+\.py", _skip("tests/test_examples.py runs it, small")),
    (r"^saved_model_cli .*shakespeare", _slowly),  # README.md has one that is run always
)


# --- what a document takes for granted ------------------------------------------------------------------------------


def _put_texts(folder: pathlib.Path, data: pathlib.Path) -> None:
    shakespeare = (data / "tinyshakespeare.txt").read_text("utf-8")
    romeo = shakespeare[shakespeare.index("ROMEO:\nHe jests at scars") :][:6000]
    (folder / "romeo.txt").write_text(romeo, "utf-8")
    (folder / "sample.txt").write_text(romeo[1000:1100] + romeo[2000:2200][::-1], "utf-8")
    (folder / "tinyshakespeare.txt").write_text(romeo, "utf-8")
    (folder / "huge.txt.gz").write_bytes(gzip.compress(romeo.encode()))
    (folder / "training.txt").write_text(romeo[:5400], "utf-8")
    (folder / "held-out.txt").write_text(romeo[5400:], "utf-8")
    alice = (data / "alice.txt").read_text("utf-8")[2000:8000]
    (folder / "alice.txt").write_text(alice, "utf-8")
    (folder / "book.txt").write_text(alice, "utf-8")
    with (data / "ag_news_test.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row, _ in zip(csv.reader(file), range(60), strict=False)]
    dates = (f"{day} mai {year},{year}-05-{day:02}\n" for day in range(1, 29) for year in range(1950, 1956))
    (folder / "dates.csv").write_text("written,iso\n" + "".join(dates), "utf-8")
    (folder / "songs.txt").write_text("\n\n".join(romeo.split("\n\n")[:12]), "utf-8")
    (folder / "chats.txt").write_text(romeo.replace("\n\n", "\n---\n"), "utf-8")
    dated = (f"[05.03.2024, 10:{i:02}] {part}" for i, part in enumerate(romeo.split("\n\n")[:12]))
    (folder / "messages.txt").write_text("\n".join(dated), "utf-8")
    (folder / "candidates.txt").write_text("Rome\nPar\n", "utf-8")
    (folder / "names.txt").write_text("".join(f"{title.split()[0]}\n" for _, title, _ in rows), "utf-8")
    with (folder / "news.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("class", "title", "description"), *rows])


def _put_models(folder: pathlib.Path, text: str) -> None:
    """Save the models that a document does not train itself."""
    from tfgen import TextGenerator, Vocabulary

    vocabulary = Vocabulary.from_texts([(folder / "romeo.txt").read_text("utf-8"), string.printable])
    for path in (folder / "romeo.keras", folder / "demo" / "python-docs.keras"):
        path.parent.mkdir(exist_ok=True)
        if path.name in text and not re.search(rf"tfgen train {path.stem}\.txt(?!.* -o (?!{path.name}))", text):
            TextGenerator.build(vocabulary, units=8, seed=1).save(path)
    for name in ("network.keras", "lstm.keras", "gpt.keras", "both.keras"):
        if name in text and f"-o {name}" not in text:
            TextGenerator.build(vocabulary, cell="rnn", units=8, seed=1).save(folder / name)
    if "counts.keras" in text and "-o counts.keras" not in text:
        _counts(vocabulary, (folder / "training.txt").read_text("utf-8")).save(folder / "counts.keras")


def _counts(vocabulary, text):
    from tfgen import Corpus, TextGenerator

    return TextGenerator.count(Corpus.from_text(text), vocabulary, order=3)


def _names_taken_for_granted() -> dict[str, object]:
    """What a reader has imported and made before the first example."""
    import hashlib

    import keras
    import numpy as np
    import tensorflow as tf

    import tfgen
    from tfgen import datasets, metrics

    text = "The quick brown fox jumps over 13 lazy dogs in 2026.\nA list of ABCDEFGHIJKLMNOPQRSTUVWXYZ, 4578.\n" * 20
    corpus = tfgen.Corpus.from_text(text)
    vocabulary = tfgen.Vocabulary.from_corpus(corpus)
    train, validation = datasets.streams(corpus, vocabulary, batch_size=4, length=16)
    generator = tfgen.TextGenerator.build(vocabulary, cell="gru", units=8, batch_size=4, seed=1)
    generator.compile("sgd", "sparse_categorical_crossentropy", metrics=[metrics.NatsPerCharacter()])
    layers = [keras.layers.Embedding(len(vocabulary), 4), keras.layers.GRU(8, return_sequences=True)]
    head = keras.layers.Dense(len(vocabulary), activation="softmax")
    modules = {"hashlib": hashlib, "keras": keras, "np": np, "tf": tf, "tfgen": tfgen}
    sampling = {name: getattr(tfgen.sampling, name) for name in tfgen.sampling.__all__}
    made = {"corpus": corpus, "vocabulary": vocabulary, "generator": generator, "train": train}
    members = {"network": generator, "counts": _counts(vocabulary, text), "text": text[:200], "held_out": text[-400:]}
    sequential = keras.Sequential([keras.Input((None,), dtype="int32"), *layers, head])
    return {
        **modules,
        **sampling,
        **made,
        **members,
        "validation": validation,
        "sequential": sequential,
        "__name__": "example",
    }


@contextlib.contextmanager
def _packages_or_skip():
    from tfgen import InputError

    try:
        yield
    except InputError as error:
        if _NEEDS_PACKAGES.search(str(error)):
            pytest.skip(str(error))
        raise
