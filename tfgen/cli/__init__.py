"""The command line: `tfgen demo`, `prepare`, `train`, `generate`, `write`, `score`, `novelty`, `inspect`, `export`.

Thin: each command reads its options, calls the public names, and shows what they give. A command is imported when it is
asked for, and TensorFlow only where it is needed, so that text appears at once. Exit codes: 0 done, 1 failed, 2 wrong
usage, 128 and its number stopped by a signal, such as 130 interrupted.
"""

import contextlib
import importlib
import os
import re
import sys

import click

import tfgen
from tfgen.cli import signals, terminal
from tfgen.errors import InputError, lacks_memory

_COMMANDS = ("demo", "export", "generate", "inspect", "novelty", "prepare", "score", "train", "write")


class _Commands(click.Group):
    """Each command is a module of its own, which is imported when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        return [*_COMMANDS]

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> click.Command | None:
        """Import one of them."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"tfgen.cli.{cmd_name}"), cmd_name)
        return command


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
    terminal.open_streams()
    with signals.handled():
        sys.exit(_run())


def _run() -> int:
    try:
        code = cli.main(prog_name="tfgen", standalone_mode=False) or 0
        sys.stdout.flush()
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
        return _fail(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""), 1)
    except InputError as error:
        return _fail(str(error), 1)
    except (KeyboardInterrupt, click.Abort) as error:
        return _fail(*signals.outcome(error))
    except Exception as error:
        if not lacks_memory(error):
            raise
        return _fail("there is not enough memory for this; use a smaller text, model or batch, or free some.", 1)


def _fail(message: str, code: int) -> int:
    with contextlib.suppress(OSError):  # the terminal may be gone
        click.echo(f"tfgen: {' '.join(message.split())}", err=True)
    return code
