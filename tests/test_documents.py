"""Every fenced example of the documents runs: in the order in which they stand, small, on texts beside the checkout."""

import configparser
import dataclasses
import functools
import re
import tempfile

import documents
import pytest
from corpora_support import shared_file

from tfgen.corpora import downloads, sources
from tfgen.corpora.corpus import Document

EXAMPLES = [
    pytest.param(document, number, id=f"{document}:{fence.line}")
    for document in documents.DOCUMENTS
    for number, fence in enumerate(documents.fences((documents.ROOT / document).read_text("utf-8")))
    if fence.kind != "output"
]


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    """Gives the reader of each document."""
    data = shared_file("tinyshakespeare.txt").parent
    local = {name: shared_file(f) for name, f in (("shakespeare", "tinyshakespeare.txt"), ("alice", "alice.txt"))}
    local["ag-news"] = shared_file("ag_news_test.csv")
    docs = next(sources.BY_NAME["python-docs"].read())
    small = functools.partial(iter, [Document(docs.text[:20_000], docs.place)])
    named = {**sources.BY_NAME, "python-docs": dataclasses.replace(sources.BY_NAME["python-docs"], read=small)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        patch.setattr(tempfile, "tempdir", None)
        patch.setattr(downloads, "fetch", lambda name: local[name].read_bytes()[:20_000])
        patch.setattr(sources, "BY_NAME", named)
        yield functools.cache(lambda document: documents.Reader(document, tmp_path_factory.mktemp("document"), data))


@pytest.mark.slow
@pytest.mark.parametrize(("document", "number"), EXAMPLES)
def test_every_example_runs(readers, document, number):
    readers(document).read(number)


def test_every_block_of_the_documents_is_found():
    for document in documents.DOCUMENTS:
        text = (documents.ROOT / document).read_text("utf-8")
        found = documents.fences(text)
        assert text.count("```") == 2 * len(found), document
        assert text.count("```python") == sum(fence.kind == "python" for fence in found), document
        assert text.count("```sh") <= sum(fence.kind == "shell" for fence in found), document


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("```\ntfgen inspect a.keras\n```\nsays\n```\nmodel a\n```\n", ["shell", "output"]),
        ("```sh\nhead a\n```\n\n- b\n\n  ```python\n  1\n  ```\n", ["shell", "python"]),
        ("```\ncat a | head\n```\n```\nA=1 python a.py\n```\n```\n\n```\n", ["shell", "shell", "output"]),
    ],
)
def test_blocks_are_what_they_hold(text, kinds):
    assert [fence.kind for fence in documents.fences(text)] == kinds


@pytest.mark.parametrize(("text", "said"), [("```\na", "does not end"), ("```rust\n```\n", "'rust'")])
def test_a_block_that_nobody_would_run_is_an_error(text, said):
    with pytest.raises(ValueError, match=said):
        documents.fences(text)


def test_commands_are_whole_lines_without_comments():
    code = "# first\ntfgen train a \\\n    --units 3  # second\n\nhead 'a # b'\n"
    assert documents.commands(code) == ["tfgen train a --units 3  # second", "head 'a # b'"]


def test_nobody_is_told_to_install_the_package_of_somebody_else():
    # The index has a stranger's package under the name of ours; the distribution is called tfgen-text.
    folders = ("tfgen", "examples", "docs", "tests", "benchmarks")
    files = [path for folder in folders for path in (documents.ROOT / folder).rglob("*.*")]
    files = [path for path in files if path.suffix in {".py", ".md", ".ipynb", ".html", ".js"}]
    wrong = re.compile(r"""pip install[^\n#]*["'` ]tfgen(?![-\w/])""")
    for path in [*files, *documents.ROOT.glob("*.md"), documents.ROOT / "requirements.txt"]:
        found = wrong.search(path.read_text("utf-8"))
        assert found is None, f"{path}: {found and found.group()}"
    config = configparser.ConfigParser(interpolation=None)
    config.read(documents.ROOT / "setup.cfg")
    assert config["metadata"]["name"] == "tfgen-text"
