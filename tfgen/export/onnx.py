"""The step as an ONNX file, and the encoder as another, for ONNX Runtime: servers of any language, and browsers.

Axis letter: B batch.
"""

from pathlib import Path
from typing import Any

from tfgen.errors import InputError
from tfgen.export.step_function import check_is_network, converting, described, functions_of, in_float32
from tfgen.writing.writer import Writer

_ENDING = ".onnx"
_OPSET = 18  # the newest that tf2onnx 1.17 writes


def write(writer: Writer, directory: Path) -> dict[str, Any]:
    """Write `step.onnx`, and `encode.onnx` where texts depend on sources; the number of rows B is free.

    Args:
        writer: Any.
        directory: Exists and is empty.

    Returns:
        What its manifest says.

    Raises:
        InputError: tf2onnx is not installed, or cannot convert an operation of the network; or the model is no network.
    """
    check_is_network(writer.model, "ONNX")
    model = in_float32(writer.model)
    functions = functions_of(model, batch_size=None)
    for name, function in functions.items():
        (directory / f"{name}{_ENDING}").write_bytes(_convert(function))
    return described(model, functions, _ENDING, "onnxruntime", "float32")


def _convert(function: Any) -> bytes:
    try:
        import onnx
        import tf2onnx
    except ImportError:
        raise InputError("exporting to ONNX needs packages: pip install 'tf2onnx>=1.17,<1.18' onnx.") from None
    with converting("ONNX"):
        model, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=_OPSET)
        onnx.checker.check_model(model)  # tf2onnx leaves in what it cannot convert
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "B"
    return bytes(model.SerializeToString())
