"""One voice: every message that refuses something says what it received, in plain words, and ends with a full stop."""

import ast
import functools
import pathlib
import re
from collections.abc import Iterator, Mapping

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tfgen").rglob("*.py"))

# What raises a message. Their first argument is looked at, wherever it stands.
# What `InputError` puts after what it was given in two parts, see there.
ENDED = "; repaired in some way."
RAISING = {"InputError", "UsageError", "ValueError", "damage"}

# Messages that end with what a name stands for, which is made elsewhere: file, and the expression.
OPEN = {
    ("tfgen/errors.py", "describe(error)"),  # the argument of `damage`, which is looked at where it is given
    ("tfgen/writing/session_file.py", "lambda error: _no_session(path, error)"),  # as in the next one
    ("tfgen/writing/session_file.py", "lambda error: _damaged(path, error)"),
    ("tfgen/model_files.py", "lambda error: _no_model(path, error)"),  # what is wrong may have been said already
    ("tfgen/model_files.py", "lambda error: _not_loaded(path, error)"),
    ("tfgen/interop/pytorch.py", "lambda error: _unreadable(path, error)"),
    ("tfgen/instant/reading.py", "lambda error: f'{str(path)!r} {_fault(error)}'"),
    ("tfgen/portable/layers.py", "describe"),
    ("tfgen/machines/group.py", "said.mistakes[0]"),  # what one of several processes has raised
    ("tfgen/bulk/ray_data.py", "answer"),  # likewise
    ("tfgen/workers.py", "message if everywhere else f'on worker {rank} of {self.size}, {message}'"),  # likewise
}

# Words that nobody else uses so, or that say less than the field's own; and what to write instead.
WORDS = {
    r"\bgot\b": "received",
    r"\bleave\b.{0,60}\baway\b": "remove",
    r"\bleft away\b": "removed",
    r"\bmend(s|ed|ing)?\b": "repair",
    r"\btold\b": "described",
    r"\b(set|put) aside\b": "kept apart",
    r"\bgone on with\b": "resumed, continued",
    r"\bsaid apart\b": "listed separately",
}
WORDS_OF_MESSAGES = WORDS | {
    r"\bno numbers\b": "not finite, or NaN",
    r"\bis no number\b": "is not a number",
    r"\bgo on (with|at|from)\b": "resume, continue",
    r"\btake(s|n)? (it |them )?out\b": "remove",
}
ADDRESS = re.compile(r"0x[0-9a-f]{6,}|<function|object at")

HOLE = "\N{OBJECT REPLACEMENT CHARACTER}"  # stands for what only a run knows


class Messages:
    """The texts that expressions of one file may give, with those that other files give by name."""

    def __init__(self, source: str, others: Mapping[str, list[str]] | None = None) -> None:
        self.tree = ast.parse(source)
        self._others = others or {}
        self._parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self._functions = _functions(self.tree)

    def __iter__(self) -> Iterator[tuple[ast.expr, str]]:
        """Give each message, with the expression that gives it."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and node.args and _name(node.func) in RAISING:
                for text in self._texts(node.args[0], ()):
                    yield node.args[0], text + ENDED * (len(node.args) > 1 and _name(node.func) == "InputError")

    def _texts(self, node: ast.expr, within: tuple[ast.AST, ...]) -> list[str]:
        if node in within:  # a function that calls itself
            return [HOLE]
        within = (*within, node)
        if isinstance(node, ast.Constant):
            return [str(node.value)]
        if isinstance(node, ast.JoinedStr):
            return self._joined(node.values, within)
        if isinstance(node, ast.FormattedValue):
            return self._texts(node.value, within) if node.conversion == -1 and not node.format_spec else [HOLE]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._joined([node.left, node.right], within)
        if isinstance(node, ast.IfExp):
            return self._texts(node.body, within) + self._texts(node.orelse, within)
        if isinstance(node, ast.Name):
            return self._assigned(node, within)
        if isinstance(node, ast.Lambda):
            return self._texts(node.body, within)
        if isinstance(node, ast.Call) and (name := _name(node.func)) in self._functions:
            return [text for value in self._functions[name] for text in self._texts(value, within)] or [HOLE]
        if isinstance(node, ast.Call | ast.Attribute):
            return self._others.get(_name(node.func if isinstance(node, ast.Call) else node), [HOLE])
        return [HOLE]

    def texts_of_names(self) -> Iterator[tuple[str, list[str]]]:
        """Give what other files may use: constants, and functions that give a text and are public."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and (name := _name(node.targets[0])).isupper():
                yield name, self._texts(node.value, ())
        for name, values in self._functions.items():
            if not name.startswith("_"):
                yield name, [text for value in values for text in self._texts(value, ())]

    def _joined(self, nodes: list[ast.expr], within: tuple[ast.AST, ...]) -> list[str]:
        texts = [""]
        for node in nodes:
            texts = [before + text for before in texts for text in self._texts(node, within)][:64]
        return texts

    def _assigned(self, name: ast.Name, within: tuple[ast.AST, ...]) -> list[str]:
        """Follow a name to what the same function, or the module, assigns to it."""
        scope: ast.AST = name
        while not isinstance(scope, ast.FunctionDef | ast.Module):
            scope = self._parents[scope]
        for place in (scope, self.tree):
            values = [
                node.value
                for node in ast.walk(place)
                if isinstance(node, ast.Assign) and any(_name(goal) == name.id for goal in node.targets)
            ]
            if values:
                return [text for value in values for text in self._texts(value, within)]
        return self._others.get(name.id, [HOLE]) if name.id.isupper() else [HOLE]


