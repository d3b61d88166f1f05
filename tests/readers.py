# ruff: noqa: E501 - data
"""Everything of tfgen that reads bytes; a new reader is one line in a table."""

import bz2
import contextlib
import functools
import gzip
import hashlib
import io
import json
import lzma
import os
import pathlib
import random
import sys
import tempfile
from collections.abc import Callable
from typing import Any
from unittest import mock

from hostile import Reader, written

from tfgen.errors import InputError

# --- readers that need no TensorFlow --------------------------------------------------------------------------------

BOOK = "*** START OF THE PROJECT GUTENBERG EBOOK X ***\r\nIt’s caf\u00e9 &amp;lt; #39;t\n\n\u6f22\u5b57 👩‍👩‍👧 don't 3.14\n*** END OF THE PROJECT GUTENBERG"
TABLE = 'id,title\r\n1,"Rain, and ""more"""\r\n2,Sun\n\n3,"a\nb"\n'
JSON_LINES = '{"id": 1, "title": "Rain"}\n\n{"title": "S\\u00fcn", "x": [1, {"y": null}]}\n'


def read_text(data: bytes, chance: random.Random, folder: pathlib.Path, name: str = "a.txt") -> Any:
    from tfgen.corpora import load_corpus

    return load_corpus(
        written(folder, name, data),
        lines=chance.random() < 0.3,
        encoding=chance.choice(
            ["utf-8"] * 5 + ["utf-16", "latin-1", "shift_jis", "utf-7", "punycode", "unicode_escape", "idna"]
        ),
        unescape=chance.random() < 0.3,
        strip_gutenberg=chance.random() < 0.2,
        normalize=chance.choice([None, None, "NFC", "NFKD"]),
        lower=chance.choice([False, False, True]),
        control=chance.choice(["error", "replace"]),
    )


def read_table(data: bytes, chance: random.Random, folder: pathlib.Path, name: str = "a.csv") -> Any:
    from tfgen.corpora import load_corpus

    columns = ["title"] * 9 + ["2", "1", "9" * 30, "", "x"]
    return load_corpus(written(folder, name, data), column=chance.choice(columns))


