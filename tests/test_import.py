"""What `import tfgen` costs, and what it offers."""

import json
import subprocess
import sys

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
