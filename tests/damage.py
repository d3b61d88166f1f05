# ruff: noqa: E501 - data
"""How inputs are damaged: bytes of any kind, and values in what is JSON, an archive, HDF5 or a checkpoint in order."""

import io
import json
import random
import zipfile
from collections.abc import Callable
from typing import Any

Bytes = bytes
Mutation = Callable[[random.Random, Bytes], Bytes]

TOKENS = [
    b"\0", b"\x03", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\n", b"\r", b'"', b",", b"{", b"[",
    b"\\u0000", b"\\ud800", b"-1", b"1e999", b"NaN", b"9" * 400, b"\x7f\xff\xff\xff", b"\xff" * 8, b"&#" + b"9" * 50 + b";",
    b"../../x", b"PK\x03\x04", b"\x93NUMPY", "👩‍👩‍👧".encode(), "\u0301".encode() * 40, b"(" * 60, b"[" * 3000, b"null",
]  # fmt: skip

VALUES: list[Any] = [
    None, True, False, 0, -1, 2**31, 2**63, 10**400, 1e308, -0.0, float("nan"), float("inf"), "", "\0", "\x03", "\ud800",
    "x" * 5000, "../../x", "lambda x: x", [], {}, [[]], {"a": {}}, [0] * 2000, "tfgen>TextGenerator", "Lambda", "builtins",
    {"class_name": "__lambda__", "config": {"code": "x"}}, {"module": "os", "class_name": "system", "config": {}},
]  # fmt: skip


def noise(chance: random.Random, data: bytes) -> bytes:
    """Random bytes."""
    return chance.randbytes(chance.choice([0, 1, 7, 64, 1000]))


def cut(chance: random.Random, data: bytes) -> bytes:
    """A beginning, or an end."""
    at = chance.randrange(len(data) + 1)
    return data[:at] if chance.random() < 0.8 else data[at:]


def flip(chance: random.Random, data: bytes) -> bytes:
    """Some bits changed."""
    changed = bytearray(data or b"x")
    for _ in range(chance.choice([1, 1, 2, 8, 64])):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def insert(chance: random.Random, data: bytes) -> bytes:
    """Something inserted, or in the place of something."""
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(TOKENS) + data[at + chance.choice([0, 0, 1, 4, 8]) :]


def shuffle(chance: random.Random, data: bytes) -> bytes:
    """A piece doubled, moved or taken out."""
    a, b = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    at = chance.randrange(len(data) + 1)
    return chance.choice([data[:b] + data[a:], data[:a] + data[b:], data[:at] + data[a:b] + data[at:]])


def grow(chance: random.Random, data: bytes) -> bytes:
    """A piece many times over."""
    a = chance.randrange(len(data) + 1)
    piece = data[a : a + chance.randrange(1, 20)] or b"x"
    return data[:a] + piece * chance.choice([10, 1000, 5000]) + data[a:]


MUTATIONS: list[Mutation] = [noise, cut, flip, flip, insert, insert, shuffle, grow]


def damaged(chance: random.Random, data: bytes) -> bytes:
    """One to three of these."""
    for _ in range(chance.choice([1, 1, 2, 3])):
        data = chance.choice(MUTATIONS)(chance, data)
    return data


def damaged_json(chance: random.Random, data: bytes) -> bytes:
    """JSON with other values in some places, or too deep."""
    value = json.loads(data)
    for _ in range(chance.choice([1, 1, 2, 5])):
        value = replaced(chance, value)
    text = json.dumps(value)
    if chance.random() < 0.05:
        text = text.replace("null", "[" * 100_000, 1)
    return text.encode()


def replaced(chance: random.Random, value: Any) -> Any:
    if isinstance(value, (dict, list, tuple)) and value and chance.random() < 0.85:
        if isinstance(value, (list, tuple)):
            at = chance.randrange(len(value))
            return type(value)(replaced(chance, each) if i == at else each for i, each in enumerate(value))
        name = chance.choice(list(value))
        if chance.random() < 0.1:
            return {other: each for other, each in value.items() if other != name}
        return {**value, name: replaced(chance, value[name])}
    return chance.choice(VALUES)


