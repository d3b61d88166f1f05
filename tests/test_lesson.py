"""The lesson's notebooks: one story in two languages, kept with its outputs, and run here at small settings."""

import ast
import json
import pathlib
import re

import pytest

FOLDER = pathlib.Path(__file__).parents[1] / "examples"
NAMES = ["lesson", "leccion"]


def cells(name: str) -> list[dict]:
    """The cells of a notebook, each with its source as one text."""
    read = json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))
    return [{**cell, "source": "".join(cell["source"])} for cell in read["cells"]]


def code(name: str) -> list[dict]:
    return [cell for cell in cells(name) if cell["cell_type"] == "code"]


def without_words(source: str) -> str:
    """What a cell does, whatever its comments and strings say."""
    tree = ast.parse(re.sub(r"^( *)%.*$", r"\1pass", source, flags=re.MULTILINE))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


def test_both_languages_tell_the_same_story():
    one, other = map(cells, NAMES)
    assert [cell["cell_type"] for cell in one] == [cell["cell_type"] for cell in other]
    for here, there in zip(one, other, strict=True):
        if here["cell_type"] == "code":
            assert without_words(here["source"]) == without_words(there["source"])
        else:
            assert here["source"].count("\n#") == there["source"].count("\n#")
            assert here["source"] != there["source"]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_kept_with_its_outputs_at_full_settings(name):
    ran = code(name)
    assert [cell["execution_count"] for cell in ran] == list(range(1, len(ran) + 1))
    outputs = [output for cell in ran for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 6  # arrows, learning curve, next letters, steps, digits, attention
    assert sum("text/html" in output.get("data", {}) for output in outputs) >= 2  # a score and a report
    assert "ag-news" in str(outputs)
    assert "1952-05-05" in str(outputs)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(name, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: pip install '.[test]'")
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed: pip install '.[test]'")
    for package in ("ipykernel", "sklearn", "babel", "matplotlib"):
        pytest.importorskip(package, reason=f"{package} is not installed: pip install '.[test]'")
    monkeypatch.setenv("TFGEN_LESSON", "small")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))  # nothing is downloaded
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(FOLDER)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]  # TensorFlow's lines among them
    lines = [output["data"]["text/plain"] for output in outputs if "data" in output]
    assert sum(line.startswith("epoch 1/1 · training ") for line in lines) == 4
    assert lines[-1] == "True"  # saved, read, and the same text again
    assert [*tmp_path.iterdir()] == []
