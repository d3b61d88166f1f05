"""A command in one of several processes that train together."""

import logging

from tfgen.cli import cli, tensorflow_log


def work(arguments: list[str]) -> None:
    """Join the other processes, and carry out the command that all were given.

    Args:
        arguments: As on the command line, from the name of the command on.
    """
    tensorflow_log.import_tensorflow()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it tells of each sum that it prepares
    from tfgen import workers  # which must be the first to compute

    cli.main(arguments, prog_name="tfgen", standalone_mode=False, obj=workers.join())