def read_pairs(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    from tfgen.corpora.pairs import load_pairs

    columns = ["id"] * 9 + ["title", "2", "1", "9" * 30, "", "x"]
    name = chance.choice(["a.csv", "a.csv", "a.jsonl"])
    return load_pairs(written(folder, name, data), source=chance.choice(columns), column="title")


def read_prepared_pairs(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    """Two sides, one of which has a damaged manifest."""
    from tfgen.prepared.pairs import open_prepared_pairs

    good = json.dumps({**json.loads(manifest()), "ends": True}).encode()
    damaged = chance.choice(["source", "text"])
    for side in ("source", "text"):
        (folder / side).mkdir()
        written(folder / side, "ids.bin", bytes([3, 4, 5]))
        written(folder / side, "manifest.json", data if side == damaged else good)
    return open_prepared_pairs(folder).sources.ids.tolist()


def read_json_lines(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    return read_table(data, chance, folder, "a.jsonl")


def compressed(ending: str) -> Callable[[bytes, random.Random, pathlib.Path], Any]:
    return lambda data, chance, folder: read_text(data, chance, folder, f"a.txt{ending}")


def read_prompt(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    from tfgen.vocabulary.vocabulary import Vocabulary

    vocabulary = Vocabulary.from_config(json.loads(vocabulary_config(chance.choice(["character", "word"]))))
    ids = vocabulary.encode(_text(data, chance), chance.choice(["error", "skip", "unknown"]))
    assert set(ids.tolist()) <= set(range(len(vocabulary)))
    return vocabulary.decode(ids)


def _text(data: bytes, chance: random.Random) -> str:
    return data.decode("utf-8", "surrogateescape") if chance.random() < 0.7 else data.decode("latin-1")


def count_text(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    from tfgen.vocabulary.vocabulary import Vocabulary

    limits = {"max_tokens": chance.choice([None, 4, 10]), "min_count": chance.choice([1, 2])}
    return Vocabulary.from_texts([_text(data, chance)], split=chance.choice(["character", "word"]), **limits)


def read_vocabulary(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    from tfgen.vocabulary.vocabulary import Vocabulary

    try:
        config = json.loads(data)
    except (ValueError, RecursionError):
        raise InputError("no JSON") from None  # whoever reads the file says so
    return Vocabulary.from_config(config).encode("a", "unknown")


def read_model_config(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    """What `tfgen inspect` and the beginning of every other command do."""
    from tfgen import model_files
    from tfgen.vocabulary.vocabulary import Vocabulary

    return Vocabulary.from_config(model_files.read_config(written(folder, "a.keras", data))["vocabulary"])


def read_model(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    """What `tfgen generate` does before it writes without TensorFlow, and a text of it."""
    from tfgen.instant.reading import read
    from tfgen.instant.writer import Writer

    path = written(folder, "a.keras", data)
    writer = Writer(*read(path))
    assert sorted(folder.iterdir()) == [path]  # nothing is unpacked
    return writer.generate("", length=3, seed=0) if chance.random() < 0.2 else writer


def read_manifest(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    from tfgen.prepared.corpus import open_prepared

    written(folder, "ids.bin", bytes([3, 4, 5]))
    written(folder, "manifest.json", data)
    return open_prepared(folder).ids.tolist()


def read_ids(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    from tfgen.prepared.corpus import open_prepared

    written(folder, "ids.bin", data)
    written(folder, "manifest.json", manifest())
    ids = open_prepared(folder).ids
    assert ids.tobytes() == bytes([3, 4, 5])
    return ids


def prepare(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    from tfgen.prepared.preparing import prepare_corpus

    path = written(folder, "a.txt", data)
    try:
        return prepare_corpus(
            path, folder / "b", split=chance.choice(["character", "word"]), lines=chance.random() < 0.5
        )
    except InputError:
        assert sorted(folder.iterdir()) == [path]  # nothing half done
        raise


def manifest() -> bytes:
    """A prepared corpus of three ids."""
    from tfgen.vocabulary.vocabulary import Vocabulary

    return json.dumps(
        {
            "format": "tfgen ids 1",
            "key": "k",
            "source": "a.txt",
            "ends": False,
            "documents": 1,
            "characters": 3,
            "sha256": "0",
            "tokens": 3,
            "type": "uint8",
            "ids_sha256": hashlib.sha256(bytes([3, 4, 5])).hexdigest(),
            "vocabulary": Vocabulary.from_texts(["abc"]).get_config(),
        }
    ).encode()


@functools.cache
def vocabulary_config(split: str = "word") -> bytes:
    from tfgen.vocabulary.vocabulary import Vocabulary

    return json.dumps(Vocabulary.from_texts([BOOK], split=split).get_config()).encode()


def read_checkpoint(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    """What `tfgen train --resume` does before it imports TensorFlow; most files have the checksum that they should."""
    from tfgen.cli import stopped_runs
    from tfgen.support import checkpoints

    place = stopped_runs.directory(folder / "a.keras")
    place.mkdir()
    checksum = hashlib.sha256(data if chance.random() < 0.9 else b"").hexdigest()
    path = written(place, f"checkpoint-00000001-{checksum}.npz", data)
    checkpoints.read(path)
    return stopped_runs.find(folder / "a.keras")


def checkpoint() -> bytes:
    """A checkpoint of a run, as far as it is read without TensorFlow."""
    import numpy as np

    from tfgen.support import checkpoints

    identity = {"seed": 1, "retried.0": 0.5, "optimizer.class_name": "Adam"}
    numbers = {"format": 1, "epoch": 2, "step": 3, "steps": 9, "epochs": 5, "stopped": False}
    return checkpoints.packed({**numbers, "identity": identity, "variables": [np.ones((2, 3), np.float32)]})


COMMANDS = ("train", "generate", "write", "score", "novelty", "inspect", "prepare")
WORDS = [
    "-o", "--output", "--length", "--temperature", "--top-p", "--seed", "--stop", "--column", "--encoding", "--lines", "--json",
    "--units", "--epochs", "--pattern", "--init-from", "--prompt", "-n", "--", "-", "", "a.txt", "a.keras", "b", "\n", "*",
    "-1", "0", "1", "1e999", "nan", "inf", "9" * 400, "utf-8", "\udc80", "x" * 3000, "\x1b[31m", "%s", "{0}", "/dev/null", ".",
    "/", "unicode-names",
]  # fmt: skip
VARIABLES = (
    "KERAS_HOME", "KERAS_BACKEND", "HOME", "TMPDIR", "COLUMNS", "LINES", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR",
    "TTY_COMPATIBLE", "TTY_INTERACTIVE", "TF_CPP_MIN_LOG_LEVEL", "LANG", "LC_ALL",
)  # fmt: skip


def run_command(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    """A command line of odd words."""
    command = chance.choice(COMMANDS)
    words = [chance.choice(WORDS) for _ in range(chance.randrange(4))]
    if chance.random() < 0.5:
        words.append(data.replace(b"\0", b"").decode("utf-8", "surrogateescape")[:200])
    return _tfgen([command, *words], {}, data, folder)


def run_with_options(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    """A command that would do, but for the values of some options."""
    from tfgen import cli

    written(folder, "b.txt", BOOK.encode())
    command = chance.choice(COMMANDS)
    options = [option for option in cli.cli.get_command(None, command).params if option.opts[0].startswith("-")]
    words = ["b.txt"] * (1 + (command in ("score", "novelty")))
    for option in chance.choices(options, k=chance.choice([1, 1, 2, 4])):
        odd = data.replace(b"\0", b"").decode("utf-8", "surrogateescape")[:200]
        words += [option.opts[-1]] if option.is_flag else [option.opts[-1], chance.choice([*WORDS, odd])]
    return _tfgen([command, *words], {}, b"", folder)


def run_in_environment(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    """A command that would do, with odd variables in its environment."""
    written(folder, "b.txt", BOOK.encode())
    odd = os.fsdecode(data.replace(b"\0", b""))[:200]
    variables = {name: chance.choice([*WORDS, odd]).replace("\0", "") for name in chance.choices(VARIABLES, k=3)}
    variables["KERAS_HOME"] = str(folder / variables.get("KERAS_HOME", "")[:100].lstrip("/"))
    return _tfgen(
        chance.choice([["train", "b.txt"], ["prepare", "b.txt"], ["inspect", "b.txt"]]), variables, b"", folder
    )


def _tfgen(words: list[str], variables: dict[str, str], given: bytes, folder: pathlib.Path) -> Any:
    """Run the command line in this process, up to where TensorFlow would be imported."""
    from tfgen import cli
    from tfgen.cli import tensorflow_log

    out, err = io.StringIO(), io.StringIO()

    def stop() -> None:
        raise InputError("here TensorFlow would be imported")

    with contextlib.ExitStack() as stack:
        for owner, name, value in (
            (sys, "argv", ["tfgen", *words]),
            (sys, "stdin", io.TextIOWrapper(io.BytesIO(given))),
            (tensorflow_log, "import_tensorflow", stop),
        ):
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        stack.enter_context(mock.patch.dict(os.environ, variables))
        stack.enter_context(contextlib.chdir(folder))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
    message = err.getvalue()
    assert code in (0, 1, 2), (words, code, message)
    assert (code == 0) or (message.startswith("tfgen: ") and message.count("\n") == 1), (words, message)
    if code:
        raise InputError(message.strip()[:1000])


def plain_readers(model: bytes) -> list[Reader]:
    """Every reader that needs no TensorFlow; `model` is a small model file."""
    book, table, lines = BOOK.encode(), TABLE.encode(), JSON_LINES.encode()
    return [
        Reader("text", read_text, [book, book.decode().encode("utf-16"), b"a\r\nb\n"], share=3),
        Reader("CSV", read_table, [table, b'"3","Rain","It rains."\n'], share=2),
        Reader("JSON lines", read_json_lines, [lines], share=2),
        Reader("pairs", read_pairs, [table, lines], share=1),
        Reader(
            "prepared pairs",
            read_prepared_pairs,
            [json.dumps({**json.loads(manifest()), "ends": True}).encode()],
            "json",
        ),
        Reader("gzip", compressed(".gz"), [gzip.compress(book)]),
        Reader("bzip2", compressed(".bz2"), [bz2.compress(book)]),
        Reader("xz", compressed(".xz"), [lzma.compress(book)], share=0.5),
        *_zstandard(book),
        Reader("prompt", read_prompt, [book, "\ud83d a b".encode("utf-8", "surrogatepass")], share=2),
        Reader("counting", count_text, [book], share=1),
        Reader("vocabulary", read_vocabulary, [vocabulary_config()], "json"),
        Reader("model file's configuration", read_model_config, [model], "zip", share=1.5),
        Reader("model file without TensorFlow", read_model, [model], "model", share=1.5),
        Reader("manifest", read_manifest, [manifest()], "json"),
        Reader("ids", read_ids, [bytes([3, 4, 5])], share=0.3),
        Reader("checkpoint", read_checkpoint, [checkpoint()], "state", share=1.5),
        Reader("prepare", prepare, [book, b"a\nb\n"], share=0.5),
        Reader("command line", run_command, [book], share=0.5),
        Reader("options", run_with_options, [book], share=1.5),
        Reader("environment", run_in_environment, [book], share=0.5),
    ]


def _zstandard(book: bytes) -> list[Reader]:
    try:
        import zstandard
    except ImportError:  # an extra
        return []
    return [
        Reader("zst", compressed(".zst"), [zstandard.ZstdCompressor(write_checksum=True).compress(book)], share=0.5)
    ]


# --- readers that need TensorFlow -----------------------------------------------------------------------------------


def load_model(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
    from tfgen import model_files

    path = written(folder, "a.keras", data)
    generator = model_files.load(path)
    assert sorted(folder.iterdir()) == [path]  # nothing is unpacked
    return generator


def resumed_run() -> Reader:
    """A training run that goes on from a checkpoint."""
    from tfgen import TextGenerator, Vocabulary, callbacks, datasets
    from tfgen.corpora import Corpus
    from tfgen.support import checkpoints

    corpus = Corpus.from_text(BOOK * 3)
    vocabulary = Vocabulary.from_corpus(corpus)
    batches, _ = datasets.streams(corpus, vocabulary, batch_size=2, length=20, validation=0)
    generator = TextGenerator.build(vocabulary, cell="rnn", units=2, dropout=0.1, batch_size=2, seed=1)
    generator.compile("adam", "sparse_categorical_crossentropy")

    def resume(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
        written(folder, f"checkpoint-00000001-{hashlib.sha256(data).hexdigest()}.npz", data)
        watching = [callbacks.Resume(folder, warn=str), callbacks.StopOnNaN(show=str), callbacks.LearningCurve(9)]
        return generator.fit(batches, epochs=1, callbacks=watching, verbose=0)

    with tempfile.TemporaryDirectory() as folder:
        generator.fit(batches, callbacks=[callbacks.Resume(folder, every=5)], verbose=0)
        saved = checkpoints.packed(checkpoints.Checkpoints(folder).latest().state)
    return Reader("resumed run", resume, [saved], "state", share=0.04)


def slow_readers(model: bytes) -> list[Reader]:
    """Readers that take a network; `model` is a small model file."""
    from tfgen import model_files, sampling

    with tempfile.TemporaryDirectory() as folder:
        generator = model_files.load(written(pathlib.Path(folder), "a.keras", model))
        session = generator.start("the ", seed=1)
        session.generate(5)
        session.save(pathlib.Path(folder, "session"))
        saved = pathlib.Path(folder, "session").read_bytes()

    def resume(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
        resumed = generator.resume(written(folder, "session", data))
        return resumed.generate(1) if chance.random() < 0.1 else resumed

    def pattern(data: bytes, chance: random.Random, folder: pathlib.Path) -> Any:
        try:
            return sampling.Pattern(_text(data, chance)[:200]).bind(generator.vocabulary)
        except InputError as error:  # it quotes the pattern: the command line puts it on one line
            raise InputError(" ".join(str(error).split())) from None

    expressions = [b"[A-Z][a-z]+ [0-9]{4}|(the|a) .*", b"(a{9}){9}(?:b|c)+?", b"((a*)*)*[^x]"]
    return [
        Reader("model file", load_model, [model], "zip", share=0.3),
        resumed_run(),
        Reader("session", resume, [saved], "zip", share=0.5),
        Reader("pattern", pattern, expressions, share=0.3),
    ]
