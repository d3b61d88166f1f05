"""The examples run, on tiny settings and without a network, and keep what their stories promise."""

import dataclasses
import functools
import importlib.util
import itertools
import math
import pathlib
import random
import re
import socket
import tempfile

import keras
import pytest

import tfgen
from tfgen.corpora import downloads, sources
from tfgen.corpora.corpus import Document

FOLDER = pathlib.Path(__file__).parents[1] / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
# What they read comes with a package, and no text of one's own could take its place.
PACKAGES = {"countries": ["babel", "sklearn"], "dates": ["babel"], "digits": ["sklearn"], "glyphs": ["matplotlib"]}
READERS = [name for name in NAMES if name not in PACKAGES]


def load_example(name: str):
    for package in PACKAGES.get(name, []):
        pytest.importorskip(package, reason=f"{package} is not installed: pip install '.[examples]'")
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path, capsys):
    """Run an example for one epoch of few units; give what it printed and the model that it saved."""

    def run_example(name: str, *argv: str) -> tuple[str, tfgen.TextGenerator]:
        output = tmp_path / f"{name}.keras"
        load_example(name).main(["--epochs", "1", "--units", "4", "--output", str(output), *argv])
        return capsys.readouterr().out, keras.saving.load_model(output)

    return run_example


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Refuse every connection, and cut down what ships with Python."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names = [*itertools.islice(sources.BY_NAME["unicode-names"].read(), 0, 20_000, 100)]
    docs = next(sources.BY_NAME["python-docs"].read())
    small = {"unicode-names": names, "python-docs": [Document(docs.text[:20_000], docs.place)]}
    smaller = {
        n: dataclasses.replace(sources.BY_NAME[n], read=functools.partial(iter, few)) for n, few in small.items()
    }
    monkeypatch.setattr(sources, "BY_NAME", {**sources.BY_NAME, **smaller})
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        nowhere = {name: dataclasses.replace(each, url=url + name) for name, each in downloads.DOWNLOADS.items()}
        monkeypatch.setattr(downloads, "DOWNLOADS", nowhere)
        yield


def numbered(text: str, count: int) -> str:
    return "".join(f"{text} {number}.\n" for number in range(count))


@pytest.mark.slow
def test_titles_of_a_csv_at_five_temperatures_after_the_epoch(run, tmp_path):
    table = tmp_path / "news.csv"
    rows = [f'{number % 4 + 1},"Today J amp;J rose by {number}","text"\n' for number in range(60)]
    table.write_text("class,title,description\n" + "".join(rows))
    output, generator = run("titles", "--corpus", str(table), "--column", "title")
    prompts = ("Today ", "On Sunday ", "Moscow, ", "President ", "Little red riding hood ")
    for temperature in (0.3, 0.8, 1.0, 1.3, 1.8):
        samples = output.split(f"--- epoch 1, temperature {temperature:g} ---\n")[1].splitlines()
        assert all(text.startswith(prompt) for text, prompt in zip(samples, prompts, strict=False))
    assert len(re.findall("^  ", output.split("Titles from nothing")[1], re.M)) == 10
    assert generator.vocabulary.ends
    assert "&" in generator.vocabulary.tokens
    assert ";" not in generator.vocabulary.tokens  # the entity was resolved
    assert generator.generate("Today ", length=5, seed=1).startswith("Today ")


@pytest.mark.slow
def test_titles_without_a_network_are_names_of_characters(run, offline):
    output, generator = run("titles")
    assert output.startswith("No news: 'ag-news' could not be downloaded")
    assert "Going on with 'unicode-names'" in output
    assert "temperature 1.8 ---\nLATIN SMALL LETTER " in output
    assert "Moscow" not in output
    assert generator.generate("SIGN OF ", length=5, seed=1).startswith("SIGN OF ")


def test_titles_of_a_text_are_its_lines(tmp_path):
    lines = tmp_path / "titles.txt"
    lines.write_text("Rain\nSun\n")
    titles = load_example("titles")
    corpus, prompts = titles.load(titles.argparse.Namespace(corpus=str(lines), column=None))
    assert (corpus.documents, corpus.ends, prompts) == (("Rain", "Sun"), True, titles.NEWS)