@functools.cache
def elsewhere() -> dict[str, list[str]]:
    """The texts that files give each other, by name."""
    found: dict[str, list[str]] = {}
    for file in FILES:
        for name, texts in Messages((ROOT / file).read_text("utf-8")).texts_of_names():
            found.setdefault(name, []).extend(texts)
    return found


def _functions(tree: ast.Module) -> dict[str, list[ast.expr]]:
    """What each function returns."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            returned = [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value]
            found.setdefault(node.name, []).extend(returned)
    return found


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def faults(source: str, file: str = "") -> list[str]:
    """What is wrong with the messages and the documentation of a file, a line each."""
    found = [f"line {line}: {fault}" for line, fault in _of_documentation(ast.parse(source))]
    for node, text in Messages(source, elsewhere()):
        is_open = (file, ast.unparse(node)) in OPEN
        found += [f"line {node.lineno}: {fault} in {text.replace(HOLE, '...')!r}" for fault in _of(text, is_open)]
    return list(dict.fromkeys(found))


def _of_documentation(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            documentation = ast.get_docstring(node) or ""
            for word, instead in WORDS.items():
                if re.search(word, documentation, re.DOTALL):
                    yield getattr(node, "lineno", 1), f"{word!r}, for {instead!r}, in documentation"


def _of(message: str, is_open: bool) -> Iterator[str]:
    for word, instead in WORDS_OF_MESSAGES.items():
        if re.search(word, message, re.DOTALL):
            yield f"{word!r}, for {instead!r},"
    if ADDRESS.search(message):
        yield "a place in memory"
    if re.search(rf" must (be|have)\b.*{HOLE}", message) and "received" not in message:
        yield "nothing received"
    if message.endswith(HOLE) and not is_open:
        yield "an end that is made elsewhere and not listed in OPEN"
    if not message.endswith((".", HOLE)):
        yield "no full stop"


@pytest.mark.parametrize("file", FILES)
def test_a_file_has_the_voice_of_all(file):
    found = faults((ROOT / file).read_text("utf-8"), file)
    assert not found, "\n".join(found)


def test_what_is_open_is_there():
    for file, expression in OPEN:
        assert expression in {ast.unparse(node) for node, _ in Messages((ROOT / file).read_text("utf-8"))}


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("InputError('it is empty')", "full stop"),
        ("raise InputError(f'{a} must be a str, got {b}.')", "got"),
        ("click.UsageError('leave '\n'away --x.')", "leave"),
        ("ValueError('a' + ('; mend it.' if x else '.'))", "mend"),
        ("InputError(f'it is {x}')", "not listed"),
        ("InputError(str(error))", "not listed"),
        ("def f():\n    return 'it is told.'\nInputError(f())", "told"),
        ("def f():\n    why = f'{x} it'\n    raise InputError(f'{why}')", "full stop"),
        ("class A:\n    def f(self):\n        return f'{x}' if y else 'so'\nInputError(a.f())", "full stop"),
        ("NO = 'no numbers.'\nraise errors.InputError(NO)", "no numbers"),
        ("def f(x):\n    return f(x)\nInputError(f(1))", "not listed"),
        ("InputError(f'x must be a str, not {x}.')", "nothing received"),
        ("InputError('<function f> is none.')", "memory"),
        ('class A:\n    """It is told."""', "documentation"),
    ],
)
def test_a_fault_is_found(source, fault):
    assert fault in "".join(faults(source))


@pytest.mark.parametrize(
    "source",
    ["raise InputError(f'x must be 1; received {x!r}.')", "raise ValueError", "str('got it')", "InputError('a' 'b.')"],
)
def test_what_is_well_said_is_no_fault(source):
    assert faults(source) == []
