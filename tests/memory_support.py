"""How much memory this process has held at once."""

import contextlib
import pathlib


def forget_peak() -> int:
    """Begin to look for a new peak of memory, and give the bytes that are held now."""
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> int:
    """Bytes of memory that this process has held at once since then; 0 on a system that does not tell."""
    try:
        status = pathlib.Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))
