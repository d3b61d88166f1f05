"""What a layer is to whatever steps it: its kind, its sizes and its arrays, read from what Keras says of it.

The same words describe a layer in a file and one in memory, so that nothing else needs to know Keras' options. What
cannot be said in them is refused by name, never left out.

Axis letters: V vocabulary, D features in, U units.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy.typing as npt

from tfgen.errors import InputError, damage, real_number, whole_number
from tfgen.support import wording
from tfgen.vocabulary.vocabulary import Vocabulary

Shape = tuple[int, ...]

ACTIVATIONS = ("linear", "relu", "sigmoid", "tanh")
_PARTS = {"name", "vocabulary", "network", "provenance", "restart"}  # of a model file


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """One layer, in inference.

    Attributes:
        kind: "embedding", "lstm", "gru", "rnn", "normalization", "dense" or "dropout".
        name: What its maker calls it.
        class_name: What Keras calls its class.
        inputs: D, or how many ids it can look up.
        outputs: Features of each timestep.
        dtype: The policy by which it computes, such as "float32" or "mixed_bfloat16".
        shapes: Of each of its arrays by name, in Keras' order: `kernel`, `recurrent`, `bias`, or `scale` and `offset`.
            The gates lie side by side, i, f, g, o in an LSTM and z, r, g in a GRU.
        options: What else decides what it does: `ids` (whether a recurrent layer looks ids up in its kernel),
            `activation`, `recurrent_activation`, `reset_after`, `epsilon`, `rate`.
        arrays: The arrays by name; empty where only the configuration was read.
    """

    kind: str
    name: str
    class_name: str
    inputs: int
    outputs: int
    dtype: str
    shapes: Mapping[str, Shape]
    options: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]] = dataclasses.field(default_factory=dict)

    @property
    def cell(self) -> bool:
        """Whether it carries a state from one timestep to the next."""
        return self.kind in ("lstm", "gru", "rnn")

    def with_arrays(self, arrays: Sequence[npt.NDArray[Any]]) -> "Layer":
        """Give the layer with its arrays, in Keras' order.

        Raises:
            InputError: They are of other shapes.
        """
        found = [array.shape for array in arrays]
        if found != [*self.shapes.values()]:
            raise InputError(f"{self.named} must have arrays of {[*self.shapes.values()]}; received {found}.")
        return dataclasses.replace(self, arrays=dict(zip(self.shapes, arrays, strict=True)))

    @property
    def named(self) -> str:
        """Its name in a message."""
        return _named(self.name, self.class_name)


def layers_of_config(config: dict[str, Any]) -> tuple[Layer, ...]:
    """Describe the layers of a model file, without their arrays.

    Args:
        config: As `model_files.read_config` gives it.

    Raises:
        InputError: It has a part that cannot be described, is of types that NumPy lacks, or is damaged.
    """
    if unknown := sorted(name for name, value in config.items() if value is not None and name not in _PARTS):
        raise InputError(f"the model has {wording.listing(unknown)}, which has no portable description.")
    layers = layers_in(config["network"], len(Vocabulary.from_config(config["vocabulary"])))
    check_types(layers)
    return layers


def check_types(layers: Sequence[Layer]) -> None:
    """Refuse layers that do not compute all in float32, or all in float64, which is what NumPy can do.

    Raises:
        InputError: Names one.
    """
    for layer in layers:
        if layer.dtype not in ("float32", "float64") or layer.dtype != layers[0].dtype:
            types = wording.listing(dict.fromkeys(each.dtype for each in layers))
            raise InputError(
                f"{layer.named} computes by {wording.shown(layer.dtype)}, in a network of the types {types}."
            )


def layers_in(network: Any, size: int) -> tuple[Layer, ...]:
    """Describe a network from what Keras says of it, without its arrays.

    Args:
        network: Of a `keras.Sequential` from ids to probabilities, as `keras.saving.serialize_keras_object` gives it.
        size: V.

    Returns:
        The layers in the order in which they are stepped; the last is dense with the activation "softmax".

    Raises:
        InputError: Something in it cannot be said: the message names it. Or it is no such network.
    """

    def describe(error: Exception) -> str:
        return str(error) if isinstance(error, InputError) else "the configuration of the network is damaged."

    with damage(describe):
        if _class_of(network) != "keras>Sequential":
            found = wording.shown(_class_of(network))
            raise InputError(
                f"the network must be 'keras>Sequential' to have a portable description; received {found}."
            )
        first, *others = network["config"]["layers"]
        if _class_of(first) != "keras.layers>InputLayer" or len(first["config"]["batch_shape"]) != 2:
            raise InputError("the network must begin with rows of ids, keras.Input((None,)).")
        layers = tuple(_described(others, size))
        _check_ends(layers, size)
    return layers


def _described(layers: list[Any], size: int) -> Iterator[Layer]:
    width = None
    for each in layers:
        kind, describe = _KINDS.get(_class_of(each), ("", None))
        config = each["config"]
        if describe is None:
            names = ", ".join(sorted({name.split(">")[1] for name in _KINDS}))
            named = _named(config.get("name"), each["class_name"])
            raise InputError(f"{named} has no portable description; those that have are {names}.")
        options = _Options(config, _named(config["name"], each["class_name"]))
        options.refuse("quantization_config", None)
        inputs, outputs, shapes, told = describe(options, width, kind)
        if width is None and inputs < size:
            raise InputError(f"{options.named} looks up {inputs} ids, fewer than the {size} of the vocabulary.")
        yield Layer(kind, config["name"], each["class_name"], inputs, outputs, options.dtype(), shapes, told)
        width = outputs


def _check_ends(layers: Sequence[Layer], size: int) -> None:
    head = layers[-1]
    if head.options.get("activation") != "softmax" or head.outputs != size:
        raise InputError(f"the last layer must be a softmax over {size} tokens; received {head.named}.")
    if misplaced := [layer for layer in layers[:-1] if layer.options.get("activation") == "softmax"]:
        raise InputError(f"{misplaced[0].named} has the activation 'softmax', which is for the last layer.")


class _Options:
    """The configuration of one layer, whose values may be anything.

    Attributes:
        named: The layer, in a message.
    """

    def __init__(self, config: Mapping[str, Any], named: str) -> None:
        self._config = config
        self.named = named

    def size(self, name: str) -> int:
        return whole_number(name, self._config[name], 1)

    def flag(self, name: str) -> bool:
        return self.one_of(name, (False, True))

    def one_of(self, name: str, choices: tuple[Any, ...]) -> Any:
        value = self._config[name]
        if type(value) is not type(choices[0]) or value not in choices:
            self._fail(name, value)
        return value

    def optional_size(self, name: str) -> int | None:
        return None if self._config.get(name) is None else self.size(name)

    def share(self, name: str) -> float:
        return real_number(name, self._config[name], at_least=0)

    def refuse(self, name: str, expected: Any) -> None:
        """Refuse an option that is there and is something else."""
        if self._config.get(name, expected) != expected:
            self._fail(name, self._config[name])

    def dtype(self) -> str:
        policy = self._config["dtype"]
        name = policy["config"]["name"] if isinstance(policy, dict) else policy
        return name if isinstance(name, str) else self._fail("dtype", name)

    def _fail(self, name: str, value: Any) -> NoReturn:
        raise InputError(f"{self.named} has {name}={wording.shown(value)}, which has no portable description.")


_Description = tuple[int, int, dict[str, Shape], dict[str, Any]]


def _embedding(options: _Options, width: int | None, kind: str) -> _Description:
    if width is not None:
        raise InputError(f"{options.named} must be the first layer, for it reads ids.")
    inputs, outputs = options.size("input_dim"), options.size("output_dim")
    return inputs, outputs, {"kernel": (inputs, outputs)}, {}


def _recurrent(options: _Options, width: int | None, kind: str) -> _Description:
    one_hot = options.optional_size("one_hot")
    if (one_hot is None) == (width is None):
        raise InputError(f"{options.named} must read ids if it is the first layer, and features if it is not.")
    options.refuse("return_sequences", True)
    for name in ("go_backwards", "unroll", "return_state"):
        options.refuse(name, False)
    inputs, units = one_hot or width or 0, options.size("units")
    told: dict[str, Any] = {"ids": width is None, "activation": options.one_of("activation", ACTIVATIONS)}
    if kind != "rnn":
        told["recurrent_activation"] = options.one_of("recurrent_activation", ACTIVATIONS)
    if kind == "gru":
        told["reset_after"] = options.flag("reset_after")
    wide = units * {"lstm": 4, "gru": 3, "rnn": 1}[kind]
    shapes: dict[str, Shape] = {"kernel": (inputs, wide), "recurrent": (units, wide)}
    if options.flag("use_bias"):
        shapes["bias"] = (2, wide) if told.get("reset_after") else (wide,)
    return inputs, units, shapes, told


def _normalization(options: _Options, width: int | None, kind: str) -> _Description:
    size = _features(options, width)
    options.one_of("axis", ([-1], [2]))
    options.refuse("rms_scaling", False)
    names = (("scale", "scale"), ("offset", "center"))
    shapes: dict[str, Shape] = {name: (size,) for name, option in names if options.flag(option)}
    return size, size, shapes, {"epsilon": options.share("epsilon")}


def _dense(options: _Options, width: int | None, kind: str) -> _Description:
    inputs, units = _features(options, width), options.size("units")
    bias = {"bias": (units,)} if options.flag("use_bias") else {}
    told = {"activation": options.one_of("activation", (*ACTIVATIONS, "softmax"))}
    return inputs, units, {"kernel": (inputs, units), **bias}, told


def _dropout(options: _Options, width: int | None, kind: str) -> _Description:
    size = _features(options, width)
    return size, size, {}, {"rate": options.share("rate")}


def _features(options: _Options, width: int | None) -> int:
    if width is None:
        raise InputError(f"{options.named} cannot be the first layer, for it reads no ids.")
    return width


# By module or package, and class.
_KINDS: Mapping[str, tuple[str, Callable[[_Options, int | None, str], _Description]]] = {
    "keras.layers>Embedding": ("embedding", _embedding),
    "keras.layers>LSTM": ("lstm", _recurrent),
    "keras.layers>GRU": ("gru", _recurrent),
    "keras.layers>SimpleRNN": ("rnn", _recurrent),
    "tfgen>LSTM": ("lstm", _recurrent),
    "tfgen>GRU": ("gru", _recurrent),
    "tfgen>SimpleRNN": ("rnn", _recurrent),
    "keras.layers>LayerNormalization": ("normalization", _normalization),
    "keras.layers>Dense": ("dense", _dense),
    "keras.layers>Dropout": ("dropout", _dropout),
    "keras.layers>SpatialDropout1D": ("dropout", _dropout),
}


def _class_of(serialized: Any) -> str:
    """Name a class as Keras finds it: by the name that it is registered under, or by its module and its name."""
    registered, name = serialized.get("registered_name"), serialized["class_name"]
    if registered is None:
        return f"{serialized['module']}>{name}"
    # A name of one class registered for another is of no class that is known here.
    return str(registered) if registered == f"tfgen>{name}" else f"{registered} ({name})"


def _named(name: Any, class_name: Any) -> str:
    shown = class_name if isinstance(class_name, str) and class_name.isidentifier() else wording.shown(class_name)
    return f"the layer {wording.shown(name)} ({wording.shorten(shown)})"
