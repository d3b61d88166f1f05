"""What was given on the command line, in distinction from what was left at its default."""

from collections.abc import Collection

import click
from click.core import ParameterSource


def options_given(but: Collection[str] = (), among: Collection[str] | None = None) -> list[str]:
    """Give the options of the command at hand that were given, as words, in the order of its help.

    Args:
        but: Leave out those of these names.
        among: Of these names alone; None for all.
    """
    context = click.get_current_context()
    words: list[str] = []
    for option in context.command.params:
        name = option.name or ""
        is_wanted = name not in but and (among is None or name in among)
        if not is_wanted or context.get_parameter_source(name) != ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        for each in value if option.multiple else [value]:
            switch = (option.opts if each or not option.secondary_opts else option.secondary_opts)[-1]
            words += [switch] if isinstance(each, bool) else [switch, str(each)]
    return words
