"""A generator exported to ONNX writes what Python writes, with NumPy and ONNX Runtime alone."""

import hashlib
import importlib.util
import json
import shutil
import sys

import clients_support as clients
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given
from hypothesis import strategies as st

from tfgen import InputError, TextGenerator, Vocabulary, networks

CLIENT = "onnx_client.py"
WORDS = [
    "a",
    " a",
    "at",
    " at",
    "atom",
    "'",
    " '",
    "a't",
    " a't",
    " ",
    "\n",
    ".",
    " .",
    "t",
    "漢",
    " 漢",
    "e\u0301",
    "_",
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Give a generator and the directory that it is exported to, once a case."""
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed: pip install '.[onnx]'")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install '.[onnx]'")
    made = {}

    def export(case):
        if case not in made:
            made[case] = clients.generator_of(case), tmp_path_factory.mktemp("onnx")
            made[case][0].export(made[case][1], "onnx")
        return made[case]

    return export


@pytest.mark.parametrize("case", clients.CASES)
def test_the_client_is_python(exported, case, tmp_path):
    generator, directory = exported(case)
    prompts = clients.prompts_of(case)
    clients.assert_is_pythons(generator, prompts, clients.ask(CLIENT, directory, prompts, tmp_path))


def test_any_number_of_rows(exported):
    import onnxruntime

    generator, directory = exported("lstm")
    session = onnxruntime.InferenceSession(directory / "step.onnx")
    assert [(tensor.name, tensor.shape[0]) for tensor in session.get_inputs()][:2] == [("ids", "B"), ("state_0", "B")]
    for rows in (1, 2, 5):
        draw = np.random.default_rng(rows)
        ids = draw.integers(2, len(generator.vocabulary), rows).astype(np.int32)
        state = {f"state_{i}": draw.normal(size=(rows, 24)).astype(np.float32) for i in range(4)}
        values = list(map(tf.constant, state.values()))
        wanted = networks.step(generator.network, tf.constant(ids), [values[:2], values[2:]])
        given = session.run(["logits", *(f"new_{name}" for name in state)], {"ids": ids, **state})
        for one, other in zip(given, tf.nest.flatten(wanted), strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def test_another_dtype_policy_is_exported_in_float32(exported, tmp_path):
    generator, _ = exported("lstm")
    clients.generator_in("mixed_bfloat16").export(tmp_path / "mixed", "onnx")
    clients.assert_is_pythons(generator, ["the"], clients.ask(CLIENT, tmp_path / "mixed", ["the"], tmp_path))


def test_what_onnx_does_not_know_is_refused(tmp_path):
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed: pip install '.[onnx]'")
    vocabulary = Vocabulary.from_texts([clients.TEXT])
    layers = [
        keras.Input([None], dtype="int32"),
        keras.layers.Embedding(len(vocabulary), 2),
        keras.layers.Dense(2, activation=tf.math.bessel_i0),
        keras.layers.Dense(len(vocabulary), activation="softmax"),
    ]
    with pytest.raises(InputError, match="BesselI0"):
        TextGenerator(vocabulary, keras.Sequential(layers)).export(tmp_path / "new", "onnx")
    assert not list(tmp_path.iterdir())


def test_the_manifest_says_what_is_there(exported):
    generator, directory = exported("lstm")
    manifest = json.loads((directory / "tfgen.json").read_text())
    assert sorted(path.name for path in directory.iterdir()) == ["step.onnx", "tfgen.json"]
    assert (manifest["format"], manifest["model"], manifest["runtime"]) == ("onnx", "step.onnx", "onnxruntime")
    assert manifest["inputs"][0] == {"name": "ids", "shape": [None], "dtype": "int32"}
    assert manifest["outputs"][0] == {"name": "logits", "shape": [None, len(generator.vocabulary)], "dtype": "float32"}
    assert [state["next"] for state in manifest["state"]] == [f"new_state_{i}" for i in range(4)]
    assert manifest["provenance"] == generator.provenance
    assert tuple(manifest["vocabulary"]["tokens"]) == generator.vocabulary.tokens
    assert [manifest["vocabulary"][name] for name in ("padding", "unknown", "end")] == [0, 1, 2]
    assert manifest["vocabulary"]["writable"] == [False, False, False] + [True] * (len(generator.vocabulary) - 3)


def test_from_the_command_line(exported, tmp_path):
    generator, directory = exported("lstm")
    clients.assert_it_is_a_command(CLIENT, directory, generator, tmp_path)


def test_only_what_was_written_is_read(exported, tmp_path):
    clients.assert_only_what_was_written_is_read(CLIENT, exported("lstm")[1], tmp_path)


@pytest.mark.slow
def test_forged_manifests_are_one_line(exported, tmp_path):
    clients.assert_forged_manifests_are_one_line(CLIENT, exported("lstm")[1], tmp_path)


@pytest.mark.slow
def test_no_weights_are_read_from_other_files(exported, tmp_path):
    import onnx

    folder = tmp_path / "export"
    shutil.copytree(exported("lstm")[1], folder)
    model = onnx.load(folder / "step.onnx")
    weights = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    (tmp_path / "w.bin").write_bytes(weights.raw_data)
    entries = {"location": "w.bin", "offset": "0", "length": str(len(weights.raw_data))}
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    for key, value in entries.items():
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    content = model.SerializeToString()
    (folder / "step.onnx").write_bytes(content)
    told = json.loads((folder / "tfgen.json").read_text("utf-8"))
    told["sha256"]["step.onnx"] = hashlib.sha256(content).hexdigest()
    (folder / "tfgen.json").write_text(json.dumps(told), "utf-8")
    done = clients.run(CLIENT, folder, "the", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{folder} is no export for ONNX Runtime, or damaged: ")
    assert done.stderr.count("\n") == 1


@pytest.fixture(name="client_of_words", scope="module")
def client_of_words_fixture(exported, tmp_path_factory):
    """The client, in this process, and the vocabulary of what it reads."""
    generator = TextGenerator.build(Vocabulary(WORDS, split="word"), units=1, embedding=1)
    directory = tmp_path_factory.mktemp("words")
    generator.export(directory, "onnx")
    spec = importlib.util.spec_from_file_location("onnx_client", clients.CLIENTS / CLIENT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Writer(directory), generator.vocabulary


@given(st.lists(st.sampled_from(WORDS), max_size=8).map("".join))
def test_known_words_are_cut_as_python_cuts_them(client_of_words, text):
    """The client takes the longest known word, without the rule that splits text into words."""
    writer, vocabulary = client_of_words
    ids = vocabulary.encode(text, "unknown")
    assume((ids > 1).all())
    assert writer.ids(text) == ids.tolist()


def test_without_the_converter_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(InputError, match=r"pip install 'tf2onnx"):
        clients.generator_of("lstm").export(tmp_path, "onnx")
    assert not list(tmp_path.iterdir())
