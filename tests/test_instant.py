"""NumPy's engine: the draws, the mathematics, the reading and the texts of TensorFlow, without TensorFlow."""

import ast
import io
import json
import pathlib
import subprocess
import sys
import tokenize
import zipfile

import damage
import h5py
import instant_support as support
import keras
import numpy as np
import pytest
import tensorflow as tf
from cli_support import ENVIRONMENT, model_bytes_fixture, model_fixture  # noqa: F401 - fixtures
from effort import examples, share_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import tfgen
from tfgen import sampling
from tfgen.errors import InputError
from tfgen.instant import chain as chains
from tfgen.instant.reading import read
from tfgen.instant.writer import Writer
from tfgen.networks import layers_of
from tfgen.sampling.chain import apply, default_chain, start
from tfgen.terms.draws import BLOCK, uniforms
from tfgen.terms.seeds import row_seeds

ROOM = pathlib.Path(tfgen.__file__).parent / "instant"
TEXTS = "the quick brown fox jumps over the lazy dog.\n"


# --- the room -------------------------------------------------------------------------------------------------------


def test_texts_and_scores_take_neither_tensorflow_nor_keras(model):
    code = """
import sys
from tfgen.instant.reading import read
from tfgen.instant.writer import Writer
writer = Writer(*read(sys.argv[1]))
writer.generate("the ", n=2, length=5, seed=1, top_k=3, top_p=0.9, min_p=0.1, typical_p=0.9, repetition_penalty=1.1)
writer.score("the ")
print({"tensorflow", "keras", "jax", "torch", "scipy"} & {name.split(".")[0] for name in sys.modules})
"""
    done = subprocess.run(
        [sys.executable, "-c", code, model], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_no_module_of_the_room_names_them():
    for path in [*ROOM.glob("*.py"), *(ROOM.parent / "portable").glob("*.py"), *(ROOM.parent / "terms").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & {"tensorflow", "keras"}, path


def lines_of_code(source):
    """Lines that hold something beside a comment or a docstring."""
    documented = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            documented |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    held = {line for token in tokens if token.type not in nothing for line in range(token.start[0], token.end[0] + 1)}
    return len(held - documented)


def test_the_room_is_small():
    assert sum(lines_of_code(path.read_text()) for path in ROOM.glob("*.py")) <= 300


# --- draws ----------------------------------------------------------------------------------------------------------

SEEDS = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(SEEDS, min_size=1, max_size=4), st.integers(0, 2**22), st.integers(1, 40))
@examples(60)
def test_draws_are_tensorflows_bit_for_bit(seeds, first, count):
    rows = row_seeds(seeds, len(seeds))
    expected = sampling.draws(tf.constant(rows), tf.constant(first), tf.constant(count)).numpy()
    blocks = [uniforms(rows, block) for block in range(first // BLOCK, (first + count - 1) // BLOCK + 1)]
    np.testing.assert_array_equal(np.concatenate(blocks)[first % BLOCK :][:count], expected)


@given(SEEDS, st.integers(1, 50))
@examples(20)
def test_so_are_those_of_rows_with_one_seed(seed, rows):
    seeds = row_seeds(seed, rows)
    np.testing.assert_array_equal(uniforms(seeds, 3), sampling.draws(tf.constant(seeds), 3 * BLOCK, BLOCK).numpy())


# --- mathematics ----------------------------------------------------------------------------------------------------

NUMBERS = st.one_of(st.floats(-30, 30, allow_subnormal=False), st.sampled_from([-np.inf, 0.0, 1.0, -1e300, 1e300]))
LOGITS = arrays.arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 40)), elements=NUMBERS).filter(
    lambda logits: np.isfinite(logits).any(axis=1).all()
)
SHARES = st.floats(1e-300, 1)  # TensorFlow takes a smaller one, which is subnormal, for 0
SETTINGS = {
    "repetition_penalty": st.floats(1e-3, 1e3),
    "temperature": st.one_of(st.floats(0, 10, allow_subnormal=False), st.sampled_from([0.0, 1e-300, np.inf])),
    "top_k": st.integers(1, 50),
    "typical_p": SHARES,
    "top_p": SHARES,
    "min_p": st.floats(0, 1, allow_subnormal=False),
}


def both(logits, settings, history):
    chain = default_chain(**settings)
    states = start(chain, tf.constant(history), logits.shape[1])
    expected = apply(chain, tf.constant(logits), states)[0].numpy()
    counts = np.stack([np.bincount(row, minlength=logits.shape[1]) for row in history])
    counts[:, :3] = 0
    return chains.apply(chains.default_chain(**settings), logits, counts), expected


@pytest.mark.parametrize("name", SETTINGS)
@given(data=st.data())
@examples(150)
def test_each_transform_is_its_twin(name, data):
    logits = data.draw(LOGITS)
    history = data.draw(arrays.arrays(np.int32, (len(logits), 5), elements=st.integers(0, logits.shape[1] - 1)))
    settings = {"temperature": 1.0, name: data.draw(SETTINGS[name])}
    given, expected = both(logits, settings, history)
    np.testing.assert_array_equal(given > -np.inf, expected > -np.inf)
    np.testing.assert_allclose(given, expected, rtol=1e-12, atol=1e-12)


