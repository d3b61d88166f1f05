"""Model files: any bytes give a result or one line of `InputError`; saving is whole or not at all."""

import io
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
from cli_support import ENVIRONMENT, TEXT, model_bytes_fixture, model_fixture  # noqa: F401 - fixtures
from memory_support import forget_peak, peak

import tfgen.instant.reading as instant_reading
from tfgen import TextGenerator, Vocabulary, model_files
from tfgen.errors import InputError

METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflated": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


def packed(files, method=zipfile.ZIP_STORED):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def unpacked(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def refusal(path, data, read=model_files.read_config):
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    assert str(path) in message
    return message


def test_the_configuration_is_read_without_tensorflow(model):
    code = (
        "import sys; from tfgen import model_files; c = model_files.read_config(sys.argv[1]);"
        "print(sorted(c), 'tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    out = subprocess.check_output([sys.executable, "-c", code, model], text=True, env=ENVIRONMENT)
    assert out == "['name', 'network', 'provenance', 'restart', 'vocabulary'] False False\n"


def test_the_configuration_is_the_generators_own(model):
    generator = model_files.load(model)
    assert isinstance(generator, TextGenerator)
    config = model_files.read_config(model)
    assert Vocabulary.from_config(config["vocabulary"]) == generator.vocabulary
    assert config["network"]["class_name"] == "Sequential"
    assert model_files.read_config(str(model)) == config


@pytest.mark.parametrize("method", METHODS)
def test_damage_anywhere_is_a_refusal_or_does_no_harm(tmp_path, model_bytes, method):
    whole = packed(unpacked(model_bytes), METHODS[method])
    path, seed = tmp_path / "damaged.keras", random.Random(method)
    path.write_bytes(whole)
    config = model_files.read_config(path)
    lines = []
    for case in range(60):
        data = bytearray(whole)
        if case % 3 == 0:
            data = data[: seed.randrange(len(data))]
        for _ in range(seed.choice([1, 1, 8]) if data and case % 6 else 0):
            data[seed.randrange(len(data))] ^= 1 << seed.randrange(8)
        path.write_bytes(data)
        try:
            read = model_files.read_config(path)
        except InputError as error:
            lines.append(str(error))
        else:
            assert read == config  # what is read is what was written
    assert len(lines) > 15
    assert not any("\n" in line for line in lines)


def test_loading_a_damaged_file_is_a_refusal_or_gives_the_same_model(tmp_path, model_bytes):
    path, seed = tmp_path / "damaged.keras", random.Random(2)
    path.write_bytes(model_bytes)
    expected = model_files.load(path).generate("the ", length=20, seed=0)
    lines = []
    for _ in range(12):
        data = bytearray(model_bytes)
        data[seed.randrange(len(data))] ^= 1 << seed.randrange(8)
        path.write_bytes(data)
        try:
            generator = model_files.load(path)
        except InputError as error:
            lines.append(str(error))
        else:
            assert generator.generate("the ", length=20, seed=0) == expected
    assert len(lines) > 6
    assert not any("\n" in line for line in lines)


# Well-formed archives and JSON around something that is no model.
HOSTILE = {
    "null": b"null",
    "a number": b"17",
    "a list": b"[]",
    "an empty object": b"{}",
    "no JSON": b"{'a': 1}",
    "no UTF-8": b"\xff\xfe\xff",
    "nested too deep": b"[" * 200_000,
    "a number of a million digits": b"9" * 1_000_000,
    "a name that is a list": b'{"registered_name": ["tfgen>TextGenerator"]}',
    "a configuration that is a number": b'{"registered_name": "tfgen>TextGenerator", "config": 5}',
    "a configuration that is a list": (
        b'{"registered_name": "tfgen>TextGenerator", "config": ["vocabulary", "network"]}'
    ),
    "a vocabulary that is a text": (
        b'{"registered_name": "tfgen>TextGenerator", "config": {"vocabulary": "abc", "network": {}}}'
    ),
    "a provenance that is a list": (
        b'{"registered_name": "tfgen>TextGenerator", "config": {"vocabulary": {}, "network": {}, "provenance": [1]}}'
    ),
    "a very long name": b'{"registered_name": "' + b"x" * 10_000 + b'"}',
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_configuration_is_refused_in_one_short_line(tmp_path, case):
    message = refusal(tmp_path / "hostile.keras", packed({"config.json": HOSTILE[case]}))
    assert len(message) < 600


def test_a_configuration_that_unpacks_to_gigabytes_is_refused_unread(tmp_path):
    data = bytearray(packed({"config.json": b" " * 1000}, zipfile.ZIP_DEFLATED))
    entry = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, entry + 24, 2**32 - 2)  # the size it claims, in the directory of the archive
    assert "claims a configuration of 4,294,967,294 bytes" in refusal(tmp_path / "bomb.keras", bytes(data))


def test_a_bomb_that_claims_to_be_small_is_read_no_further(tmp_path, monkeypatch):
    monkeypatch.setattr(model_files, "_LARGEST_CONFIG", 2**20)
    data = bytearray(packed({"config.json": b" " * 3 * 2**20}, zipfile.ZIP_DEFLATED))
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 100)
    assert "damaged" in refusal(tmp_path / "bomb.keras", bytes(data))


def weights_that_claim(layout):
    """Weights of 400 MB that take no room in the file."""
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        if layout == "never written":
            file.create_dataset("layers/a/vars/0", (10**8,), "f4")
        elif layout == "compressed":
            file.create_dataset("layers/a/vars/0", (10**8,), "f4", chunks=(10**7,), compression="gzip")
        else:
            file.create_dataset("layers/a/vars/0", (10**8,), "f4", external=[("/dev/zero", 0, 4 * 10**8)])
    return data.getvalue()


@pytest.mark.parametrize("layout", ["never written", "compressed", "elsewhere"])
@pytest.mark.parametrize("read", [model_files.load, instant_reading.read])
def test_weights_that_claim_more_than_the_file_holds_are_refused_before_memory_is_taken(
    tmp_path, model_bytes, layout, read
):
    data = packed(unpacked(model_bytes) | {"model.weights.h5": weights_that_claim(layout)})
    before = forget_peak()
    message = refusal(tmp_path / "claims.keras", data, read)
    if read is model_files.load:
        assert "claims arrays of 400,000,000 bytes" in message
    assert peak() - before < 100 << 20


def test_complex_weights_are_refused_and_not_halved(tmp_path, model_bytes):
    files = unpacked(model_bytes)
    data = io.BytesIO(files["model.weights.h5"])
    with h5py.File(data, "r+") as file:
        names = []
        file.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None)
        values = file[names[0]][()]
        del file[names[0]]
        file[names[0]] = values.astype("complex64")
    path = tmp_path / "complex.keras"
    assert "complex numbers" in refusal(path, packed(files | {"model.weights.h5": data.getvalue()}), model_files.load)
    refusal(path, path.read_bytes(), instant_reading.read)
    with pytest.raises(ValueError, match="the file holds complex numbers in '/"):
        keras.saving.load_model(path)


