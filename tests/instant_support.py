"""Models, settings and seeds for which NumPy's engine and TensorFlow's loop must write the same texts."""

import keras
import numpy as np

import tfgen
from tfgen.instant.writer import Writer
from tfgen.networks import layers_of

CHARACTERS = tfgen.Vocabulary.from_texts(["the quick brown fox, jumps over the lazy dog!\n"] * 3)
TITLES = tfgen.Vocabulary.from_texts(["Rain", "Sun and rain", "Wind"], ends=True)
PROMPTS = {CHARACTERS: ("", "the ", "over the lazy dog! the quick"), TITLES: ("", "Rain", "Sun a")}


def stack(chance, size):
    """Layers of Keras' own and of ours, of every kind and option that the engine runs."""
    units = int(chance.integers(3, 24))
    own, plain = tfgen.layers, keras.layers
    ids = keras.Input((None,), dtype="int32")
    options = {"return_sequences": True}
    first = chance.choice(["embedding", "lstm", "gru", "rnn"])
    if first == "embedding":
        layers = [ids, plain.Embedding(size, 7)]
    else:
        kind = {"lstm": own.LSTM, "gru": own.GRU, "rnn": own.SimpleRNN}[first]
        layers = [ids, kind(units, one_hot=size, use_bias=bool(chance.integers(4)), **options)]
    for _ in range(chance.integers(first == "embedding", 3)):
        kind = chance.choice([own.LSTM, own.GRU, own.SimpleRNN, plain.LSTM, plain.GRU, plain.SimpleRNN])
        more = {"reset_after": bool(chance.integers(2))} if kind in (own.GRU, plain.GRU) else {}
        more["activation"] = str(chance.choice(["tanh", "tanh", "sigmoid"]))
        layers.append(kind(int(chance.integers(3, 24)), **options, **more))
    between = [
        lambda: plain.LayerNormalization(center=bool(chance.integers(2)), scale=bool(chance.integers(2))),
        lambda: plain.Dropout(0.3),
        lambda: plain.SpatialDropout1D(0.3),
        lambda: plain.Dense(int(chance.integers(3, 12)), activation=str(chance.choice(["relu", "linear", "tanh"]))),
    ]
    for _ in range(chance.integers(0, 3)):
        layers.append(between[chance.integers(len(between))]())
    return [*layers, plain.Dense(size, activation="softmax", use_bias=bool(chance.integers(4)))]


def generator(seed, dtype="float32"):
    """A generator, whose texts are noise or sure of themselves."""
    chance = np.random.default_rng(seed)
    vocabulary = (CHARACTERS, TITLES)[chance.integers(2)]
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(dtype)
    try:
        network = keras.Sequential(stack(chance, len(vocabulary)))
    finally:
        keras.config.set_dtype_policy("float32")
    for weight in network.weights:
        weight.assign(weight.numpy() + chance.normal(scale=0.1, size=weight.shape))
    # The head alone makes the network sure of itself: a recurrence with large weights is chaotic, and soon makes
    # another text of the last bit of a sum, in two loops of TensorFlow too.
    head = network.layers[-1].kernel
    head.assign(head.numpy() * chance.choice([1, 3, 9]))
    return tfgen.TextGenerator(vocabulary, network)


def request(model, number, vocabulary):
    """A prompt and settings; those of one model have the same names, so that TensorFlow's loop is compiled once."""
    chance = np.random.default_rng([model, number])
    names = np.random.default_rng(model)
    optional = {
        "top_k": int(chance.integers(1, 30)),
        "top_p": float(chance.uniform(0.2, 1)),
        "min_p": float(chance.uniform(0, 0.3)),
        "typical_p": float(chance.uniform(0.2, 1)),
        "repetition_penalty": float(chance.uniform(0.8, 2)),
        "stop": ["the", "a\n", "Ra"],
        "min_length": int(chance.integers(1, 40)),
    }
    given = {name: value for name, value in optional.items() if names.random() < 0.25}
    temperature = float(chance.choice([0.3, 0.7, 1.0, 1.5]))
    prompt = str(chance.choice(PROMPTS[vocabulary]))
    return prompt, {"temperature": temperature, "seed": int(chance.integers(2**62)), **given}


def twin(generator):
    """The engine for a generator."""
    return Writer(generator.vocabulary, layers_of(generator))
