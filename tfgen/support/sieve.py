"""What a process writes to standard error, without known chatter; run in a process of its own, which outlives that one.

It reads lines from standard input, passes on at once to standard error all that are not chatter, and ends when nobody
can write to it any more. Its argument is a word: when it comes to `marker(word)` in the input, it passes on everything
before that, and then answers with a byte on standard output.
"""

import os
import re
import select
import sys
from collections.abc import Callable

_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"  # announces the lines below
    rb"|I0000 "  # information
    rb"|W0000 .*tf_tfl_flatbuffer_helpers.*Ignored (output_format|drop_control_dependency)"  # converting to LiteRT
    rb"|W0000 .*OP_REQUIRES failed"  # which an exception says too
    rb"|mkdir -p failed for path .*matplotlib|Matplotlib created a temporary cache"  # Keras imports it
    rb"|E0000 .*oneDNN supports DT_BOOL only"  # prompts of different lengths, on an older processor
    rb"|To enable the following instructions: "  # the second line of a piece of information
    rb"|E0000 .*failed call to cuInit.*(UNKNOWN ERROR \(303\)|CUDA_ERROR_NO_DEVICE)"  # a machine without a GPU
)
_PIECE = 1 << 16
_LONGEST_LINE = 1 << 20  # bytes: of a longer one the beginning is passed on before its end is read


def marker(word: str) -> bytes:
    """Give the end of a line that is to be answered; nothing else has a NUL before such a word."""
    return b"\0" + word.encode() + b"\n"


def sift(word: str, source: int, sink: int, answer: Callable[[], object]) -> None:
    """Pass on from one file descriptor to another until the input ends; at each marker call `answer`."""
    end, held = marker(word), b""
    while piece := os.read(source, _PIECE):
        *lines, held = (held + piece).split(b"\n")
        kept = []
        for line in lines:
            kept.append(_sifted((line + b"\n").removesuffix(end)))
            if line.endswith(end[:-1]):
                write(sink, b"".join(kept))
                answer()
                kept = []
        if len(held) > _LONGEST_LINE:
            kept.append(_sifted(held[: -len(end)]))
            held = held[-len(end) :]  # where a marker may have begun
        write(sink, b"".join(kept))
    write(sink, _sifted(held))


def _sifted(line: bytes) -> bytes:
    return b"" if _CHATTER.match(line) else line


def write(descriptor: int, data: bytes) -> None:
    """Write all of it, or as much as a full disk or a closed terminal takes."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # another process has set it to non-blocking
            select.select([], [descriptor], [])
        except OSError:
            return


if __name__ == "__main__":
    sift(sys.argv[1], 0, 2, lambda: write(1, b"."))