def test_settings_are_applied_in_the_same_order():
    given = chains.default_chain(**dict.fromkeys(reversed(SETTINGS), 1))
    names = [type(each).__name__ for each in default_chain(**dict.fromkeys(SETTINGS, 1))]
    assert names == ["RepetitionPenalty", "Temperature", "TopK", "Typical", "TopP", "MinP"]
    assert [*given] == ["repetition_penalty", "temperature", "top_k", "typical_p", "top_p", "min_p"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", -1), ("top_k", 0), ("top_k", 1.5), ("top_p", 0.0), ("min_p", 2), ("repetition_penalty", 1e7)]
    + [(name, np.nan) for name in SETTINGS],
)
def test_a_setting_out_of_its_range_is_refused_in_the_same_words(name, value):
    with pytest.raises(InputError) as of_numpy:
        chains.default_chain(**{name: value})
    if name != "top_k" or value:  # 0 leaves it out there, and the command line gives none
        with pytest.raises(InputError) as of_tensorflow:
            default_chain(**{name: value})
        assert str(of_numpy.value) == str(of_tensorflow.value)


@given(LOGITS, st.data())
@examples(100)
def test_the_draw_is_the_same(logits, data):
    uniform = data.draw(arrays.arrays(np.float64, len(logits), elements=st.floats(0, 1, exclude_max=True)))
    expected = sampling.select(tf.constant(logits), tf.constant(uniform)).numpy()
    np.testing.assert_array_equal(chains.select(logits, uniform), expected)


# --- texts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, *(pytest.param(each, marks=pytest.mark.slow) for each in range(1, 12))])
def test_any_network_writes_and_scores_the_same(seed):
    generator = support.generator(seed, "float64" if seed % 4 == 3 else "float32")
    engine = support.twin(generator)
    for number in range(3):
        prompt, settings = support.request(seed, number, generator.vocabulary)
        settings |= {"temperature": 0.0} if number == 2 else {}
        expected = generator.generate(prompt, length=60, n=3, **settings)
        assert engine.generate(prompt, length=60, n=3, **settings) == expected
        streamed = "".join(engine.stream(prompt, length=60, **settings))
        assert streamed == "".join(generator.stream(prompt, length=60, **settings))
    text = max(support.PROMPTS[generator.vocabulary], key=len)
    ours, theirs = engine.score(text), generator.score(text)
    np.testing.assert_allclose(ours.log_probabilities, theirs.log_probabilities, atol=2e-5)
    assert (ours.tokens, ours.characters, ours.text) == (theirs.tokens, theirs.characters, theirs.text)
    assert ours.ranks.dtype == theirs.ranks.dtype
    assert np.mean(ours.ranks != theirs.ranks) < 0.1  # two tokens may be as likely but for the last digit