@pytest.mark.slow
def test_windows_at_five_temperatures(run, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(numbered("The rain in Spain stays mainly in the plain", 150))
    output, generator = run("windows", "--corpus", str(text))
    assert "reads    " in output
    assert re.search(r"--- batch \d+, temperature 0.8 ---\nThe ", output)
    for temperature in (0.3, 0.8, 1.0, 1.3, 1.8):
        assert f"--- temperature {temperature} ---\nThe " in output
    assert not any(layer.stateful for layer in tfgen.networks.recurrent_layers(generator.network))
    assert len(generator.generate("The ", length=5, seed=1)) == 9


@pytest.mark.slow
def test_the_tensorflow_tutorial_on_layers_of_keras(run, offline):
    output, generator = run("tensorflow_tutorial")
    assert output.startswith("No Shakespeare: ")
    assert [type(layer) for layer in generator.network.layers] == [
        keras.layers.Embedding,
        keras.layers.GRU,
        keras.layers.Dense,
    ]
    before = float(re.search(r"Before training the mean loss is ([\d.]+) nats", output)[1])
    assert before == pytest.approx(math.log(len(generator.vocabulary)), abs=0.1)
    assert "--- epoch 1, temperature 0.8 ---\nROMEO:" in output
    assert "1 x 1000 characters" in output
    assert "5 x 1000 characters" in output
    assert "Saved and read again: ROMEO:" in output
    assert len(generator.generate("The ", length=5, seed=1)) == 9


@pytest.mark.slow
def test_the_keras_example_on_streams(run, offline):
    output, generator = run("keras_nietzsche")
    assert output.startswith("No Nietzsche: ")
    text = tfgen.load_corpus("python-docs").documents[0]
    for temperature in (0.2, 0.5, 1.0, 1.2):
        sample = output.split(f"--- epoch 1, temperature {temperature:g} ---\n")[1]
        assert sample[:40] in text[int(0.9 * len(text)) :]  # the prompt is of the part that is held out
    assert "As it is written:" in output
    assert [layer.stateful for layer in tfgen.networks.recurrent_layers(generator.network)] == [True]
    assert generator.network.input_shape[0] == 32
    assert len(generator.generate("The ", length=5, seed=1)) == 9


@pytest.mark.slow
def test_a_book_in_words(run, offline):
    output, generator = run("book_words")
    assert output.startswith("No Alice: ")
    assert "The vocabulary covers " in output
    assert "--- epoch 1, temperature 0.8 ---\nThe" in output
    for temperature in (0.3, 0.7, 1.0):
        assert f"--- temperature {temperature} ---\nThe" in output
    assert generator.vocabulary.split == "word"
    assert generator.generate("The", length=5, seed=1).startswith("The")


def test_a_book_from_project_gutenberg(tmp_path):
    book = tmp_path / "book.txt"
    marks = "*** {} OF THE PROJECT GUTENBERG EBOOK ***\n"
    book.write_text("Title\n" + marks.format("START") + "Once.\n" + marks.format("END") + "Licence\n")
    words = load_example("book_words")
    args = words.argparse.Namespace(corpus=str(book), strip_gutenberg=True)
    assert words.load(args)[0].documents == ("Once.\n",)


@pytest.mark.slow
def test_dates_with_attention_and_without(run):
    output, generator = run("dates", "--examples", "640", "--units", "8", "--compare")
    shares = r"with attention +([\d.]+)%\n  without +([\d.]+)%\n  Babel's own parse_date +([\d.]+)%"
    assert all(0 <= float(share) <= 100 for share in re.search(shares, output).groups())
    assert [f"  {language}, never seen" in output for language in ("Slovak", "Ukrainian")] == [True, True]
    assert re.search("^5 mai 1952 -> ", output, re.M)
    assert len(generator.generate(source=["5 mai 1952", "13.03.2026"], length=10, temperature=0)) == 2


@pytest.mark.slow
def test_countries_beside_naive_bayes(run):
    output, generator = run("countries", "--examples", "640")
    assert re.search(r"the network +[\d.]+%\n  naive Bayes +[\d.]+%", output)
    assert re.search("^Perù, Malta e Ciad -> ", output, re.M)
    assert generator.vocabulary.split == "word"
    assert generator.generate(source="Perù, Malta e Ciad", length=1, temperature=0, unknown="unknown")


@pytest.mark.slow
def test_digits_beside_a_logistic_regression(run):
    output, generator = run("digits")
    assert re.search(r"Right, of 360 digits.*\n  the network +[\d.]+%\n  logistic regression +9[\d.]+%", output)
    assert "Saved and read again: the first digit is a " in output
    assert sorted(generator.vocabulary.tokens[3:]) == [*"0123456789"]


@pytest.mark.slow
def test_glyphs_of_an_unseen_face_and_unseen_letters(run, monkeypatch):
    letters = pytest.importorskip("figure.letters", exc_type=ImportError)
    monkeypatch.setattr(letters, "FACES", ["SansMono", "Serif-Italic"])
    output, generator = run("glyphs")
    for title in ("Letters of a face never seen", "Letters never seen, in faces seen"):
        table = output.split(title)[1]
        for row in ("the network, its likeliest name", "the network, most words shared", "nearest training picture"):
            assert re.search(rf"  {row} +[\d.]+% +[\d.]+%\n", table)
        assert re.search(r"at best, as many look alike +\d", table)
    assert "is read as " in output
    assert len(generator.generate(source=letters.drawn("Sans").pictures[:3], length=15, temperature=0)) == 3


def test_of_names_that_differ_in_a_word_each_the_one_in_the_middle_is_read():
    most_shared = load_example("glyphs").most_shared
    assert most_shared(["A B D", "A E C", "A B C", "F B C"]) == "A B C"
    assert most_shared([""] * 3) == ""


@pytest.mark.slow
def test_three_generations_side_by_side(run, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(numbered("The cat sat on the mat, and the dog on the log", 60))
    output, generator = run("three_generations", "--corpus", str(text), "--speeches", "60")
    files = ["counts", "lstm", "transformer"]
    assert all((tmp_path / f"three_generations-{name}.keras").exists() for name in files)
    table, made = output.split("Made to be remembered")
    assert len(re.findall(r"three_generations[a-z-]*\.keras +\d\.\d{3} +\d\.\d{3} ", table)) == 4
    assert "--- " in table
    assert generator.provenance["shares"] == [0.6, 0.4]
    shares = {line[:12].strip(): re.findall(r"(\d+)%", line) for line in made.splitlines() if line.endswith("%")}
    assert [*shares] == [*files, "a guess"]
    assert all(len(each) == 2 for each in shares.values())


def test_whoever_sees_six_characters_of_a_speech_can_only_guess():
    example = load_example("three_generations")
    rng = random.Random(0)
    habits, closing = {}, {}
    for _ in range(2000):
        speaker, bracket, text = example.speech(rng, 17)
        assert (text.startswith(f"{speaker}: {bracket[0]}"), text[-1]) == (True, bracket[1])
        assert not any(habit in text for name, habit in example.HABITS.items() if name != speaker)
        closing.setdefault(text[-7:-1], set()).add(bracket)
        for found in re.finditer(example.HABITS[speaker], text):
            habits.setdefault(text[found.start() - 6 : found.start()], set()).add(speaker)
    assert all(seen == {*example.HABITS} for seen in habits.values())
    assert all(seen == {*example.BRACKETS} for seen in closing.values())


@pytest.mark.parametrize("name", READERS)
def test_a_missing_file_is_an_error_and_nothing_else_is_learned(name, tmp_path):
    missing = str(tmp_path / "missing.txt")
    with pytest.raises(tfgen.InputError, match=r"missing\.txt"):
        load_example(name).main(["--corpus", missing, "--output", str(tmp_path / "model.keras")])
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", NAMES)
def test_help_tells_the_settings(name, capsys):
    with pytest.raises(SystemExit) as finished:
        load_example(name).main(["--help"])
    assert finished.value.code == 0
    printed = capsys.readouterr().out
    own = "--corpus" if name in READERS else "--seed"
    assert all(option in printed for option in (own, "--epochs", "--units", "--output"))


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_and_the_index_say_how_to_run_it(name):
    command = f"python examples/{name}.py"
    assert command in load_example(name).__doc__
    index = [line for line in (FOLDER / "README.md").read_text().splitlines() if f"]({name}.py)" in line]
    assert len(index) == 1
    assert command in index[0]
