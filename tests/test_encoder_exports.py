"""A generator with an encoder, exported in every format, writes from each source what Python writes from it."""

import importlib.util
import json
import shutil

import clients_support as clients
import keras
import numpy as np
import pytest
import tensorflow as tf
from alone_support import Alone, AnswerError
from cli_support import here_fixture  # noqa: F401
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from tfgen import InputError, TextGenerator, Vocabulary, networks
from tfgen.export import saved_model
from tfgen.networks import kinds
from tfgen.networks.model import flat

NEEDED = {"onnx": ("tf2onnx", "onnxruntime"), "litert": ("ai_edge_litert",), "saved-model": ()}
CLIENTS = {"onnx": "onnx_client.py", "litert": "litert_client.py"}
PROMPTS = ["", "the", "why. the X漢", "the quick brown"]
ROWS = len(PROMPTS)
few = pytest.mark.parametrize(
    "case",
    [each if each == "a text" else pytest.param(each, marks=pytest.mark.slow) for each in clients.WITH_ENCODERS],
)


@pytest.fixture(name="exported", scope="module")
def exported_fixture(tmp_path_factory):
    """Gives a generator and the directory that it is exported to, once a case and format."""
    made = {}

    def export(case, name):
        for package in NEEDED[name.removesuffix("-int8")]:
            pytest.importorskip(package, reason=f"{package} is not installed: pip install '.[onnx,litert]'")
        if (case, name) not in made:
            made[case, name] = clients.generator_of(case), tmp_path_factory.mktemp("exported")
            made[case, name][0].export(made[case, name][1], name)
        return made[case, name]

    return export


@pytest.fixture(name="alone", scope="module")
def alone_fixture(tmp_path_factory):
    with Alone(tmp_path_factory.mktemp("alone")) as alone:
        yield alone


def batch(sources):
    """The rows of sources as a batch, by the names that signatures have for them."""
    if isinstance(sources[0], str):
        return {"sources": sources}
    return {name: [row[name] for row in sources] for name in sources[0]}


# SavedModel


@pytest.mark.slow
@few
@pytest.mark.parametrize("loader", ["object", pytest.param("session", marks=pytest.mark.slow)])
def test_where_there_is_tensorflow_alone_it_writes_what_python_writes(case, loader, exported, alone):
    if case == "two inputs" and loader == "object":
        pytest.skip("there they are one argument of two tensors")
    generator, directory = exported(case, "saved-model")
    sources, told = clients.sources_of(generator, ROWS)
    given = batch(told)
    source = sources if isinstance(sources[0], str) else tf.nest.map_structure(lambda *rows: np.stack(rows), *sources)
    for settings in ({"temperature": 0.0}, {"seed": 7, "top_k": 9}, {"seed": [5, -6, 7, 2**62], "temperature": 1.7}):
        call = {"length": 20, **settings}
        expected = generator.generate(PROMPTS, source=source, unknown="unknown", **{"seed": 0, **call})
        assert alone.run(loader, directory, "generate", prompts=PROMPTS, **given, **call)["texts"] == expected
        call.pop("seed", None), call.pop("length")
        alone.run(loader, directory, "start", prompts=PROMPTS, **given, seed=settings.get("seed", 0))
        pieces = [alone.run(loader, directory, "continue", True, length=n, **call)["texts"] for n in (1, 12, 7)]
        assert ["".join(each) for each in zip(PROMPTS, *pieces, strict=True)] == expected
    scored = alone.run(loader, directory, "score", texts=["the fox"] * ROWS, **given)["log_probabilities"]
    for row, score in zip(scored, generator.score(["the fox"] * ROWS, source=source, unknown="unknown"), strict=True):
        np.testing.assert_allclose(row, score.log_probabilities, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sources", "told"),
    [
        (["a"], "there must be one source for each text; received rows] [1 2]"),
        (["a", "b", ""], "there must be one source for each text; received rows] [3 2]"),
        (["a" * saved_model.TOKENS, ""], f"one call can read {saved_model.TOKENS} tokens"),
    ],
)
def test_sources_that_do_not_go_with_the_texts_are_named_and_the_next_call_is_answered(sources, told, exported, alone):
    generator, directory = exported("a text", "saved-model")
    for signature, name in (("generate", "prompts"), ("start", "prompts"), ("score", "texts")):
        with pytest.raises(AnswerError) as caught:
            alone.run("object", directory, signature, **{name: ["the", ""]}, sources=sources)
        assert caught.value.args[0]["error"] == "InvalidArgumentError"
        assert told in caught.value.args[0]["message"]
    answer = alone.run("object", directory, "generate", prompts=["the"], sources=["ab"])
    assert answer["texts"] == generator.generate(["the"], source=["ab"], seed=0)


@pytest.mark.slow
def test_bytes_of_a_source_that_are_no_utf_8_are_read_as_the_replacement_character(exported, alone):
    generator, directory = exported("a text", "saved-model")
    texts = alone.run("session", directory, "generate", prompts=["the"] * 2, sources=[b"a\xff", b"\xed\xa0\x80c"])[
        "texts"
    ]
    expected = generator.generate(["the"] * 2, source=["a\ufffd", "\ufffd\ufffd\ufffdc"], seed=0, unknown="unknown")
    assert texts == expected


