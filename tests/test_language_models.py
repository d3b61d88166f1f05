"""The contract of a language model, over every kind that there is, and every verb over each."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from models import (
    MODELS,
    VOCABULARY,
    V,
    context_of,
    model_of,
    one_source,
    repeated,
    row_of,
    source_of,
    source_row,
    writer_of,
)

import tfgen
from tfgen import InputError, networks, sampling
from tfgen.export.sources import specs_of_sources
from tfgen.networks.model import flat, packed, state_of_a_row
from tfgen.vocabulary import END, PADDING
from tfgen.writing import Writer, prefill

every_model = pytest.mark.parametrize("name", MODELS)
# What all verbs do with these is what they do with a plain "rnn" or another encoder, and compiling takes its time.
LIKE_OTHERS = (
    "lstm",
    "gru",
    "layers of Keras",
    "from a text, without attention",
    "from a text, by one's own reader",
    "from a picture",
    "from two inputs",
    "transformer from a text",
    "from a picture, with attention",
    "no recurrence, float64",
    "a layer of one's own",
    "counts of single tokens",
    "attending",
    "windowed",
)
every_writer = pytest.mark.parametrize(
    "name", [pytest.param(each, marks=pytest.mark.slow if each in LIKE_OTHERS else ()) for each in MODELS]
)
# And what needs a graph of its own for each: one kind of them, and in the whole run all.
every_graph = pytest.mark.parametrize(
    "name", [pytest.param(each, marks=() if each == "rnn" else pytest.mark.slow) for each in MODELS]
)
IDS = np.random.default_rng(2).integers(END, V, size=(3, 11)).astype(np.int32)
LENGTHS = np.array([11, 4, 1], np.int32)
PROMPTS = ["abc", "", "edcbabcde"]


def assert_same(one, other, atol=1e-5):
    for this, that in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
        np.testing.assert_allclose(np.asarray(this, np.float64), np.asarray(that, np.float64), rtol=0, atol=atol)


def read(model, ids, lengths=None, context=None, state=None):
    """Logits at every place, and the state after."""
    context = context_of(model, len(ids)) if context is None else context
    state = model.start(context, len(ids)) if state is None else state
    features, state = model.read(tf.constant(ids), lengths, state, context)
    return model.logits(features), state


# The contract


@every_model
def test_it_says_what_it_gives(name):
    model = model_of(name)
    logits, state = read(model, IDS)
    assert (logits.shape, logits.dtype) == ((3, 11, V), model.dtype)
    assert not np.isnan(logits.numpy()).any()
    assert np.isfinite(logits.numpy()).any(axis=-1).all()
    for leaf, one in zip(tf.nest.flatten(state), tf.nest.flatten(state_of_a_row(model)), strict=True):
        assert (leaf.shape[0], leaf.shape[1:], leaf.dtype) == (3, one.shape[1:], one.dtype)


@every_model
def test_parts_equal_the_whole(name):
    model, cut = model_of(name), 4
    first, state = read(model, IDS[:, :cut])
    second, state = read(model, IDS[:, cut:], state=state)
    assert_same((tf.concat([first, second], axis=1), state), read(model, IDS))


@every_model
def test_steps_equal_reading(name):
    model, context = model_of(name), context_of(model_of(name), 3)
    state, stepped = model.start(context, 3), []
    for t in range(IDS.shape[1]):
        logits, state = model.step(tf.constant(IDS[:, t]), state, context)
        stepped.append(logits)
    assert_same((tf.stack(stepped, axis=1), state), read(model, IDS))


@every_model
def test_a_row_is_the_same_alone_and_in_a_batch_and_padding_changes_nothing(name):
    model, context = model_of(name), context_of(model_of(name), 3)
    padded = np.where(np.arange(11) < LENGTHS[:, np.newaxis], IDS, PADDING)
    logits, state = read(model, padded, tf.constant(LENGTHS), context)
    for row, length in enumerate(LENGTHS):
        alone = read(model, IDS[row : row + 1, :length], None, row_of(context, row))
        assert_same((logits[row : row + 1, :length], row_of(state, row)), alone)


@every_model
def test_a_row_of_nothing_keeps_its_state(name):
    model = model_of(name)
    _, state = read(model, IDS)
    _, after = read(model, IDS, tf.constant([0, 11, 0]), state=state)
    for row in (0, 2):
        assert_same(row_of(after, row), row_of(state, row), atol=0)


@every_graph
def test_graph_and_xla_and_a_saved_model_agree(name, tmp_path):
    model, context = model_of(name), context_of(model_of(name), 3)
    _, state = read(model, IDS)
    ids = tf.constant(IDS[:, 3])
    eager = model.step(ids, state, context)
    assert_same(tf.function(model.step)(ids, state, context), eager)
    if model.supports_jit:
        assert_same(tf.function(model.step, jit_compile=True)(ids, state, context), eager)
    module = tf.Module()
    module.network = getattr(model, "network", None)
    module.step = tf.function(lambda ids, state, context: model.step(ids, state, context))
    module.step(ids, state, context)
    tf.saved_model.save(module, tmp_path)
    loaded = tf.saved_model.load(tmp_path)
    assert_same(loaded.step(ids, state, context), eager)


@every_model
def test_a_state_is_taken_apart_and_put_together(name):
    _, state = read(model_of(name), IDS)
    tensors = flat(state)
    assert list(tensors) == [f"network_{i}" for i in range(len(tensors))]
    again = packed(state_of_a_row(model_of(name)), {**tensors, "other": None})
    tf.nest.assert_same_structure(state, again)
    assert all(one is other for one, other in zip(tf.nest.flatten(state), tf.nest.flatten(again), strict=True))


@every_model
def test_a_fingerprint_is_the_models(name):
    prints = {each: model_of(each).fingerprint() for each in MODELS}
    assert len(set(prints.values())) == len(prints)
    assert model_of(name).fingerprint() == prints[name] != model_of(name).fingerprint(b"salt")


@every_writer
def test_prompts_are_read_in_pieces(name, monkeypatch):
    monkeypatch.setattr(prefill, "width_of", lambda rows: tf.constant(3))
    model, context = model_of(name), context_of(model_of(name), 3)
    whole, _ = read(model, IDS, None, context)
    logits, state = prefill.prefill(model, tf.constant(IDS), None, context)
    assert_same((logits, state), (whole[:, -1], read(model, IDS, None, context)[1]))
    logits, state = prefill.prefill(model, tf.constant(IDS), tf.constant(LENGTHS), context)
    last = tf.gather(whole, LENGTHS - 1, axis=1, batch_dims=1)
    assert_same((logits, state), (last, read(model, IDS, tf.constant(LENGTHS), context)[1]))


# The verbs


def log_p_of(model, context, text, possible=slice(None)):
    """The log-probability of each token of a text, by hand: among all tokens, or those that are possible."""
    ids = np.array([[END, *VOCABULARY.encode(text)]], np.int32)
    logits = np.full((ids.shape[1], V), -np.inf)
    logits[:, possible] = read(model, ids, None, context)[0].numpy()[0].astype(np.float64)[:, possible]
    with np.errstate(divide="ignore"):
        log_p = logits - np.log(np.exp(logits - logits.max(axis=-1, keepdims=True)).sum(axis=-1, keepdims=True))
    log_p -= logits.max(axis=-1, keepdims=True)
    return log_p[np.arange(len(text)), ids[0, 1:]]


@every_graph
def test_texts_alone_and_together_and_streamed_and_in_a_session(name):
    writer = writer_of(name)
    source = source_of(writer.model, 3)
    together = writer.generate(PROMPTS, length=25, seed=[1, 2, 3], min_length=25, source=source)
    for row, (prompt, text) in enumerate(zip(PROMPTS, together, strict=True)):
        options = {"seed": row + 1, "source": source_row(source, row)}
        assert writer.generate(prompt, length=25, min_length=25, **options) == text
        assert prompt + "".join(writer.stream(prompt, length=25, min_length=25, **options)) == text
        session = writer.start(prompt, **options)
        session.generate(10, min_length=25)
        session.generate(15, min_length=15)
        assert session.text == text
    assert len(set(together)) == 3


@pytest.mark.slow
@every_writer
def test_several_texts_of_a_prompt_read_it_once_and_differ(name):
    writer = writer_of(name)
    source = source_of(writer.model, 2)
    groups = writer.generate(["ab", "c"], length=20, min_length=20, n=3, seed=5, source=source)
    rows = writer.generate(["ab"] * 3 + ["c"] * 3, length=20, min_length=20, seed=5, source=repeated(source, 3))
    assert [text for group in groups for text in group] == rows
    assert len(set(rows)) > 3


@pytest.mark.slow
@every_writer
def test_a_session_is_saved_and_resumed_and_forked(name, tmp_path):
    writer = writer_of(name)
    session = writer.start("ab", seed=3, source=one_source(writer.model))
    session.generate(5, min_length=5, repetition_penalty=1.3)
    session.save(tmp_path / "session")
    resumed, twin = writer.resume(tmp_path / "session"), session.fork()
    texts = {each.generate(9, min_length=9, repetition_penalty=1.3) for each in (session, resumed, twin)}
    assert len(texts) == 1
    assert session.text == resumed.text == twin.text
    other = "rnn" if name != "rnn" else "lstm"
    with pytest.raises(InputError, match="another model"):
        writer_of(other).resume(tmp_path / "session")


@every_graph
def test_scores_are_log_probabilities(name):
    writer = writer_of(name)
    texts = ["abc", "e" * 40, "d"]
    source = source_of(writer.model, 3)
    for row, (text, score) in enumerate(zip(texts, writer.score(texts, source=source), strict=True)):
        expected = log_p_of(writer.model, row_of(context_of(writer.model, 3), row), text)
        np.testing.assert_allclose(score.log_probabilities, expected, atol=1e-5)


@every_graph
def test_numbers_behind_a_text_are_those_of_its_score(name):
    writer = writer_of(name)
    source = one_source(writer.model)
    written = writer.generate("ab", length=12, seed=3, return_scores=True, source=source)
    ids = np.array([VOCABULARY.tokens.index(token) for token in written.tokens])
    expected = read(writer.model, np.array([[END, *VOCABULARY.encode("ab"), *ids[:-1]]], np.int32))[0]
    logits = np.where(VOCABULARY.writable, expected.numpy()[0, 2:].astype(np.float64), -np.inf)
    log_p = tf.nn.log_softmax(logits).numpy()[np.arange(len(ids)), ids]
    np.testing.assert_allclose(written.log_probabilities, log_p, atol=1e-5)
    for token, some in zip(written.tokens, written.alternatives, strict=True):
        assert token in dict(some) or len(some) == 5


@every_graph
def test_beams_and_patterns_and_xla(name):
    writer = writer_of(name)
    source = one_source(writer.model)
    # Five letters: so many beams forget no beginning of four letters, and the search is exhaustive.
    best, *_ = writer.generate("a", length=4, num_beams=125, n=2, min_length=4, echo=False, source=source)
    greedy = writer.generate("a", length=4, temperature=0, min_length=4, echo=False, source=source)
    # The end is not possible before four letters: a search compares what is left.
    context, letters = context_of(writer.model, 1), slice(END + 1, V)
    score = {text: log_p_of(writer.model, context, "a" + text, letters)[1:].sum() for text in (best, greedy)}
    assert score[best] >= score[greedy] - 1e-6
    match = [sampling.Pattern("[ab]{3}|c{2,5}"), sampling.Temperature(1.0)]
    assert writer.generate("d", length=9, sampler=match, seed=1, echo=False, source=source).strip("abc") == ""
    if writer.model.supports_jit:
        options = {"length": 12, "temperature": 0, "source": source}
        assert writer.generate("a", jit_compile=True, **options) == writer.generate("a", **options)


def exported(writer, place):
    """Its SavedModel, and sources of three rows as the arguments of a signature."""
    from tfgen.export import export

    export(writer, place)
    source = source_of(writer.model, 3)
    specs = tf.nest.flatten(specs_of_sources(writer.model, strings=True))
    values = [source] if isinstance(source, list) else tf.nest.flatten(source)
    given = {spec.name: tf.constant(value, spec.dtype) for spec, value in zip(specs, values, strict=False)}
    return tf.saved_model.load(place).signatures, source, given


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_of_it_writes_the_same(name, tmp_path):
    writer = writer_of(name)
    loaded, source, sources = exported(writer, tmp_path / "export")
    settings = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
    inputs = {key: tf.constant(value) for key, value in {**settings, "length": 15}.items()}
    prompts, seed = tf.constant(PROMPTS), tf.constant(7, tf.int64)
    texts = loaded["generate"](prompts=prompts, seed=seed, **inputs, **sources)["texts"]
    expected = writer.generate(PROMPTS, length=15, seed=7, source=source)
    assert [text.decode() for text in texts.numpy()] == expected
    state = loaded["start"](prompts=prompts, seed=seed, **sources)
    parts = [[], [], []]
    for length in (4, 11):
        after = loaded["continue"](**state, **{**inputs, "length": tf.constant(length)})
        state = {key: value for key, value in after.items() if key != "texts"}
        parts = [[*each, text.decode()] for each, text in zip(parts, after["texts"].numpy(), strict=True)]
    assert [prompt + "".join(each) for prompt, each in zip(PROMPTS, parts, strict=True)] == expected
    texts = ["abc", "de", "eabcde"]
    scored = loaded["score"](texts=tf.constant(texts), **sources)["log_probabilities"].numpy()
    for row, score in zip(scored, writer.score(texts, source=source), strict=True):
        np.testing.assert_allclose(row[: len(score.log_probabilities)], score.log_probabilities, atol=1e-5)
    if sources:
        with pytest.raises(tf.errors.InvalidArgumentError, match="one source for each text; received rows"):
            loaded["score"](texts=tf.constant(["abc"]), **sources)


# What is refused


class Broken(type(model_of("windowed"))):
    """Gives what it was made with after a prompt."""

    def __init__(self, *logits):
        self._logits = np.array([logits], np.float32)

    def step(self, ids, state, context):
        return tf.repeat(tf.constant(self._logits), tf.shape(ids)[0], axis=0), state


@pytest.mark.parametrize("given", [[np.nan] + [0.0] * (V - 1), [-np.inf] * V], ids=["NaN", "nothing"])
def test_what_is_no_distribution_is_refused(given):
    writer = Writer(VOCABULARY, Broken(*given))
    for verb in (writer.generate, writer.score, writer.start, lambda text: writer.generate(text, num_beams=2)):
        with pytest.raises(InputError, match="output is NaN, or rules out every token: its weights are damaged"):
            verb("ab")


def test_minus_infinity_says_never():
    writer = Writer(VOCABULARY, Broken(*[-np.inf] * (V - 1), 0.0))
    assert writer.generate("ab", length=5) == "ab" + 5 * VOCABULARY.tokens[-1]
    assert writer.score("ab").nats == np.inf


@pytest.mark.parametrize(
    ("vocabulary", "model", "named"),
    [
        (None, model_of("counts"), "Vocabulary"),
        ("abc", model_of("counts"), "Vocabulary"),
        (VOCABULARY, 3, "received 3"),
    ],
)
def test_a_writer_of_something_else_is_refused(vocabulary, model, named):
    with pytest.raises(InputError, match=named):
        Writer(vocabulary, model)


def test_only_a_writer_is_exported(tmp_path):
    with pytest.raises(InputError, match=r"must be a tfgen\.writing\.Writer.*received Windowed"):
        tfgen.export.export(model_of("windowed"), tmp_path / "export")


@pytest.mark.parametrize("context", [(), np.zeros((1, 5, 3)), (np.zeros((1, 5, 3)), np.ones((1, 5, 3), bool)), "a"])
def test_a_context_of_another_kind_is_refused(context):
    with pytest.raises(InputError, match=r"the model takes a context of .*; received "):
        writer_of("attending").generate("ab", source=context)
    with pytest.raises(InputError, match="this model writes without a source; received one"):
        writer_of("rnn").generate("ab", source=np.zeros((1, 5)))


def test_contexts_and_prompts_must_be_as_many():
    with pytest.raises(InputError, match="one row for each of 2 texts"):
        writer_of("attending").generate(["a", "b"], source=context_of(model_of("attending"), 3))


def test_xla_is_refused_where_the_model_does():
    model = type("Plain", (type(model_of("windowed")),), {"supports_jit": False})()
    writer = Writer(VOCABULARY, model)
    assert writer.generate("a", length=9000, max_time=0.2)
    with pytest.raises(InputError, match="XLA cannot compile this model; received jit_compile=True"):
        writer.generate("a", jit_compile=True)


def test_a_layer_that_cannot_be_stepped_says_what_can():
    network = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(V, 4),
            keras.layers.Conv1D(4, 3, padding="causal"),
            keras.layers.Dense(V, activation="softmax"),
        ]
    )
    with pytest.raises(InputError, match=r"cannot step through the layer 'conv1d.*of your own with the methods"):
        networks.Recurrent(network)
