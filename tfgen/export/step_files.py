"""What ONNX and LiteRT share: one step of a network as a function, and the files that describe it to a client.

Axis letters: B batch, V vocabulary, U units.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import tensorflow as tf

import tfgen
from tfgen import networks
from tfgen.text_generator import TextGenerator
from tfgen.vocabulary import END, PADDING, UNKNOWN, Vocabulary

FORMAT, VERSION = "tfgen-step", 1


def step_function(generator: TextGenerator, batch_size: int | None) -> Any:
    """Give `networks.step` as a function of tensors alone.

    Args:
        generator: Its network is what steps.
        batch_size: B; None leaves it free.

    Returns:
        A `tf.function` of `ids`, int32 (B,), and `state_0`, `state_1` and so on, (B, U) each, all zero before a text;
        it gives `logits` (B, V) of the next token, and `new_state_0` and so on.
    """
    zero = networks.zero_state(generator.network, 1)

    def step(ids: tf.Tensor, *state: tf.Tensor) -> dict[str, tf.Tensor]:
        logits, after = networks.step(generator.network, ids, tf.nest.pack_sequence_as(zero, state))
        return {"logits": logits, **{f"new_state_{i}": tensor for i, tensor in enumerate(tf.nest.flatten(after))}}

    states = [
        tf.TensorSpec([batch_size, *tensor.shape[1:]], tensor.dtype, f"state_{i}")
        for i, tensor in enumerate(tf.nest.flatten(zero))
    ]
    return tf.function(step, [tf.TensorSpec([batch_size], tf.int32, "ids"), *states], autograph=False)


def write_companions(
    generator: TextGenerator, directory: Path, model: str, function: Any, runtime: str, weights: str
) -> None:
    """Write `vocabulary.json` and `manifest.json` beside a converted step.

    Args:
        generator: What was converted.
        directory: Where the model's file already lies.
        model: The name of that file.
        function: From `step_function`.
        runtime: What runs the file.
        weights: The type that the weights are kept in.
    """
    _write_json(directory / "vocabulary.json", _describe_vocabulary(generator.vocabulary))
    outputs = function.get_concrete_function().structured_outputs
    states = [spec for spec in function.input_signature if spec.name != "ids"]
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "tfgen": tfgen.__version__,
        "runtime": runtime,
        "model": model,
        "weights": weights,
        "inputs": [_describe(spec.name, spec) for spec in function.input_signature],
        "outputs": [_describe(name, outputs[name]) for name in ("logits", *(f"new_{spec.name}" for spec in states))],
        "state": [{**_describe(spec.name, spec), "next": f"new_{spec.name}", "initial": 0} for spec in states],
        "provenance": generator.provenance,
        "sha256": {name: _digest(directory / name) for name in (model, "vocabulary.json")},
    }
    _write_json(directory / "manifest.json", manifest)


def _describe_vocabulary(vocabulary: Vocabulary) -> dict[str, Any]:
    return {
        "split": vocabulary.split,
        "padding": PADDING,
        "unknown": UNKNOWN,
        "end": END,
        "ends": vocabulary.ends,
        "tokens": list(vocabulary.tokens),
    }


def _describe(name: str, tensor: Any) -> dict[str, Any]:
    """Name a tensor and its type; null stands for a free axis."""
    return {"name": name, "shape": tensor.shape.as_list(), "dtype": tensor.dtype.name}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
