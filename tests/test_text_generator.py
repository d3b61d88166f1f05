"""Text in, text out: what `TextGenerator` promises to whoever writes and trains with it."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgen import datasets, networks, sampling
from tfgen.errors import InputError
from tfgen.fitting.model import TrainingModel
from tfgen.text_generator import TextGenerator
from tfgen.vocabulary.vocabulary import END, PADDING, UNKNOWN, Vocabulary

TEXT = SimpleNamespace(documents=["abcdefgh"], ends=False)
VOCABULARY = Vocabulary.from_corpus(TEXT)
TITLES = SimpleNamespace(documents=["abc", "hgf", "a"], ends=True)
PROMPTS = ["", "a", "hgfedcba" * 4, "cab"]


@pytest.fixture(scope="module")
def generator() -> TextGenerator:
    """Untrained, but far from uniform."""
    generator = TextGenerator.build(VOCABULARY, units=6, layers=2, seed=2)
    generator.set_weights([2 * weight for weight in generator.get_weights()])
    return generator


@pytest.fixture(scope="module")
def titles() -> TextGenerator:
    """One whose texts end by themselves, soon."""
    generator = TextGenerator.build(Vocabulary.from_corpus(TITLES), units=4, seed=1)
    lean_to(generator, END, 1.0)
    return generator


def lean_to(generator: TextGenerator, token: int, by: float) -> None:
    """Make a token likelier, whatever came before."""
    bias = generator.network.layers[-1].bias
    bias.assign(bias.numpy() + by * np.eye(bias.shape[0])[token])


# The shape of what comes back


def test_a_prompt_gives_a_text_and_a_list_of_prompts_a_list(generator: TextGenerator) -> None:
    text = generator.generate("abc", length=5)
    assert isinstance(text, str)
    assert text.startswith("abc")
    texts = generator.generate(["abc", "h"], length=5)
    assert isinstance(texts, list)
    assert [text[:-5] for text in texts] == ["abc", "h"]
    assert generator.generate(("abc",), length=5)[0][:3] == "abc"
    assert generator.generate([], length=5) == []


def test_n_gives_a_list_in_the_place_of_each_text(generator: TextGenerator) -> None:
    texts = generator.generate("ab", n=4, length=30, seed=1)
    assert [text[:2] for text in texts] == ["ab"] * 4
    assert len(set(texts)) == 4, "each is drawn apart"
    assert len(generator.generate("ab", n=1, length=2)) == 1
    nested = generator.generate(["ab", "c"], n=3, length=2)
    assert [[text[:-2] for text in group] for group in nested] == [["ab"] * 3, ["c"] * 3]


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("length", [1, 2, 37])
def test_length_counts_the_new_tokens(generator: TextGenerator, prompt: str, length: int) -> None:
    written = generator.generate(prompt, length=length, seed=1)
    assert written.startswith(prompt)
    assert len(written) == len(prompt) + length


def test_without_echo_the_prompt_is_left_out(generator: TextGenerator) -> None:
    kwargs: dict[str, Any] = {"length": 9, "seed": 1}
    with_echo, without = (generator.generate(PROMPTS, echo=echo, **kwargs) for echo in (True, False))
    assert with_echo == [prompt + text for prompt, text in zip(PROMPTS, without, strict=True)]


# Which text it is


def test_greedy_text_takes_the_likeliest_token_each_time(generator: TextGenerator) -> None:
    ids = [END, *VOCABULARY.encode("cab")]
    for _ in range(8):
        probabilities = generator.network(np.array([ids], np.int32))[0, -1].numpy()
        probabilities[[PADDING, UNKNOWN, END]] = 0
        ids.append(int(probabilities.argmax()))
    by_hand = VOCABULARY.decode(ids)
    assert [generator.generate("cab", length=8, temperature=0, seed=seed) for seed in (None, 1, 2)] == [by_hand] * 3


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"temperature": 0}, {"temperature": 1.3}, {"top_k": 3, "top_p": 0.9}])
def test_prompts_of_any_lengths_in_one_batch_write_what_each_writes_alone(
    generator: TextGenerator, settings: dict[str, Any]
) -> None:
    seeds = [5, 3, 5, -2]
    together = generator.generate(PROMPTS, length=40, seed=seeds, **settings)
    alone = [
        generator.generate(prompt, length=40, seed=seed, **settings)
        for prompt, seed in zip(PROMPTS, seeds, strict=True)
    ]
    assert together == alone


@pytest.mark.parametrize("length", [1, 2, 3, 50, 130])
def test_a_stream_is_the_text_of_generate_in_pieces(generator: TextGenerator, length: int) -> None:
    pieces = list(generator.stream("cab", length=length, seed=7, temperature=0.8))
    assert all(pieces)
    assert len(pieces[0]) == 1, "the first character is shown at once"
    whole = generator.generate("cab", length=length, seed=7, temperature=0.8, echo=False)
    assert "".join(pieces) == whole
    assert len(whole) == length


def test_a_longer_text_goes_on_from_the_shorter_one(generator: TextGenerator) -> None:
    texts = [generator.generate("a", length=length, seed=4) for length in (10, 40, 1030)]  # the last in two pieces
    assert texts[1].startswith(texts[0])
    assert texts[2].startswith(texts[1])
    assert len(texts[2]) == 1031


def test_a_seed_gives_its_text_again_and_another_seed_another(generator: TextGenerator) -> None:
    texts = {seed: generator.generate("a", length=40, seed=seed) for seed in (0, 1, -1, 2**62)}
    assert len(set(texts.values())) == len(texts)
    assert all(generator.generate("a", length=40, seed=seed) == text for seed, text in texts.items())
    assert generator.generate(["a"] * 3, length=40, seed=9) == generator.generate("a", n=3, length=40, seed=9)


def test_without_a_seed_each_text_is_another(generator: TextGenerator) -> None:
    assert len({generator.generate("a", length=60) for _ in range(3)}) == 3


def test_plain_settings_are_the_default_chain(generator: TextGenerator) -> None:
    chain = [sampling.Temperature(0.7), sampling.TopK(4)]
    plain = generator.generate("a", length=40, seed=1, temperature=0.7, top_k=4)
    assert generator.generate("a", length=40, seed=1, sampler=chain) == plain
    assert "".join(generator.stream("a", length=40, seed=1, sampler=chain)) == plain[1:]


def test_an_empty_chain_draws_from_the_network_itself(generator: TextGenerator) -> None:
    assert generator.generate("a", length=40, seed=1, sampler=[]) == generator.generate("a", length=40, seed=1)


# Which tokens a text may hold


@pytest.mark.parametrize("temperature", [1, 5, 1e9, float("inf")])
def test_a_text_never_holds_padding_unknown_or_an_end_that_the_corpus_has_not(
    generator: TextGenerator, temperature: float
) -> None:
    texts = generator.generate(PROMPTS, length=300, seed=1, temperature=temperature)
    for prompt, text in zip(PROMPTS, texts, strict=True):
        assert set(text) <= set("abcdefgh")
        assert len(text) == len(prompt) + 300, "and so never ends early"
    if temperature > 4:
        assert set(texts[0]) == set("abcdefgh")


@pytest.mark.parametrize("token", [PADDING, UNKNOWN, END])
def test_a_reserved_token_is_not_drawn_even_if_it_is_the_likeliest(token: int) -> None:
    eager_for_it = TextGenerator.build(VOCABULARY, units=3, seed=1)
    lean_to(eager_for_it, token, 50.0)
    for temperature in (0, 1):
        text = eager_for_it.generate("", length=50, seed=1, temperature=temperature)
        assert len(text) == 50
        assert set(text) <= set("abcdefgh")


def test_a_text_that_ends_stops_there(titles: TextGenerator) -> None:
    texts = titles.generate(["a"] * 20, length=200, seed=1)
    assert len({len(text) for text in texts}) > 3
    assert max(map(len, texts)) < 201
    assert set("".join(texts)) <= set("abcfgh"), "the end itself reads as nothing"


def test_a_stream_ends_with_its_text(titles: TextGenerator) -> None:
    for seed in range(5):
        whole = titles.generate("a", length=200, seed=seed, echo=False)
        assert "".join(titles.stream("a", length=200, seed=seed)) == whole


def test_a_text_that_ends_at_once_is_its_prompt() -> None:
    done = TextGenerator.build(Vocabulary.from_corpus(TITLES), units=3, seed=1)
    lean_to(done, END, 50.0)
    assert done.generate(["ab", ""], length=50, seed=1) == ["ab", ""]
    assert list(done.stream("ab", length=50, seed=1)) == []


def test_unknown_characters_of_a_prompt_are_named_skipped_or_read_as_unknown(generator: TextGenerator) -> None:
    with pytest.raises(InputError, match=r"'é' \(U\+00E9\) at 1, 3.*unknown='skip'"):
        generator.generate("aébé", length=5)
    with pytest.raises(InputError, match="'é'"):
        generator.stream("aébé", length=5)
    kwargs: dict[str, Any] = {"length": 30, "temperature": 0, "echo": False}
    assert generator.generate("aébé", unknown="skip", **kwargs) == generator.generate("ab", **kwargs)
    assert generator.generate("aébé", unknown="skip", length=3, temperature=0).startswith("aébé")
    marked = generator.generate("aébé", unknown="unknown", length=30, seed=1)
    assert marked.startswith("aébé")
    assert set(marked[4:]) <= set("abcdefgh")


# What is refused


@pytest.mark.parametrize(
    ("prompt", "settings", "message"),
    [
        *[("a", {"length": length}, "length must be a whole number") for length in (0, -1, 1.5, True, "9", None)],
        *[("a", {"n": n}, "n must be a whole number") for n in (0, -1, 1.5)],
        *[("a", {"temperature": t}, "temperature must be a number") for t in (-1, float("nan"), "hot")],
        ("a", {"top_k": -1}, "top_k must be"),
        ("a", {"top_p": 0}, "top_p must be"),
        ("a", {"min_p": 2}, "min_p must be"),
        ("a", {"sampler": [], "temperature": 0.5}, "a sampler or plain settings, not both; received temperature"),
        ("a", {"seed": 0.5}, "a seed must be an integer"),
        ("a", {"seed": [1, 2]}, "one for each of 1 rows; received 2"),
        ("a", {"unknown": "forget"}, "unknown must be one of"),
        *[(prompt, {}, "prompt must be a str") for prompt in (None, 5, b"abc", ["a", None])],
    ],
)
def test_bad_arguments_are_named(generator: TextGenerator, prompt: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        generator.generate(prompt, **settings)


@pytest.mark.parametrize("settings", [{"length": 0}, {"temperature": -1}, {"seed": "x"}, {"prompt": ["a"]}])
def test_a_stream_refuses_before_its_first_piece(generator: TextGenerator, settings: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        generator.stream(**settings)


def test_an_option_that_does_not_exist_is_an_error(generator: TextGenerator) -> None:
    with pytest.raises(TypeError, match="temprature"):
        generator.generate("a", temprature=1)


def test_vocabulary_and_network_must_agree() -> None:
    network = networks.build(9, units=3)
    with pytest.raises(InputError, match="the vocabulary has 11 tokens, but the model predicts 9"):
        TextGenerator(VOCABULARY, network)


@pytest.mark.parametrize("restart", [-0.1, 1.1, float("nan"), True])
def test_restart_is_a_probability(restart: float) -> None:
    with pytest.raises(InputError, match="restart must be a number of at least 0"):
        TextGenerator.build(VOCABULARY, units=3, restart=restart)


# Networks and texts of other kinds


@pytest.mark.slow
def test_a_network_of_layers_of_keras_writes_scores_and_trains(tmp_path: Path) -> None:
    network = keras.Sequential(
        [
            keras.Input((None,)),
            keras.layers.Embedding(len(VOCABULARY), 4),
            keras.layers.LSTM(5, return_sequences=True),
            keras.layers.Dense(len(VOCABULARY), activation="softmax"),
        ]
    )
    generator = TextGenerator(VOCABULARY, network)
    assert generator.network is network
    generator.compile("sgd", "sparse_categorical_crossentropy")
    generator.train_on_batch(np.full((2, 3), 4), np.full((2, 3), 5))
    text = generator.generate("ab", length=20, seed=1)
    assert text.startswith("ab")
    assert len(text) == 22
    assert generator.score(text).nats > 0
    generator.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").generate("ab", length=20, seed=1) == text


SCRIPTS = {
    "Chinese": "天地玄黄，宇宙洪荒。\n日月盈昃，辰宿列张。",
    "Arabic": "بِسْمِ اللَّهِ الرَّحْمَنِ الرَّحِيمِ",
    "Devanagari": "सत्यमेव जयते नानृतं\u200dक्ष",
    "emoji": "👩🏽\u200d🚀🇫🇷❤\ufe0f e\u0301 🎉\u2028\x85",
}


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_survives_training_saving_and_writing(script: str, tmp_path: Path) -> None:
    corpus = SimpleNamespace(documents=[SCRIPTS[script]], ends=False)
    vocabulary = Vocabulary.from_corpus(corpus)
    generator = TextGenerator.build(vocabulary, units=4, batch_size=2, seed=1)
    generator.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    training, _ = datasets.streams(corpus, vocabulary, batch_size=2, length=4, validation=0)
    generator.fit(training.take(1), verbose=0)
    generator.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.vocabulary == vocabulary
    prompt = SCRIPTS[script][:7]
    np.testing.assert_equal(loaded.get_weights(), generator.get_weights())
    text = loaded.generate(prompt, length=400, seed=1, temperature=2)
    assert text.startswith(prompt)
    assert len(text) == len(prompt) + 400
    assert set(text) == set(SCRIPTS[script]), "all its own characters, and no other"


@pytest.mark.slow
def test_words_are_read_and_written_whole(tmp_path: Path) -> None:
    corpus = SimpleNamespace(documents=[" to be, or not to be, that is the question"], ends=True)
    words = Vocabulary.from_corpus(corpus, split="word")
    generator = TextGenerator.build(words, units=4, embedding=5, cell="gru", seed=1)
    generator.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    generator.fit(datasets.documents(corpus, words, batch_size=1, validation=0)[0], verbose=0)
    lean_to(generator, END, -50.0)
    generator.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    text = loaded.generate(" to be", length=30, seed=1, echo=False)
    np.testing.assert_equal(loaded.get_weights(), generator.get_weights())
    assert "".join(loaded.stream(" to be", length=30, seed=1)) == text
    written = re.findall(r",| \w+", text)
    assert "".join(written) == text
    assert len(written) == 30, "length counts words"
    assert set(written) <= set(words.tokens[3:])


# The loss

TARGETS = np.array([[3, 4, 5, 6], [7, 8, PADDING, PADDING], [9, PADDING, PADDING, PADDING]], np.int32)
INPUTS = np.array([[2, 3, 4, 5], [2, 7, PADDING, PADDING], [2, PADDING, PADDING, PADDING]], np.int32)


def costs_by_hand(generator: TextGenerator) -> np.ndarray:
    """-ln p of each target (B, T)."""
    probabilities = generator.network(INPUTS).numpy().astype(np.float64)
    return -np.log(np.take_along_axis(probabilities, TARGETS[..., np.newaxis], axis=-1)[..., 0])


def loss_of(generator: TextGenerator, inputs: np.ndarray, targets: np.ndarray, weights: Any = None) -> tf.Tensor:
    x, y = tf.constant(inputs), tf.constant(targets)
    weights = None if weights is None else tf.constant(weights)
    return generator.compute_loss(x, y, generator(x, training=True), weights)


@pytest.fixture(scope="module")
def learner(generator: TextGenerator) -> TextGenerator:
    twin = generator.with_batch_size(None)
    twin.compile("sgd", "sparse_categorical_crossentropy")
    return twin


def test_the_loss_is_the_mean_over_real_targets(learner: TextGenerator) -> None:
    by_hand = costs_by_hand(learner)[TARGETS != PADDING].mean()
    assert float(loss_of(learner, INPUTS, TARGETS)) == pytest.approx(by_hand, rel=1e-5)


def test_a_batch_of_padding_alone_costs_nothing(learner: TextGenerator) -> None:
    assert float(loss_of(learner, np.zeros_like(INPUTS), np.zeros_like(TARGETS))) == 0


@pytest.mark.parametrize("shape", [(3,), (3, 4)])
def test_sample_weights_of_rows_or_targets_weigh_the_loss(learner: TextGenerator, shape: tuple[int, ...]) -> None:
    weights = np.random.default_rng(0).uniform(0, 2, shape).astype(np.float32)
    of_targets = np.broadcast_to(weights[:, np.newaxis] if len(shape) == 1 else weights, TARGETS.shape)
    real = TARGETS != PADDING
    by_hand = (costs_by_hand(learner) * of_targets)[real].sum() / real.sum()
    assert float(loss_of(learner, INPUTS, TARGETS, weights)) == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("padding", [[(0, 0), (0, 3)], [(0, 2), (0, 0)], [(0, 1), (0, 5)]])
def test_padding_adds_nothing_to_the_gradients(learner: TextGenerator, padding: list[tuple[int, int]]) -> None:
    def gradients(inputs: np.ndarray, targets: np.ndarray) -> list[np.ndarray]:
        with tf.GradientTape() as tape:
            loss = loss_of(learner, inputs, targets)
        return [gradient.numpy() for gradient in tape.gradient(loss, learner.trainable_weights)]

    plain = gradients(INPUTS, TARGETS)
    assert all(np.abs(gradient).max() > 1e-4 for gradient in plain)
    for one, other in zip(plain, gradients(np.pad(INPUTS, padding), np.pad(TARGETS, padding)), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-7)


@pytest.mark.slow
def test_weighted_metrics_leave_padding_out(generator: TextGenerator) -> None:
    learner = generator.with_batch_size(None)
    learner.compile("sgd", "sparse_categorical_crossentropy", weighted_metrics=["sparse_categorical_crossentropy"])
    measured = learner.evaluate(INPUTS, TARGETS, verbose=0, return_dict=True)
    by_hand = costs_by_hand(learner)[TARGETS != PADDING].mean()
    assert measured["sparse_categorical_crossentropy"] == pytest.approx(by_hand, rel=1e-5)
    assert measured["loss"] == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize(
    "callbacks",
    [
        None,
        lambda _: keras.callbacks.TerminateOnNaN(),
        lambda _: [keras.callbacks.TerminateOnNaN()],
        lambda model: keras.callbacks.CallbackList(None, add_history=True, model=model),
    ],
    ids=["none", "one", "list", "CallbackList"],
)
def test_fit_takes_callbacks_as_keras_does(learner: TextGenerator, callbacks: Callable[[Any], Any] | None) -> None:
    history = learner.fit(INPUTS, TARGETS, verbose=0, callbacks=callbacks and callbacks(learner))
    assert len(history.history["loss"]) == 1


# What a network must not do


def test_weights_that_are_no_numbers_are_an_error_and_no_text():
    broken = TextGenerator.build(Vocabulary.from_texts(["abc"]), units=3)
    broken.set_weights([weight * np.nan for weight in broken.get_weights()])
    with pytest.raises(InputError, match="diverged"):
        broken.generate("a")


def test_quantizing_is_refused():
    with pytest.raises(InputError, match="quantized"):
        TextGenerator.build(Vocabulary.from_texts(["abc"]), units=3).quantize("int8")


@pytest.mark.slow
def test_a_seed_for_everything_makes_a_text_without_a_seed_repeatable():
    written = []
    generator = TextGenerator.build(Vocabulary.from_texts(["abcdefgh"]), units=3, seed=1)
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        written.append(generator.generate("", length=40))
    assert written[0] == written[1] != written[2]


@pytest.mark.slow
def test_fit_takes_its_arguments_by_place_as_keras_does():
    generator = TextGenerator.build(Vocabulary.from_texts(["abc"]), units=3)
    generator.compile("sgd", "sparse_categorical_crossentropy")
    ids = np.array([[3, 4, 5], [4, 5, 3]])
    seen = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    generator.fit(ids, ids, None, 2, 0, [watch])
    assert seen == [0, 1]


@pytest.mark.parametrize("trains", ["fit", pytest.param("train_on_batch", marks=pytest.mark.slow)])
def test_a_step_is_traced_once(monkeypatch, trains):
    traced = []
    step = TrainingModel.train_step
    monkeypatch.setattr(TrainingModel, "train_step", lambda self, data: traced.append(data) or step(self, data))
    generator = TextGenerator.build(Vocabulary(["a"]), cell="rnn", units=2)
    generator.compile("adam", "sparse_categorical_crossentropy")
    ids = np.full((2, 3), 3)
    getattr(generator, trains)(ids, ids)
    assert len(traced) == 1


@pytest.mark.slow
def test_single_batches_leave_the_carried_state_alone():
    generator = TextGenerator.build(Vocabulary.from_texts(["abc"]), units=3, batch_size=2, seed=1)
    generator.compile("sgd", "sparse_categorical_crossentropy")
    ids = np.array([[3, 4, 5], [4, 5, 3]])
    generator.train_on_batch(ids, ids)
    before = [state.numpy() for state in networks.training_state(generator.network)]
    assert any(state.any() for state in before)
    generator.test_on_batch(ids, ids)
    generator.predict_on_batch(ids)
    for state, kept in zip(networks.training_state(generator.network), before, strict=True):
        np.testing.assert_array_equal(state.numpy(), kept)
