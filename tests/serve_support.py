"""`tfgen serve` as a process, and requests to it."""

import contextlib
import http.client
import json
import subprocess

from cli_support import ENVIRONMENT, TFGEN

from tfgen import TextGenerator, Vocabulary, networks


def make(folder):
    """Two models: of running text, and from a text."""
    fox = TextGenerator.build(
        Vocabulary.from_texts(["the quick brown fox jumps over the lazy dog.\n"]), cell="rnn", units=8, seed=1
    )
    fox.network.set_weights([3 * weight for weight in fox.network.get_weights()])
    fox.save(folder / "fox.keras")
    words = Vocabulary.from_texts(["abcde"], ends=True)
    encoder = networks.text_encoder(words, cell="rnn", units=4, embedding=3, seed=1)
    turned = TextGenerator.build(words, cell="rnn", units=5, encoder=encoder, attention=True, seed=1)
    turned.save(folder / "turned.keras")
    return {"fox": fox, "turned": turned}


def seen():
    """Writes from a picture, and attends to its rows."""
    import keras

    layers = keras.layers
    draws = keras.initializers.RandomNormal(stddev=1, seed=1)
    encoder = keras.Sequential(
        [keras.Input((24, 24, 1)), layers.Reshape((24, 24)), layers.Dense(8, "tanh", kernel_initializer=draws)]
    )
    letters = Vocabulary.from_texts(["abcde"], ends=True)
    generator = TextGenerator.build(letters, cell="rnn", units=16, encoder=encoder, attention=True, seed=1)
    generator.network.set_weights([3 * weight for weight in generator.network.get_weights()])
    return generator


@contextlib.contextmanager
def serving(folder, *options, models=("fox.keras", "turned.keras")):
    """A server of models in a folder: its process, and the line that it says."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*TFGEN, "serve", *models, "--port", "0", *options],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        line = process.stdout.readline().decode()
        assert line, (folder / "log").read_text()
        yield process, line
    finally:
        process.kill()
        process.wait(60)
        process.stdout.close()


def port_of(address):
    return int(address.rpartition(":")[2])


def post(address, body):
    """A connection that has asked, and not yet read the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(address), timeout=60)
    connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
    return connection


def ask(address, **body):
    connection = post(address, body)
    try:
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