@pytest.mark.slow
def test_a_table_in_an_encoder_of_keras_own_is_there_too(tmp_path, alone):
    words = keras.Input((), dtype="string", name="words")
    look_up = keras.layers.TextVectorization(standardize=None, split="character", vocabulary=list("abc"))
    encoder = keras.Model(words, keras.layers.Embedding(6, 4, mask_zero=True)(look_up(words)))
    generator = clients.lively(TextGenerator.build(clients.READ, units=6, encoder=encoder, attention=True))
    generator.export(tmp_path / "export")
    sources, prompts = ["abcab", "c"], ["a", ""]
    texts = alone.run("session", tmp_path / "export", "generate", prompts=prompts, sources=sources, seed=3)["texts"]
    assert texts == generator.generate(prompts, source=tf.constant(sources), seed=3)
    for name in CLIENTS:
        if all(importlib.util.find_spec(package) for package in NEEDED[name]):
            with pytest.raises(InputError, match=r"this network cannot be written .*UnicodeDecode.*; export another"):
                generator.export(tmp_path / name, name)


def test_an_input_with_the_name_of_another_is_refused(tmp_path):
    one, other = keras.Input((2,), name="length"), keras.Input((3,), name="other")
    encoder = keras.Model([one, other], keras.layers.Concatenate()([one, other]))
    generator = TextGenerator.build(clients.READ, units=3, encoder=encoder)
    with pytest.raises(InputError, match="an input of the encoder is named 'length', as another input"):
        generator.export(tmp_path / "export")
    assert not list(tmp_path.iterdir())


# ONNX and LiteRT


@pytest.mark.slow
@few
@pytest.mark.parametrize("name", CLIENTS)
def test_the_client_is_python(case, name, exported, tmp_path):
    generator, directory = exported(case, name)
    sources, told = clients.sources_of(generator, ROWS, seed=1)
    answers = clients.ask(CLIENTS[name], directory, PROMPTS, tmp_path, told)
    clients.assert_is_pythons(generator, PROMPTS, answers, sources)


@pytest.fixture(name="clients_here", scope="module", params=CLIENTS)
def clients_here_fixture(request, exported):
    """A client in this process, and the generator that it runs."""
    generator, directory = exported("a text", request.param)
    spec = importlib.util.spec_from_file_location(request.param, clients.CLIENTS / CLIENTS[request.param])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Writer(directory), generator


@pytest.mark.slow
@examples(25)
@given(source=st.text("abcdefg", max_size=40), prompt=st.text("the quick", max_size=5))
def test_a_source_of_any_length_is_encoded_as_python_encodes_it(clients_here, source, prompt):
    client, generator = clients_here
    written = "".join(client.write(prompt, 12, 0, None, source))
    assert written == clients.greedy(generator, prompt, source, length=12)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_bfloat16", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["onnx", pytest.param("litert", marks=pytest.mark.slow)])
def test_another_dtype_policy_is_exported_in_float32(name, policy, exported, tmp_path):
    generator, _ = exported("a text", name)
    clients.generator_in(policy, "a text").export(tmp_path / "other", name)
    sources, told = clients.sources_of(generator, ROWS, seed=2)
    answers = clients.ask(CLIENTS[name], tmp_path / "other", PROMPTS, tmp_path, told)
    clients.assert_is_pythons(generator, PROMPTS, answers, sources)


@pytest.mark.parametrize("policy", ["mixed_float16", "float64"])
def test_layers_in_layers_are_in_float32_too(policy):
    layers = keras.layers
    keras.config.set_dtype_policy(policy)
    try:
        inner = keras.Sequential([keras.Input((None, 4)), layers.Dense(4), layers.Dense(3)])
        reader = layers.Bidirectional(layers.LSTM(3, return_sequences=True))
        encoder = keras.Sequential([keras.Input((None,), dtype="int32"), layers.Embedding(9, 4), inner, reader])
        network = networks.EncoderDecoder(encoder, networks.build(len(clients.READ), units=4), attention=True)
    finally:
        keras.config.set_dtype_policy("float32")
    twin = kinds.with_batch_size(network, None, "float32")
    assert {layer.dtype_policy.name for layer in twin._flatten_layers(include_self=False)} == {"float32"}
    source = np.array([[1, 2, 3], [8, 7, 6]], np.int32)
    one, other = (networks.Conditioned(each).encode(source).summary for each in (network, twin))
    np.testing.assert_allclose(one, other, atol=1e-2 if policy == "mixed_float16" else 1e-6)