@pytest.fixture(name="writer", scope="module")
def writer_fixture(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "a.keras"
    vocabulary = tfgen.Vocabulary.from_texts([TEXTS])
    tfgen.TextGenerator.build(vocabulary, cell="gru", units=8, layers=2, embedding=4, seed=1).save(path)
    return Writer(*read(path))


@given(st.text("the quickbrown", max_size=600), st.integers(0, 600), st.integers(0, 2**40))
@examples(30)
def test_a_text_that_goes_on_from_one_that_was_read_is_the_text_itself(writer, text, at, seed):
    fresh = Writer.__new__(Writer)
    fresh.__dict__.update({**writer.__dict__, "_readings": []})
    writer.generate(text[:at], length=1)
    assert writer.generate(text, length=20, seed=seed) == fresh.generate(text, length=20, seed=seed)
    if text:
        ours, theirs = writer.score(text), fresh.score(text)
        np.testing.assert_allclose(ours.log_probabilities, theirs.log_probabilities, atol=1e-6)


@given(st.integers(1, 5), st.integers(1, 60), st.integers(0, 2**62))
@examples(20)
def test_rows_do_not_depend_on_how_many_there_are(writer, rows, length, seed):
    together = writer.generate("the ", n=rows, length=length, seed=seed)
    assert together[0] == writer.generate("the ", length=length, seed=seed)[0]
    assert [len(text) for text in together] == [4 + length] * rows


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_weights_that_are_no_numbers_are_refused_in_the_same_words():
    generator = support.generator(0)
    generator.network.set_weights([weight * np.nan for weight in generator.network.get_weights()])
    engine = support.twin(generator)
    for ask in (lambda each: each.generate("the "[:0]), lambda each: each.score(support.PROMPTS[each.vocabulary][1])):
        with pytest.raises(InputError) as ours:
            ask(engine)
        with pytest.raises(InputError) as theirs:
            ask(generator)
        assert str(ours.value) == str(theirs.value)


def changed(data, change_config=None, change_weights=None):
    """A model file with another configuration, or other weights."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if change_config:
        config = json.loads(members["config.json"])
        change_config(config["config"])
        members["config.json"] = json.dumps(config).encode()
    if change_weights:
        held = io.BytesIO(members["model.weights.h5"])
        with h5py.File(held, "r+") as file:
            change_weights(file)
        members["model.weights.h5"] = held.getvalue()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def refusal(path, data):
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read(path)
    (line,) = str(caught.value).splitlines()
    assert str(path) in line
    return line


KERNEL = "layers/sequential/layers/lstm/cell/vars/0"


@pytest.mark.parametrize("put", damage.HDF5)
def test_no_array_is_taken_but_one_that_lies_there_whole(tmp_path, model_bytes, put):
    def change(file):
        shape, dtype = file[KERNEL].shape, file[KERNEL].dtype
        del file[KERNEL]
        if put:
            put(file, KERNEL, shape, dtype)

    refusal(tmp_path / "a.keras", changed(model_bytes, change_weights=change))


@pytest.mark.parametrize("place", ["layers", "layers/sequential", "layers/sequential/layers/lstm/cell"])
def test_no_link_is_followed(tmp_path, model_bytes, place):
    def change(file):
        file.move(place, "elsewhere")
        file[place] = h5py.SoftLink("/elsewhere")

    assert "lack" in refusal(tmp_path / "a.keras", changed(model_bytes, change_weights=change))


def test_compressed_weights_are_refused(tmp_path, model_bytes):
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model_bytes)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert "compressed" in refusal(tmp_path / "a.keras", packed.getvalue())


def test_what_is_not_known_is_not_run(tmp_path, model_bytes):
    message = refusal(tmp_path / "a.keras", changed(model_bytes, lambda config: config.update(encoder={"units": 3})))
    assert "'encoder'" in message
    path = tmp_path / "b.keras"
    path.write_bytes(changed(model_bytes, lambda config: config.update(encoder=None)))
    read(path)


def of_layer(place, **options):
    return lambda config: config["network"]["config"]["layers"][place]["config"].update(options)


def no_layer(place, **options):
    return lambda config: config["network"]["config"]["layers"][place].update(options)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (of_layer(1, activation="gelu"), "activation='gelu'"),
        (of_layer(1, go_backwards=True), "go_backwards=True"),
        (of_layer(1, return_sequences=False), "return_sequences=False"),
        (of_layer(1, one_hot=None), "ids"),
        (of_layer(1, units=0), "units"),
        (of_layer(1, units=True), "units"),
        (of_layer(1, dtype="mixed_bfloat16"), "mixed_bfloat16"),
        (of_layer(1, dtype="float64"), "in a network of the types"),
        (of_layer(2, activation="relu"), "softmax"),
        (of_layer(2, units=7), "softmax over"),
        (of_layer(2, quantization_config={"mode": "int8"}), "quantization_config"),
        (no_layer(1, registered_name="mine>LSTM"), "LSTM"),
        (no_layer(1, class_name="GRU"), "GRU"),
        (no_layer(2, module="mine"), "Dense"),
        (lambda config: config["network"]["config"]["layers"].pop(0), "ids"),
        (lambda config: config["network"].update(class_name="Functional"), "Functional"),
        (lambda config: config["vocabulary"]["tokens"].append("é"), "counts"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(tmp_path, model_bytes, change, said):
    assert said in refusal(tmp_path / "a.keras", changed(model_bytes, change))


@pytest.mark.random
def test_a_file_and_a_model_in_memory_are_described_alike(tmp_path):
    for seed in range(share_of(9)):
        generator = support.generator(seed)
        generator.save(tmp_path / "a.keras", overwrite=True)
        vocabulary, layers = read(tmp_path / "a.keras")
        assert vocabulary == generator.vocabulary
        for ours, theirs in zip(layers, layers_of(generator), strict=True):
            assert {**vars(ours), "arrays": ours.shapes} == {**vars(theirs), "arrays": theirs.shapes}
            for one, other in zip(ours.arrays.values(), theirs.arrays.values(), strict=True):
                np.testing.assert_array_equal(one, other)


@keras.saving.register_keras_serializable(package="mine")
class Halved(keras.layers.Layer):
    """A layer that can be stepped, and that nobody else knows."""

    def call(self, x):
        return x / 2

    def first_state(self, rows):
        return []

    def read(self, x, state, mask=None):
        return x / 2, state

    def step(self, x, state):
        return x / 2, state


def test_a_layer_of_ones_own_is_refused_by_name():
    size = len(support.CHARACTERS)
    ids, cell = keras.Input((None,), dtype="int32"), tfgen.layers.LSTM(3, one_hot=size, return_sequences=True)
    network = keras.Sequential([ids, cell, Halved(name="half"), keras.layers.Dense(size, activation="softmax")])
    with pytest.raises(InputError, match=r"the layer 'half' \(Halved\) has no portable description"):
        layers_of(tfgen.TextGenerator(support.CHARACTERS, network))
    with pytest.raises(InputError, match="can be described"):
        layers_of("a network")
