"""An error offers what the command at hand has: no option of another command is ever advised."""

import ast
import pathlib
import re

import click
import pytest

import tfgen
from tfgen import cli

ROOT = pathlib.Path(tfgen.__file__).parent
RAISING = {"InputError", "UsageError", "BadParameter", "ClickException"}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
# "tfgen prepare --list" speaks of a command; "tfgen train: --overwrite" too.
ELSEWHERE = re.compile(r"tfgen\s+([a-z]+):?((?:[^.:;()]|\.(?! ))*)")
COMMANDS = {name: cli.cli.get_command(None, name) for name in cli.cli.list_commands(None)}
# A module that several commands share, and the switches by which one comes to an error of it.
BEHIND = {
    "engines": "--engine",
    "outputs": "--overwrite",
    "prompts": "--prompts",
    "sources": "--source",
    "stopped_runs": "--resume",
}


def switches(command):
    """Give how each option of a command is written, by the name of its setting."""
    return {option.name: {*option.opts, *option.secondary_opts} for option in command.params}


def spoken(node):
    """Give the text of an expression, with a blank for what only a run knows."""
    constants = [
        each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]
    return " ".join(constants)


def own(text):
    """Take away what is said of a command by its name; what is said of it must be true."""
    for name, said in ELSEWHERE.findall(text):
        if name in COMMANDS:
            known = set().union(*switches(COMMANDS[name]).values())
            assert set(OPTION.findall(said)) <= known, (name, said)
    return ELSEWHERE.sub("", text)


def raised(path):
    """Give the arguments of each error that a file raises."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in RAISING:
            yield [*node.args, *(keyword.value for keyword in node.keywords)]


def repairs(path):
    """Give each pair of a setting and a text that a file has."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        pair = node.elts if isinstance(node, ast.Tuple) and len(node.elts) == 2 else [None]
        if isinstance(pair[0], ast.Constant) and isinstance(pair[0].value, str):
            yield pair[0].value, pair[1]


OUTSIDE = [path for path in sorted(ROOT.rglob("*.py")) if path.parent.name != "cli"]


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_an_option_is_named_in_a_repair_beside_its_setting(path):
    of_settings = {}
    for command in COMMANDS.values():
        for setting, written in switches(command).items():
            of_settings.setdefault(setting, set()).update(written)
    for arguments in raised(path):
        assert not OPTION.findall(own(spoken(arguments[0]))) if arguments else True, ast.unparse(arguments[0])
    for setting, text in repairs(path):
        named = set(OPTION.findall(own(spoken(text))))
        assert named <= of_settings.get(setting, set()), (setting, spoken(text))


def importers(name):
    """Give the commands whose modules import a module of the command line; one command is what it is."""
    if name in COMMANDS:
        return {name}
    found = set()
    for command in COMMANDS:
        source = (ROOT / "cli" / f"{command}.py").read_text("utf-8")
        if re.search(rf"from tfgen\.cli(\.{name} import|[^\n]*\b{name}\b)", source):
            found.add(command)
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "cli").glob("*.py")), ids=lambda path: path.stem)
def test_a_command_names_its_own_options(path):
    users = [COMMANDS[name] for name in importers(path.stem)]
    of_users = [set().union(*switches(command).values(), {"--help", "--version"}) for command in users]
    if path.stem in BEHIND:
        of_users = [known for known in of_users if BEHIND[path.stem] in known]
    for arguments in raised(path):
        named = set().union(*(OPTION.findall(own(spoken(each))) for each in arguments[:1]))
        for known in of_users:
            assert named <= known, (ast.unparse(arguments[0]), named - known)


def test_a_command_lacks_what_it_does_not_offer(monkeypatch):
    error = tfgen.InputError("x", [("", "remove it"), ("control", "--control replace"), ("unknown", "--unknown skip")])
    said = {}
    for name in COMMANDS:
        monkeypatch.setattr("sys.argv", ["tfgen", name])
        said[name] = error.offered(cli._settings())
    assert said["novelty"] == "x; remove it, or --control replace."
    assert said["score"] == "x; remove it, or --unknown skip."
    assert said["inspect"] == "x; remove it."
    assert isinstance(COMMANDS["train"], click.Command)
