"""One step of a model as a function of tensors, which ONNX and LiteRT keep, and what a client must know of it.

Where texts depend on sources there is a second function, which encodes them: what it gives, the step takes.

Axis letters: B batch, V vocabulary, U units.
"""

import contextlib
import logging
import re
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tfgen.errors import InputError, damage
from tfgen.export import manifest
from tfgen.export.sources import context_of, specs_of_sources, text_encoder_of
from tfgen.networks import kinds
from tfgen.networks.model import LanguageModel, flat, packed, state_of_a_row
from tfgen.networks.recurrent import Recurrent
from tfgen.support import wording

_OPERATION = re.compile(r"^\t(tf\.\w+\(.*?\) -> \(.*?\))", re.MULTILINE)


def in_float32(model: LanguageModel) -> LanguageModel:
    """Give a model that calculates in float32 all along, with the same weights: small runtimes lack other types.

    Args:
        model: Any; a network may have any dtype policy.

    Returns:
        The model itself if that is what it does, else a new one.
    """
    if not isinstance(model, Recurrent):
        return model
    layers = model.network._flatten_layers(include_self=False)
    if all(layer.dtype_policy.name == "float32" for layer in layers):
        return model
    return kinds.language_model(kinds.with_batch_size(model.network, None, "float32"))


def check_is_network(model: LanguageModel, format: str) -> None:
    """Refuse what is no network of layers.

    Raises:
        InputError: Says what the format is for.
    """
    if not isinstance(model, Recurrent) and isinstance(getattr(model, "network", None), keras.Model):
        raise InputError(
            f"{format} holds the step of a network, whose state are numbers; this model is a mixture, or "
            "counts, which are looked up: export it as saved-model."
        )


def functions_of(model: LanguageModel, batch_size: int | None) -> dict[str, Any]:
    """Give the functions that write with a model: `step`, and `encode` where texts depend on sources.

    Args:
        model: What steps, as `in_float32` gives it.
        batch_size: B; None leaves it free.
    """
    functions = {"step": step_function(model, batch_size)}
    return {**functions, "encode": encode_function(model, batch_size)} if tf.nest.flatten(model.context) else functions


def step_function(model: LanguageModel, batch_size: int | None) -> Any:
    """Give the step of a model as a function of tensors alone.

    Args:
        model: As for `functions_of`.
        batch_size: See there.

    Returns:
        A `tf.function` of `ids`, int32 (B,), of `state_0`, `state_1` and so on, (B, U) each, and of `context_0` and so
        on where the model has a context; it gives `logits` (B, V) of the next token, and `new_state_0` and so on.
    """
    first = state_of_a_row(model)
    specs = _specs(flat(first, "state"), batch_size) + _specs(flat(model.context, "context"), batch_size)
    names = [spec.name for spec in specs]

    def step(ids: tf.Tensor, *given: tf.Tensor) -> dict[str, tf.Tensor]:
        tensors = dict(zip(names, given, strict=True))
        state, context = packed(first, tensors, "state"), packed(model.context, tensors, "context")
        logits, after = model.step(ids, state, context)
        return {"logits": logits, **flat(after, "new_state")}

    return tf.function(step, [tf.TensorSpec([batch_size], tf.int32, "ids"), *specs], autograph=False)


@contextlib.contextmanager
def converting(format: str) -> Iterator[None]:
    """Refuse a step that a converter cannot convert, in one line that says what the format lacks.

    Meanwhile TensorFlow warns of nothing: it would of tables that an earlier SavedModel of this process has.

    Args:
        format: Its name.

    Raises:
        InputError: The converter has failed, whatever it raised.
    """
    logger = tf.get_logger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with damage(
            lambda error: f"this network cannot be written as {format}: {_lacks(error)}; export another format."
        ):
            yield
    finally:
        logger.setLevel(before)


def _lacks(error: Exception) -> str:
    # LiteRT's converter lists operations at the end of a long text, each with the types that it had here.
    operations = list(dict.fromkeys(_OPERATION.findall(str(error))))
    return f"it lacks {wording.listed(operations, 2)}" if operations else wording.first_line(error)


def encode_function(model: LanguageModel, batch_size: int | None) -> Any:
    """Give what comes before the first step of a model that takes sources.

    Args:
        model: As for `functions_of`.
        batch_size: See there.

    Returns:
        A `tf.function` of the sources, see `specs_of_sources`; it gives `state_0` and so on, and `context_0` and so on.
    """
    sources = specs_of_sources(model, strings=False)

    def encode(*given: tf.Tensor) -> dict[str, tf.Tensor]:
        context = context_of(model, tf.nest.pack_sequence_as(sources, given))
        return {**flat(model.start(context, tf.shape(given[0])[0]), "state"), **flat(context, "context")}

    specs = {spec.name: spec for spec in tf.nest.flatten(sources)}
    return tf.function(encode, _specs(specs, batch_size), autograph=False)


def described(
    model: LanguageModel, functions: dict[str, Any], ending: str, runtime: str, weights: str
) -> dict[str, Any]:
    """Give what a client must know of the functions.

    Args:
        model: What they were made of.
        functions: From `functions_of`.
        ending: Of the names of the files that they became.
        runtime: What runs the files.
        weights: The type that the weights are kept in.
    """
    step, encode = functions["step"], functions.get("encode")
    given = {spec.name: manifest.tensor(spec.name, spec) for spec in step.input_signature}
    outputs = step.get_concrete_function().structured_outputs
    states = [name for name in given if name.startswith("state_")]
    told = {
        "model": f"step{ending}",
        "runtime": runtime,
        "weights": weights,
        "inputs": [*given.values()],
        "outputs": [manifest.tensor(name, outputs[name]) for name in ("logits", *(f"new_{name}" for name in states))],
        "state": [{**given[name], "next": f"new_{name}", "initial": name if encode else 0} for name in states],
    }
    return {**told, "encoder": _encoder(model, encode, f"encode{ending}")} if encode else told


def _encoder(model: LanguageModel, encode: Any, file: str) -> dict[str, Any]:
    outputs = encode.get_concrete_function().structured_outputs
    told = {
        "model": file,
        "inputs": [manifest.tensor(spec.name, spec) for spec in encode.input_signature],
        "outputs": [manifest.tensor(name, tensor) for name, tensor in outputs.items()],
    }
    reader = text_encoder_of(model)
    return {**told, "vocabulary": manifest.of_sources(reader.vocabulary)} if reader else told


def _specs(tensors: dict[str, Any], batch_size: int | None) -> list[tf.TensorSpec]:
    return [tf.TensorSpec([batch_size, *each.shape[1:]], each.dtype, name) for name, each in tensors.items()]