@pytest.mark.slow
def test_any_number_of_sources(exported):
    generator, directory = exported("a text", "onnx")
    import onnxruntime

    session = onnxruntime.InferenceSession(directory / "encode.onnx")
    model = generator.writer.model
    for rows in (1, 2, 5):
        ids = model.source_ids(clients.sources_of(generator, rows, seed=rows)[0], "unknown")
        context = model.encode(ids)
        wanted = {**flat(model.start(context, rows), "state"), **flat(context, "context")}
        for one, other in zip(session.run([*wanted], {"sources": ids}), wanted.values(), strict=True):
            np.testing.assert_allclose(np.asarray(one, float), np.asarray(other, float), rtol=0, atol=1e-5)


@pytest.mark.slow
def test_eight_bits_are_smaller_and_nearly_the_same(exported, tmp_path):
    encoder = networks.text_encoder(clients.READ, units=48, embedding=32, seed=1)
    generator = TextGenerator.build(Vocabulary.from_texts([clients.TEXT]), units=64, encoder=encoder, attention=True)
    clients.lively(generator, scale=0.1)
    exported("a text", "litert")  # where LiteRT is not installed, this is skipped
    _, told = clients.sources_of(generator, ROWS)
    found = {}
    for name in ("litert", "litert-int8"):
        generator.export(tmp_path / name, name)
        found[name] = clients.ask("litert_client.py", tmp_path / name, PROMPTS, tmp_path, told)
    sizes = [(tmp_path / name / "encode.tflite").stat().st_size for name in found]
    assert sizes[1] < sizes[0] / 2
    whole, eight = (np.array([answer["probabilities"][2] for answer in answers]) for answers in found.values())
    assert 0 < np.abs(whole - eight).sum(axis=1).max() < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ending"), [("onnx", ".onnx"), ("litert", ".tflite")])
def test_the_manifest_says_what_is_there(name, ending, exported):
    _, directory = exported("a text", name)
    manifest = json.loads((directory / "tfgen.json").read_text())
    assert sorted(path.name for path in directory.iterdir()) == [f"encode{ending}", f"step{ending}", "tfgen.json"]
    assert manifest["sha256"].keys() == {f"encode{ending}", f"step{ending}"}
    rows, encoder = {"onnx": None, "litert": 1}[name], manifest["encoder"]
    assert encoder["model"] == f"encode{ending}"
    assert encoder["inputs"] == [{"name": "sources", "shape": [rows, None], "dtype": "int32"}]
    assert tuple(encoder["vocabulary"]["tokens"]) == clients.READ.tokens
    assert [encoder["vocabulary"][key] for key in ("split", "unknown", "closed_by")] == ["character", 1, 2]
    assert [state["initial"] for state in manifest["state"]] == ["state_0", "state_1"]
    assert {each["name"] for each in encoder["outputs"]} | {"ids"} == {each["name"] for each in manifest["inputs"]}


@pytest.mark.slow
def test_the_manifest_of_a_saved_model_names_the_sources(exported):
    _, directory = exported("a text", "saved-model")
    manifest = json.loads((directory / "tfgen.json").read_text())
    assert manifest["sources"] == [{"name": "sources", "shape": [None], "dtype": "string"}]


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIENTS)
def test_from_the_command_line(name, exported, tmp_path):
    generator, directory = exported("a text", name)
    call = (CLIENTS[name], directory, "the", "--length", 20, "--temperature", 0)
    done = clients.run(*call, "--source", "ab", cwd=tmp_path)
    assert done.stdout == generator.generate("the", length=20, temperature=0, source="ab") + "\n"
    done = clients.run(*call, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("error: a model with an encoder takes a --source, and no other does\n")


@pytest.mark.slow
def test_arrays_from_the_command_line(exported, tmp_path):
    for case in ("a picture", "two inputs"):
        generator, directory = exported(case, "onnx")
        (source,), (told,) = clients.sources_of(generator, 1)
        np.savez(tmp_path / "several.npz", **{name: np.float32(value) for name, value in told.items()})
        files = ["several.npz"]
        if case == "a picture":
            np.save(tmp_path / "one.npy", source)
            files.append("one.npy")
        for file in files:
            done = clients.run(
                "onnx_client.py", directory, "the", "--length", 20, "--temperature", 0, "--source", file, cwd=tmp_path
            )
            assert done.stdout == generator.generate("the", length=20, temperature=0, source=source) + "\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIENTS)
def test_an_encoder_that_is_damaged_is_refused(name, exported, tmp_path):
    _, directory = exported("a text", name)
    shutil.copytree(directory, tmp_path / "damaged")
    (encoder,) = (tmp_path / "damaged").glob("encode.*")
    encoder.write_bytes(encoder.read_bytes()[:-1])
    done = clients.run(CLIENTS[name], tmp_path / "damaged", "--source", "a", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{encoder.name} is not the file that was written" in done.stderr


@pytest.mark.slow
def test_the_command_says_what_to_try(here):
    for case, told in (("a text", """--input_exprs 'sources=[""];prompts=[""];"""), ("a picture", None)):
        clients.generator_of(case).save(here.folder / "model.keras")
        out = here.done("export", "model.keras", "out", "--overwrite")
        assert told in out if told else "Try" not in out
