"""The picture of the lesson's figure is drawn, whatever the networks have learned."""

import importlib.util
import pathlib
import sys

import keras
import pytest

import tfgen

DOCS = pathlib.Path(__file__).parents[1] / "docs"
PICTURES = {"digits": (8, 8, 1), "glyphs": (24, 24, 1)}
MANY = "".join(filter(str.isprintable, map(chr, range(32, 0x250))))


@pytest.fixture(scope="module")
def script():
    for package in ("babel", "matplotlib", "sklearn"):
        pytest.importorskip(package, reason=f"{package} is not installed: pip install '.[examples]'")
    spec = importlib.util.spec_from_file_location("docs_figure", DOCS / "figure.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        spec.loader.exec_module(module)
    return module


def put_models(folder: pathlib.Path) -> None:
    """Save the five models, untrained and tiny."""
    words = tfgen.Vocabulary.from_texts(["LATIN SMALL LETTER", "Swedish"], split="word", ends=True)
    characters = tfgen.Vocabulary.from_texts([MANY], ends=True)
    for name, shape in PICTURES.items():
        encoder = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(8)])
        tfgen.TextGenerator.build(words, units=4, encoder=encoder, seed=1).save(folder / f"{name}.keras")
    for name, attention in (("countries", False), ("dates", True)):
        encoder = tfgen.networks.text_encoder(characters, units=4, embedding=4, seed=1)
        vocabulary = characters if attention else words
        model = tfgen.TextGenerator.build(vocabulary, units=4, encoder=encoder, attention=attention, seed=1)
        model.save(folder / f"{name}.keras")
    tfgen.TextGenerator.build(characters, units=4, seed=1).save(folder / "python-docs.keras")


@pytest.mark.slow
def test_the_figure_is_drawn_from_what_any_models_write(script, tmp_path):
    put_models(tmp_path)
    script.draw(tmp_path, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_the_picture_in_the_documents_is_small():
    assert (DOCS / "figure.png").stat().st_size < 300_000
