"""Model files: written whole or not at all, and refused with a reason when they are not ours.

`keras.saving.load_model` reads them too; what is here says in one line what is wrong with a file.
"""

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfgen.errors import InputError, damage, path_of
from tfgen.support import bounded_json, forks, hdf5, plain_files, wording

if TYPE_CHECKING:
    from tfgen.text_generator import TextGenerator

_CLASS = "tfgen>TextGenerator"
_WEIGHTS = "model.weights.h5"
_MEMBERS = ("metadata.json", "config.json", _WEIGHTS)
# A configuration is some kilobytes, and some megabytes with the largest vocabulary.
_LARGEST_CONFIG = 256 * 2**20
# Keras compresses nothing. Where somebody else has, this is far more than weights and vocabularies shrink.
_DENSEST = 16


def read_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what a model file says of itself, without TensorFlow.

    Args:
        path: A `.keras` file that tfgen or `generator.save` has written.

    Returns:
        The configuration of the `TextGenerator`: `vocabulary`, `network`, `provenance`, `restart`.

    Raises:
        InputError: There is no such file, or it is no model of tfgen.
    """
    path = path_of("path", path)
    if not path.exists():
        raise InputError(f"{str(path)!r} does not exist; give the path of a model that tfgen train has saved.")
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a directory; give the path of a .keras file.")
    with damage(lambda error: _no_model(path, error)):
        config, weights = _contents(path)
    own = _config_of_generator(config, path)
    if (claimed := _claimed_weights(own)) > weights:
        raise InputError(
            f"{str(path)!r} claims a network of {claimed:,} weights, and holds {weights:,} bytes: it is damaged."
        )
    return own


def _contents(path: Path) -> tuple[Any, int]:
    """Give the configuration in an archive, and how many bytes of weights it claims to have."""
    with plain_files.opened(path) as file, zipfile.ZipFile(file) as archive:
        if foreign := [name for name in archive.namelist() if name not in _MEMBERS]:  # nothing is ever unpacked
            raise InputError(
                f"{str(path)!r} holds {wording.shorten(repr(foreign[0]))}, which no model of tfgen does; "
                "give a file that tfgen has saved."
            )
        entry = archive.getinfo("config.json")
        if entry.file_size > _LARGEST_CONFIG:
            raise InputError(f"{str(path)!r} claims a configuration of {entry.file_size:,} bytes: it is damaged.")
        weights = archive.getinfo(_WEIGHTS)
        for each in (entry, weights):
            _check_claim(path, each)
        return bounded_json.loads(archive.read(entry)), weights.file_size


def _check_claim(path: Path, entry: zipfile.ZipInfo) -> None:
    """Refuse a member that claims more than such a file can hold, before memory is taken for it."""
    size = path.stat().st_size
    most = entry.compress_size if entry.compress_type == zipfile.ZIP_STORED else _DENSEST * entry.compress_size
    if entry.compress_size > size or entry.file_size > most:
        raise InputError(
            f"{str(path)!r} has {size:,} bytes, and claims {entry.file_size:,} for its {entry.filename}: it is "
            "damaged; save the model again."
        )


def _check_arrays(path: Path) -> None:
    """Refuse arrays that claim more than is there: HDF5 makes room for all that a file claims, and fills it."""
    import h5py

    with zipfile.ZipFile(path) as archive:
        data = archive.read(_WEIGHTS)
    with h5py.File(io.BytesIO(data)) as file:
        size = sum(each.nbytes for each in hdf5.arrays(file))
        complex_ = hdf5.complex_arrays(file)
    if size > len(data):
        raise InputError(
            f"{str(path)!r} claims arrays of {size:,} bytes, and holds {len(data):,}: it is damaged; save the model "
            "again."
        )
    if complex_:
        raise InputError(f"{str(path)!r} holds complex numbers in {wording.shown(complex_[0])}; give real weights.")


def _no_model(path: Path, error: Exception) -> str:
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError):
        wrong = f"cannot be read: {error.strerror or error}"
    else:
        wrong = "is no model file, or damaged or cut short"
    return f"{str(path)!r} {wrong}; give a .keras file that tfgen train has saved."


def _config_of_generator(config: Any, path: Path) -> dict[str, Any]:
    kind = config.get("registered_name") if isinstance(config, dict) else None
    if kind != _CLASS:
        found = kind or (config.get("class_name") if isinstance(config, dict) else None)
        raise InputError(
            f"{str(path)!r} holds a Keras model of another kind ({str(found)[:50]}), not a TextGenerator; wrap it with "
            "tfgen.TextGenerator(vocabulary, network) and save that."
        )
    own = config.get("config")
    parts = [own.get(name) for name in ("vocabulary", "network")] if isinstance(own, dict) else [None]
    if not all(isinstance(part, dict) for part in parts) or not isinstance(own.get("provenance"), dict | None):
        raise InputError(f"{str(path)!r} is damaged: its configuration is no TextGenerator; save the model again.")
    return own


def _claimed_weights(config: dict[str, Any]) -> int:
    """Give a number of weights that the network has at least, before memory is taken for it.

    A layer has a kernel of its inputs times its outputs, and a recurrent one of its outputs twice.
    """
    tokens = config["vocabulary"].get("tokens")
    width = len(tokens) if isinstance(tokens, list) else 0
    parts = config["network"].get("config")
    encoder = parts.get("encoder") if isinstance(parts, dict) else None
    claimed = sum(map(_claimed_in_any_graph, _dictionaries(encoder)))
    for layer in _dictionaries(parts.get("decoder") if encoder else config["network"]):
        size = _size(layer, "units") or _size(layer, "output_dim")
        if size:
            before = _size(layer, "input_dim") or _size(layer, "one_hot") or width
            claimed += before * size + (size * size if "recurrent_initializer" in layer else 0)
            width = size
        claimed += 4 * _size(layer, "nodes") + 2 * _size(layer, "entries")  # arrays of n-grams
    return claimed


def _claimed_in_any_graph(layer: dict[str, Any]) -> int:
    """Give a number of weights that a layer has at least, whatever it reads: an encoder is any graph of layers."""
    tokens = layer.get("tokens")
    rows = _size(layer, "input_dim") or (len(tokens) if isinstance(tokens, list) else 1)
    size = max(_size(layer, name) for name in ("units", "filters"))
    state = size * size if "recurrent_initializer" in layer else 0
    return rows * max(_size(layer, "output_dim"), _size(layer, "embedding")) + size + state


def _dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    """Give all dictionaries in a value of JSON, in order, however deep they lie."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
        if isinstance(value, (dict, list)):
            waiting += reversed(list(value.values()) if isinstance(value, dict) else value)


def _size(layer: dict[str, Any], name: str) -> int:
    value = layer.get(name)
    return value if type(value) is int and value > 0 else 0


def load(path: str | os.PathLike[str]) -> "TextGenerator":
    """Load a model under Keras' safe mode.

    Args:
        path: A `.keras` file that tfgen or `generator.save` has written.

    Raises:
        InputError: There is no such file, it is no model of tfgen, or it is damaged.
    """
    read_config(path)
    forks.check()
    import keras

    with damage(lambda error: _not_loaded(path, error)):
        _check_arrays(Path(path))
        return keras.saving.load_model(path, safe_mode=True)


def _not_loaded(path: str | os.PathLike[str], error: Exception) -> str:
    if type(error) is InputError and str(error).startswith(repr(str(path))):
        return str(error)
    return f"{str(path)!r} is damaged, or of another version: {wording.first_line(error)}."