def damaged_zip(chance: random.Random, data: bytes) -> bytes:
    """An archive in order, with something else in it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = chance.choice(list(members))
    is_json = name.endswith(".json")
    if is_json and chance.random() < 0.8:
        members[name] = damaged_json(chance, members[name])
    elif chance.random() < 0.2:
        members[chance.choice(["../../evil", "/tmp/evil", "assets/../../evil", "a" * 300])] = members.pop(name)
    else:
        members[name] = damaged(chance, members[name])
    if chance.random() < 0.05:
        members[name] = bytes(3 << 20)
    packed = io.BytesIO()
    method = chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    with zipfile.ZipFile(packed, "w", method) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return packed.getvalue()


def damaged_state(chance: random.Random, data: bytes) -> bytes:
    """A checkpoint in order, that holds something else."""
    from tfgen.support import checkpoints

    state = checkpoints.unpacked(data)
    for _ in range(chance.choice([1, 1, 2, 5])):
        state = replaced(chance, state)
    return checkpoints.packed(state)


def damaged_model(chance: random.Random, data: bytes) -> bytes:
    """A model file in order, whose configuration or weights hold something else."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if chance.random() < 0.4:
        members["config.json"] = damaged_json(chance, members["config.json"])
    else:
        members["model.weights.h5"] = damaged_hdf5(chance, members["model.weights.h5"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return packed.getvalue()


def damaged_hdf5(chance: random.Random, data: bytes) -> bytes:
    """An HDF5 file in order, with something else in the place of one of its groups or arrays; or bytes changed in it."""
    import h5py

    if chance.random() < 0.3:
        return damaged(chance, data)
    held = io.BytesIO(data)
    with h5py.File(held, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = chance.choice(names)
        old = file[name]
        shape, kind = (old.shape, old.dtype) if isinstance(old, h5py.Dataset) else ((3,), "f4")
        del file[name]
        put = chance.choice(HDF5)
        if put is not None:
            put(file, name, shape, kind)
    return held.getvalue()


def _virtual(file: Any, name: str, shape: Any, kind: Any) -> None:
    import h5py

    layout = h5py.VirtualLayout(shape or (1,), kind)
    layout[...] = h5py.VirtualSource("/etc/hostname", "x", shape or (1,))
    file.create_virtual_dataset(name, layout)


def _link(kind: str, *places: str) -> Any:
    def put(file: Any, name: str, shape: Any, dtype: Any) -> None:
        import h5py

        file[name] = getattr(h5py, kind)(*places)

    return put


def _array(**options: Any) -> Any:
    return lambda file, name, shape, kind: file.create_dataset(name, **{"shape": shape, "dtype": kind, **options})


# What may stand in a file of HDF5 in the place of an array; None takes it away.
HDF5: list[Any] = [
    None,
    _link("SoftLink", "/"),
    _link("SoftLink", "/layers"),
    _link("ExternalLink", "/etc/hostname", "/"),
    _virtual,
    _array(external=[("/etc/hostname", 0, 4096)]),
    _array(shape=(2**40,), chunks=(1024,)),
    _array(shape=()),
    _array(shape=(0,)),
    _array(dtype="f8"),
    _array(dtype="i1"),
    _array(dtype="S9"),
    _array(fillvalue=float("nan")),
    lambda file, name, shape, kind: file.create_group(name),
    lambda file, name, shape, kind: file.create_dataset(name, data=["text"]),
]

STRUCTURED = {"json": damaged_json, "zip": damaged_zip, "state": damaged_state, "model": damaged_model}


def case(chance: random.Random, seed: bytes, structured: str) -> bytes:
    """An input made from a good one, which is of a format or just bytes."""
    if structured and chance.random() < 0.6:
        seed = STRUCTURED[structured](chance, seed)
        return seed if chance.random() < 0.9 else damaged(chance, seed)
    return damaged(chance, seed)
