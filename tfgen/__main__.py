"""`python -m tfgen` is `tfgen`."""

import signal


def main() -> None:
    """Run the command line; a Ctrl-C while it is still being imported ends the process without a traceback."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from tfgen import cli

    signal.signal(signal.SIGINT, before)
    cli.main()


if __name__ == "__main__":
    main()
