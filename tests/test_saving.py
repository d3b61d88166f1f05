"""One `.keras` file holds the whole generator, and plain Keras loads it, once tfgen is imported."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from tfgen import datasets, networks
from tfgen.errors import InputError
from tfgen.metrics import NatsPerCharacter
from tfgen.text_generator import TextGenerator
from tfgen.vocabulary.vocabulary import Vocabulary

CORPUS = SimpleNamespace(documents=["hé llo\n" * 9, "漢\u2028\x85\U0001f680"], ends=True)
VOCABULARY = Vocabulary.from_corpus(CORPUS)
PROVENANCE = {
    "corpus": {"name": "a « name »", "files": ["a", "b"]},
    "epochs": 2,
    "nats": [1.5, None, True],
    "empty": {},
}
WRITING: dict[str, Any] = {"length": 40, "n": 3, "seed": 5, "temperature": 0.9}


def streams() -> Any:
    return datasets.streams(CORPUS, VOCABULARY, batch_size=2, length=6, validation=0)[0]


def learned(generator: TextGenerator) -> list[np.ndarray]:
    return [*generator.get_weights(), *(variable.numpy() for variable in generator.optimizer.variables)]


def load(path: Path) -> TextGenerator:
    return keras.saving.load_model(path, safe_mode=True)


@pytest.fixture(scope="module")
def generator() -> TextGenerator:
    """A stateful one, trained a little; tests leave it as it is."""
    network = networks.build(len(VOCABULARY), units=4, batch_size=2, seed=1)
    generator = TextGenerator(VOCABULARY, network, provenance=PROVENANCE, restart=0.25, name="storyteller")
    optimizer = keras.optimizers.Adam(0.01, global_clipnorm=1.0)
    generator.compile(optimizer, "sparse_categorical_crossentropy", metrics=[NatsPerCharacter()])
    generator.fit(streams(), verbose=0)
    return generator


@pytest.fixture(scope="module")
def path(generator: TextGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    generator.save(path)
    return path


@pytest.fixture(scope="module")
def loaded(path: Path) -> TextGenerator:
    """Tests leave it as it is."""
    return load(path)


def test_what_was_saved_is_loaded(generator: TextGenerator, loaded: TextGenerator) -> None:
    assert type(loaded) is TextGenerator
    assert loaded.vocabulary == generator.vocabulary
    assert loaded.vocabulary.ends
    assert loaded.provenance == PROVENANCE
    assert loaded.restart == 0.25
    assert loaded.name == "storyteller"
    assert type(loaded.network) is keras.Sequential
    assert loaded.network.input_shape == (2, None)
    assert json.dumps(loaded.network.get_config()) == json.dumps(generator.network.get_config())


def test_all_that_was_learned_is_loaded(generator: TextGenerator, loaded: TextGenerator) -> None:
    assert len(learned(generator)) > len(generator.get_weights())
    np.testing.assert_equal(learned(loaded), learned(generator))
    assert loaded.optimizer.iterations.numpy() == len(streams())
    assert loaded.optimizer.get_config() == generator.optimizer.get_config()


def test_how_it_was_compiled_is_loaded(generator: TextGenerator, loaded: TextGenerator) -> None:
    assert loaded.loss == "sparse_categorical_crossentropy"
    measured = loaded.evaluate(streams(), verbose=0, return_dict=True)
    assert set(measured) == {"loss", "nats"}
    assert measured == generator.evaluate(streams(), verbose=0, return_dict=True)


def test_it_writes_and_scores_as_before(generator: TextGenerator, loaded: TextGenerator) -> None:
    assert loaded.generate("hé", **WRITING) == generator.generate("hé", **WRITING)
    text = "llo\n漢"
    np.testing.assert_array_equal(loaded.score(text).log_probabilities, generator.score(text).log_probabilities)


@pytest.mark.slow
def test_training_goes_on_bit_for_bit(generator: TextGenerator, path: Path) -> None:
    gone_on, loaded = generator.with_batch_size(2), load(path)
    for each in (gone_on, loaded):
        each.fit(streams(), epochs=2, verbose=0)
    assert loaded.optimizer.iterations.numpy() == 3 * len(streams())
    np.testing.assert_equal(learned(loaded), learned(gone_on))
    assert not np.array_equal(loaded.get_weights()[0], generator.get_weights()[0])


def test_training_goes_on_at_another_batch_size(loaded: TextGenerator) -> None:
    larger = loaded.with_batch_size(3)
    larger.fit(datasets.streams(CORPUS, VOCABULARY, batch_size=3, length=5, validation=0)[0], verbose=0)
    assert larger.optimizer.iterations.numpy() > loaded.optimizer.iterations.numpy() > 0


@pytest.mark.parametrize("cell", networks.CELLS)
@pytest.mark.parametrize("embedding", [None, 3])
def test_every_network_is_loaded_as_it_was(cell: str, embedding: int | None, tmp_path: Path) -> None:
    generator = TextGenerator.build(VOCABULARY, cell=cell, units=3, layers=2, dropout=0.1, embedding=embedding, seed=1)
    generator.save(tmp_path / "model.keras")
    loaded = load(tmp_path / "model.keras")
    np.testing.assert_equal(loaded.get_weights(), generator.get_weights())
    ids = np.array([[2, 3, 4]], np.int32)
    np.testing.assert_array_equal(loaded(ids).numpy(), generator(ids).numpy())
    assert not loaded.compiled


def test_the_network_can_be_saved_and_loaded_alone(generator: TextGenerator, tmp_path: Path) -> None:
    generator.network.save(tmp_path / "network.keras")
    network = load(tmp_path / "network.keras")
    assert TextGenerator(VOCABULARY, network).generate("hé", **WRITING) == generator.generate("hé", **WRITING)


def test_weights_alone_are_saved_and_loaded(generator: TextGenerator, tmp_path: Path) -> None:
    generator.save_weights(tmp_path / "model.weights.h5")
    fresh = TextGenerator.build(VOCABULARY, units=4, seed=2)
    fresh.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_equal(fresh.get_weights(), generator.get_weights())


# The file


def test_a_file_holds_json_and_numbers_and_no_code(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        assert set(archive.namelist()) == {"config.json", "metadata.json", "model.weights.h5"}
        text = archive.read("config.json").decode()
    config = json.loads(text)
    assert config["registered_name"] == "tfgen>TextGenerator"
    assert config["config"]["vocabulary"] == VOCABULARY.get_config()
    assert config["config"]["provenance"] == PROVENANCE
    assert not [word for word in ("__lambda__", "pickle", "marshal") if word in text]


def test_the_config_survives_json(generator: TextGenerator) -> None:
    config = json.loads(json.dumps(generator.get_config()))
    again = TextGenerator.from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    assert again.vocabulary == generator.vocabulary
    assert [weight.shape for weight in again.get_weights()] == [weight.shape for weight in generator.get_weights()]


def test_making_a_generator_from_a_config_leaves_the_config_alone(generator: TextGenerator) -> None:
    config = generator.get_config()
    before = json.dumps(config)
    TextGenerator.from_config(config)
    assert json.dumps(config) == before


def test_saving_replaces_the_file_that_was_there(generator: TextGenerator, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_text("something else")
    TextGenerator.build(VOCABULARY, units=3).save(str(path))
    generator.save(path)
    np.testing.assert_equal(load(path).get_weights(), generator.get_weights())
    assert [each.name for each in tmp_path.iterdir()] == ["model.keras"], "nothing else is left"


def test_a_file_is_kept_if_it_may_not_be_replaced(generator: TextGenerator, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_text("precious")
    with pytest.raises(InputError, match=r"model\.keras' exists"):
        generator.save(path, overwrite=False)
    assert path.read_text() == "precious"


def test_a_model_file_has_the_ending_keras(generator: TextGenerator, tmp_path: Path) -> None:
    for name in ("model", "model.h5", "model.txt"):
        with pytest.raises(InputError, match=r"ends in \.keras"):
            generator.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_save_that_fails_leaves_the_old_file_whole(
    generator: TextGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.keras"
    generator.save(path)
    before = path.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("keras.src.saving.saving_lib._save_state", full)
    with pytest.raises(OSError, match="No space left"):
        generator.save(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["model.keras"]


# A fresh process

LOADS = """
import json, sys
{imports}
generator = keras.saving.load_model(sys.argv[1], safe_mode=True)
print(json.dumps([type(generator).__name__, generator.generate("hé", **json.loads(sys.argv[2]))]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports", ["import tfgen, keras", pytest.param("import keras, tfgen", marks=pytest.mark.slow)]
)
def test_a_fresh_process_loads_it_whichever_of_keras_and_tfgen_comes_first(
    generator: TextGenerator, path: Path, imports: str
) -> None:
    command = [sys.executable, "-c", LOADS.format(imports=imports), path, json.dumps(WRITING)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == ["TextGenerator", generator.generate("hé", **WRITING)]
