"""`python -m tfgen` is `tfgen`."""

from tfgen.cli import main

if __name__ == "__main__":
    main()
