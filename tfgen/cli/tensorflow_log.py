"""TensorFlow without its chatter: what it says on standard error while it starts or converts, sifted.

It writes log lines to the file descriptor itself, the first of them before any setting of its own is read. They are
caught, and everything that is not known chatter is passed on.
"""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"  # announces the lines below
    rb"|I0000 "  # information
    rb"|W0000 .*tf_tfl_flatbuffer_helpers.*Ignored (output_format|drop_control_dependency)"  # converting to LiteRT
    rb"|W0000 .*OP_REQUIRES failed"  # what an exception tells too
    rb"|mkdir -p failed for path .*matplotlib|Matplotlib created a temporary cache"  # Keras imports it
    rb"|E0000 .*failed call to cuInit.*(UNKNOWN ERROR \(303\)|CUDA_ERROR_NO_DEVICE)"  # a machine without a GPU
)


def import_tensorflow() -> None:
    """Import TensorFlow and Keras and find the devices, passing on warnings and errors but no chatter."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever other programs of the user run on
    with sifted():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices()


@contextlib.contextmanager
def sifted() -> Iterator[None]:
    """Hold standard error back until the block has ended, then pass on what is no chatter."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
            caught.seek(0)
            for line in caught:
                if not _CHATTER.match(line):
                    os.write(2, line)
