"""What `import tfgen` costs, and what it offers."""

import ast
import itertools
import json
import pathlib
import re
import subprocess
import sys
import types

import pytest

import tfgen

CHECKS = """
import json, sys

def heavy():
    return sorted({name.split(".")[0] for name in sys.modules} & {"tensorflow", "keras", "jax", "torch", "matplotlib"})

import tfgen
found = {"import tfgen": heavy()}
vocabulary = tfgen.Vocabulary.from_texts(["abc"])
vocabulary.decode(vocabulary.encode("abc"))
found["Vocabulary"] = heavy()
dir(tfgen), tfgen.__all__, tfgen.InputError, tfgen.__version__
found["the names"] = heavy()
tfgen.load_corpus, tfgen.Corpus, tfgen.NAMED_CORPORA
found["corpora"] = heavy()
print(json.dumps(found))
"""


def test_corpora_and_vocabularies_work_without_tensorflow() -> None:
    run = subprocess.run([sys.executable, "-c", CHECKS], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {"import tfgen": [], "Vocabulary": [], "the names": [], "corpora": []}


@pytest.mark.parametrize("name", tfgen.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(tfgen, name) is not None


def test_modules_are_public_under_their_own_names() -> None:
    modules = {name for name in tfgen.__all__ if name.islower() and "_" not in name}
    assert {getattr(tfgen, name).__name__ for name in modules} == {f"tfgen.{name}" for name in modules}


def test_dir_lists_the_public_names() -> None:
    assert set(tfgen.__all__) <= set(dir(tfgen))
    assert len(set(tfgen.__all__)) == len(tfgen.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'tfgen' has no attribute 'nonsense'"):
        _ = tfgen.nonsense
    assert not hasattr(tfgen, "scoring_of_another_kind")


def imported(path: pathlib.Path) -> set[str]:
    """The modules of tfgen that a file names in its imports, wherever they stand in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "tfgen":
            found |= {node.module.split(".")[1]} if "." in node.module else {name.name for name in node.names}
    return found


def test_the_map_names_every_module_and_what_it_knows() -> None:
    root = pathlib.Path(__file__).parent.parent
    rows = re.findall(
        r"^\| (`.*`) \| .* \| (.*) \|$", (root / "docs" / "architecture.md").read_text("utf-8"), re.MULTILINE
    )
    files: dict[str, set[str]] = {}
    for path in (root / "tfgen").rglob("*.py"):
        files.setdefault(path.relative_to(root / "tfgen").parts[0].removesuffix(".py"), set()).update(imported(path))
    groups = [re.findall(r"`(\w+)/?`", names) for names, _ in rows]
    assert sorted(itertools.chain(*groups)) == sorted(files.keys() - {"__init__", "__main__"})
    everywhere, above = {"errors"}, set()
    for group, (_, knows) in zip(groups, rows, strict=True):
        known = set().union(*(files[name] for name in group)) - {*group} - everywhere
        assert known <= above, group
        assert knows == "all above" or {*knows.split(", ")} - {"nothing"} == known, group
        above |= {*group}


KINDS = {"LSTM", "GRU", "SimpleRNN", "RNN", "Embedding", "Dense", "Dropout", "LayerNormalization", "Bidirectional"}


def test_kinds_of_layers_are_told_apart_in_few_places() -> None:
    root = pathlib.Path(tfgen.__file__).parent
    asking = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
                named = {getattr(each, "attr", getattr(each, "id", "")) for each in ast.walk(node.args[1])}
                if named & (KINDS | {"_RECURRENT", "_PER_TIMESTEP"}):
                    asking.add(path.relative_to(root).as_posix())
    assert asking == {"layers/stepping.py", "interop/state_dicts.py"}


def test_tab_offers_what_is_ours_alone():
    # And all of it: what a module defines without an underscore.
    for name in tfgen.__all__:
        module = getattr(tfgen, name)
        if not isinstance(module, types.ModuleType):
            continue
        assert dir(module) == sorted(module.__all__), name
        assert not any(isinstance(getattr(module, public), types.ModuleType) for public in module.__all__), name
        defined = {key for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
        assert {key for key in defined if not key.startswith("_")} <= set(module.__all__), name
