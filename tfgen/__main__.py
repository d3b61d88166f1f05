"""`python -m tfgen` is `tfgen`."""

import contextlib

from tfgen.support import interrupts


def main() -> None:
    """Run the command line, and hear signals from here on: importing it takes a moment too."""
    interrupts.hear()
    with contextlib.suppress(interrupts.Stopped), interrupts.deferred():
        from tfgen import cli
    try:
        cli.main()  # which describes the signal, if one was heard meanwhile
    finally:
        interrupts.finish()  # Python takes a moment to end


if __name__ == "__main__":
    main()
