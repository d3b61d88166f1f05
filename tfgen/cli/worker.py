"""A command in one of several processes that train together."""

import logging
import os

from tfgen.cli import cli, tensorflow_log


def work(arguments: list[str]) -> None:
    """Join the other processes, and carry out the command that all were given.

    Args:
        arguments: As on the command line, from the name of the command on.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with tensorflow_log.sifted():
        from tfgen import workers

        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it tells of each sum that it prepares
        together = workers.join()  # before anything is computed, as `import_tensorflow` does
    tensorflow_log.import_tensorflow()
    cli.main(arguments, prog_name="tfgen", standalone_mode=False, obj=together)
