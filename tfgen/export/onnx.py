"""The step as an ONNX file, for ONNX Runtime: servers of any language, and browsers.

Axis letter: B batch.
"""

from pathlib import Path
from typing import Any

from tfgen.errors import InputError
from tfgen.export.step_function import in_float32, step_function, told
from tfgen.text_generator import TextGenerator

MODEL = "step.onnx"
_OPSET = 18  # the newest that tf2onnx 1.17 writes


def write(generator: TextGenerator, directory: Path) -> dict[str, Any]:
    """Write `step.onnx`; the number of rows B is free.

    Args:
        generator: Any.
        directory: Exists and is empty.

    Returns:
        What its manifest tells.

    Raises:
        InputError: tf2onnx is not installed, or cannot convert an operation of the network.
    """
    try:
        import onnx
        import tf2onnx
    except ImportError:
        raise InputError("exporting to ONNX needs the package tf2onnx: pip install 'tfgen[onnx]'.") from None
    function = step_function(in_float32(generator.network), batch_size=None)
    model, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=_OPSET)
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "B"
    try:
        onnx.checker.check_model(model)  # tf2onnx leaves in what it cannot convert
    except onnx.checker.ValidationError as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"this network cannot be written as ONNX: {reason}; export another format.") from error
    (directory / MODEL).write_bytes(model.SerializeToString())
    return told(function, MODEL, "onnxruntime", "float32")