def test_weights_that_unpack_to_gigabytes_are_refused_unread(tmp_path, model_bytes):
    files = unpacked(model_bytes) | {"model.weights.h5": bytes(2**24)}
    message = refusal(tmp_path / "bomb.keras", packed(files, zipfile.ZIP_DEFLATED))
    assert "claims 16,777,216 for its model.weights.h5" in message


def test_a_configuration_of_many_small_values_is_refused_before_memory_is_taken(tmp_path, model_bytes):
    files = unpacked(model_bytes)
    files["config.json"] = b'{"x": [' + b'{"a":1},' * 3_000_000 + b"0]," + files["config.json"].strip()[1:]
    before = forget_peak()
    refusal(tmp_path / "many.keras", packed(files), model_files.read_config)
    assert peak() - before < 100 << 20


def test_a_member_that_is_stored_cannot_claim_more_than_the_file(tmp_path, model_bytes):
    data = bytearray(model_bytes)
    for entry in [place for place in range(len(data)) if data.startswith(b"PK\x01\x02", place)]:
        struct.pack_into("<II", data, entry + 20, 1_600_000_000, 1_600_000_000)
    assert "claims" in refusal(tmp_path / "claims.keras", bytes(data))


def test_a_model_that_somebody_has_compressed_is_read(tmp_path, model, model_bytes):
    path = tmp_path / "packed.keras"
    path.write_bytes(packed(unpacked(model_bytes), zipfile.ZIP_DEFLATED))
    for one, other in zip(model_files.load(path).get_weights(), model_files.load(model).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("read", [model_files.read_config, model_files.load, instant_reading.read])
@pytest.mark.parametrize("kind", ["device", "pipe", "link to a pipe"])
def test_what_has_no_end_is_not_opened(tmp_path, kind, read):
    path = pathlib.Path("/dev/zero") if kind == "device" else tmp_path / "pipe"
    if kind != "device":
        os.mkfifo(path)
    if kind == "link to a pipe":
        path = tmp_path / "link"
        path.symlink_to("pipe")
    with pytest.raises(InputError, match="is a pipe, a socket or a device, and must be a file"):
        read(path)


def test_an_encrypted_archive_is_refused(tmp_path, model_bytes):
    data = bytearray(model_bytes)
    entry = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)  # the configuration is the second
    data[entry + 8] |= 1
    assert "damaged" in refusal(tmp_path / "locked.keras", bytes(data))


