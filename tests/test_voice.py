"""One voice: every message that a user can meet says what was received, ends with a full stop, and has plain words."""

import ast
import pathlib
import re

import pytest

import tfgen

ROOT = pathlib.Path(tfgen.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
ERRORS = ("InputError", "UsageError", "ValueError")

# Words that say less than the field's own, or that nobody else uses so.
PRIVATE = re.compile(
    r"\b(got|leave away|left away|mend|mends|mended|told|set aside|no numbers|gone on with|said apart)\b"
)
ADDRESS = re.compile(r"0x[0-9a-f]{6,}|<function|object at")


def parts(node):
    """The constant parts of a message, "{}" where something is filled in; None where it is made elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(each.value if isinstance(each, ast.Constant) else "{}" for each in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = [parts(node.left), parts(node.right)]
        return None if None in sides else "".join(sides)
    return None


def messages(path):
    """The messages of errors that a file raises, each with its line."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            message = parts(node.args[0]) if name in ERRORS else None
            if message is not None:
                yield node.lineno, message


def named(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_messages_end_with_a_full_stop_and_have_plain_words(path):
    for line, message in messages(path):
        assert re.search(r"([.)]|\{\})$", message.rstrip()), (line, message)
        assert not PRIVATE.search(message), (line, message)
        assert not ADDRESS.search(message), (line, message)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_what_was_given_is_received(path):
    text = path.read_text("utf-8")
    assert ", got " not in text
    for line, message in messages(path):
        if re.search(r" must (be|have)\b.*\{\}", message):
            assert "received" in message, (line, message)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_documentation_has_plain_words_too(path):
    tree = ast.parse(path.read_text("utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        words = ast.get_docstring(node) if isinstance(node, kinds) else None
        assert not words or not PRIVATE.search(words), words
