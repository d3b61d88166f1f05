"""How much memory this process has held at once."""

import contextlib
import functools
import pathlib

import pytest

_BLOCK = 32 << 20


def forget_peak() -> int:
    """Begin to look for a new peak of memory, and give the bytes that are held now.

    Where the system does not forget the old one, nothing could be measured: the test is skipped.
    """
    if not _is_forgotten():
        pytest.skip("this system does not forget how much memory a process has held at once")
    reset_peak()
    return peak()


def reset_peak() -> None:
    """Begin to look for a new peak of memory, where the system can."""
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Bytes of memory that this process has held at once since then; 0 on a system that does not tell."""
    try:
        status = pathlib.Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM")), 0)


@functools.cache
def _is_forgotten() -> bool:
    """Hold a block, let it go, and see whether it is forgotten."""
    reset_peak()
    len(b"x" * _BLOCK)
    before = peak()
    reset_peak()
    return peak() < before - _BLOCK // 2