# A file of ours in form, whose parts do not fit one another: found when it is loaded.
def change_units(config):
    config["network"]["config"]["layers"][-1]["config"]["units"] += 1


def drop_a_token(config):
    config["vocabulary"]["tokens"].pop()


def add_a_lambda(config):
    code = {"class_name": "__lambda__", "config": {"value": ["4wAAAA==", None, None]}}
    layer = {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "evil", "function": code}}
    config["network"]["config"]["layers"].insert(1, layer)


@pytest.mark.parametrize("change", [change_units, drop_a_token, add_a_lambda])
def test_parts_that_do_not_fit_are_found_by_loading(tmp_path, model_bytes, change):
    files = unpacked(model_bytes)
    config = json.loads(files["config.json"])
    change(config["config"])
    files["config.json"] = json.dumps(config).encode()
    refusal(tmp_path / "misfit.keras", packed(files), model_files.load)


def test_missing_weights_are_found_by_loading(tmp_path, model_bytes):
    files = unpacked(model_bytes)
    del files["model.weights.h5"]
    refusal(tmp_path / "weightless.keras", packed(files), model_files.load)


def test_what_is_no_file(tmp_path):
    with pytest.raises(InputError, match=r"missing.keras' does not exist; give the path of a model"):
        model_files.read_config(tmp_path / "missing.keras")
    with pytest.raises(InputError, match="is a directory"):
        model_files.load(tmp_path)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_save_that_fails_half_way_leaves_the_old_file_and_nothing_else(
    model,
    model_bytes,
    monkeypatch,
    error,
):
    generator = model_files.load(model)

    def half(self, filepath, *args, **kwargs):
        pathlib.Path(filepath).write_bytes(model_bytes[: len(model_bytes) // 2])
        raise error

    monkeypatch.setattr(keras.Model, "save", half)
    for path in (model, model.with_name("new.keras")):
        with pytest.raises(type(error)):
            generator.save(path)
    assert list(model.parent.iterdir()) == [model]
    assert model.read_bytes() == model_bytes


@pytest.mark.slow
def test_a_saved_file_is_never_seen_unfinished(model, monkeypatch):
    generator = model_files.load(model)
    seen, save = [], keras.Model.save

    def watched(self, filepath, *args, **kwargs):
        save(self, filepath, *args, **kwargs)
        seen.append((pathlib.Path(filepath).name, model.exists()))

    monkeypatch.setattr(keras.Model, "save", watched)
    model.unlink()
    generator.save(model)
    ((name, existed),) = seen
    assert name != model.name
    assert not existed
    assert list(model.parent.iterdir()) == [model]
    assert model_files.load(model).generate(TEXT[:4], length=5, seed=1) == generator.generate(
        TEXT[:4], length=5, seed=1
    )
