"""The step as an ONNX file, for ONNX Runtime: servers of any language, and browsers.

Axis letter: B batch.
"""

from pathlib import Path
from typing import Any

from tfgen.errors import InputError
from tfgen.export.step_function import converting, described, in_float32, step_function
from tfgen.writing.writer import Writer

MODEL = "step.onnx"
_OPSET = 18  # the newest that tf2onnx 1.17 writes


def write(writer: Writer, directory: Path) -> dict[str, Any]:
    """Write `step.onnx`; the number of rows B is free.

    Args:
        writer: Any, of a model without a context.
        directory: Exists and is empty.

    Returns:
        What its manifest says.

    Raises:
        InputError: tf2onnx is not installed, or cannot convert an operation of the network.
    """
    try:
        import onnx
        import tf2onnx
    except ImportError:
        raise InputError("exporting to ONNX needs the package tf2onnx: pip install 'tfgen[onnx]'.") from None
    function = step_function(in_float32(writer.model), batch_size=None)
    with converting("ONNX"):
        model, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=_OPSET)
        for tensor in (*model.graph.input, *model.graph.output):
            tensor.type.tensor_type.shape.dim[0].dim_param = "B"
        onnx.checker.check_model(model)  # tf2onnx leaves in what it cannot convert
    (directory / MODEL).write_bytes(model.SerializeToString())
    return described(function, MODEL, "onnxruntime", "float32")
