"""The command line: `tfgen demo`, `prepare`, `train`, `mix`, `generate`, `write`, `score`, `serve` and others.

Thin: each command reads its options, calls the public names, and shows what they give. A command is imported when it is
asked for, and TensorFlow only where it is needed, so that text appears at once. Exit codes: 0 done, 1 failed, 2 wrong
usage, 128 and its number stopped by a signal, such as 130 interrupted.
"""

import contextlib
import importlib
import os
import re
import sys
from collections import Counter

import click

import tfgen
from tfgen.cli import signals, terminal
from tfgen.errors import InputError, lacks_memory
from tfgen.support import interrupts, keywords

_COMMANDS = (
    *("bulk", "compare", "demo", "export", "generate", "inspect", "mix", "novelty"),
    *("prepare", "score", "serve", "train", "write"),
)


class _Commands(click.Group):
    """Each command is a module of its own, which is imported when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        return [*_COMMANDS]

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> click.Command | None:
        """Import one of them."""
        if cmd_name not in _COMMANDS:
            return None
        with interrupts.deferred():
            command: click.Command = getattr(importlib.import_module(f"tfgen.cli.{cmd_name}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or one that it is like; and refuse an option of one value that is given twice."""
        if args[0] not in _COMMANDS and (meant := keywords.similar(args[0], _COMMANDS)):
            ctx.fail(f"No such command '{args[0]}'. Did you mean '{meant}'?")
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            within = click.Context(command, info_name=name, parent=ctx)
            _, _, given = command.make_parser(within).parse_args(args=[*rest])
            for option, times in Counter(given).items():
                if isinstance(option, click.Option) and times > 1 and not (option.multiple or option.is_flag):
                    twice = f"{option.opts[-1]} takes one value, and was given {times}: keep one of them."
                    raise click.UsageError(twice, within)
        return name, command, rest


@click.group(
    cls=_Commands,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(tfgen.__version__, prog_name="tfgen")
def cli() -> None:
    """Train a recurrent network on your text and let it write more."""


def main() -> None:
    """Run the command line; a mistake of the user is one line on standard error, never a traceback."""
    # Before NumPy is imported: the products of one step are so small that threads wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Pictures go to files alone; a notebook's kernel hands on a backend that may not be installed here.
    os.environ["MPLBACKEND"] = "agg"
    terminal.open_streams()
    with interrupts.handled():
        try:
            code = _run()
        except interrupts.Stopped as stopped:  # as it was about to end
            code = _fail(*signals.outcome(stopped))
        sys.exit(code)


def _run() -> int:
    try:
        _stop_if_heard()
        code = cli.main(prog_name="tfgen", standalone_mode=False) or 0
        sys.stdout.flush()
        _stop_if_heard()  # a library may have dropped the error of the signal
        return code
    except click.UsageError as error:
        help_ = f" Try '{error.ctx.command_path} --help'." if error.ctx else ""
        return _fail(error.format_message() + help_, error.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except BrokenPipeError:  # the reader, such as `head`, has had enough
        terminal.write_into_nothing(sys.stdout)
        return 0
    except OSError as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # and the terminal was gone already
            return _fail(*signals.outcome(error.__context__))
        if error.errno is None and re.fullmatch(r"\d+ requested and \d+ written", str(error)):  # as NumPy puts it
            return _fail("the disk is full; free some space, or name another directory in TMPDIR.", 1)
        place = "the current directory" if error.filename in (".", b".") else error.filename
        return _fail(f"{error.strerror or error}" + (f": {place}" if place else ""), 1)
    except InputError as error:
        return _fail(error.offered(_settings()), 1)
    except (KeyboardInterrupt, click.Abort) as error:
        return _fail(*signals.outcome(error))
    except Exception as error:
        if not lacks_memory(error):
            raise
        return _fail("there is not enough memory for this; use a smaller text, model or batch, or free some.", 1)


def _stop_if_heard() -> None:
    if stopped := interrupts.heard():
        raise stopped


def _settings() -> set[str]:
    """Name the settings of the command at hand, as its options have them."""
    command = next((word for word in sys.argv[1:] if word in _COMMANDS), "")
    found = cli.get_command(click.Context(cli), command)
    return {option.name or "" for option in found.params} if found else set()


def _fail(message: str, code: int) -> int:
    with contextlib.suppress(OSError):  # the terminal may be gone
        terminal.say(f"tfgen: {' '.join(message.split())}", err=True)
    return code
