"""A generator exported to LiteRT writes what Python writes, with NumPy and LiteRT alone."""

import json
import subprocess
import sys

import clients_support as clients
import models
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfgen import InputError, TextGenerator, Vocabulary
from tfgen.export import export
from tfgen.export.step_function import converting

CLIENT = "litert_client.py"


def larger():
    return clients.lively(TextGenerator.build(Vocabulary.from_texts([clients.TEXT]), units=96), scale=0.1)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Give a generator and the directory that it is exported to, once a case and format."""
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed: pip install '.[litert]'")
    made = {}

    def export(case, name="litert"):
        if (case, name) not in made:
            generator = larger() if case == "larger" else clients.generator_of(case)
            made[case, name] = generator, tmp_path_factory.mktemp("litert")
            generator.export(made[case, name][1], name)
        return made[case, name]

    return export


@pytest.mark.parametrize("case", clients.CASES)
def test_the_client_is_python(exported, case, tmp_path):
    generator, directory = exported(case)
    prompts = clients.prompts_of(case)
    clients.assert_is_pythons(generator, prompts, clients.ask(CLIENT, directory, prompts, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "float64"])
def test_another_dtype_policy_is_exported_in_float32(exported, tmp_path, policy):
    generator, _ = exported("lstm")
    clients.generator_in(policy).export(tmp_path / "other", "litert")
    clients.assert_is_pythons(generator, ["the"], clients.ask(CLIENT, tmp_path / "other", ["the"], tmp_path))


@pytest.mark.slow
def test_eight_bits_are_a_third_of_the_size_and_nearly_the_same(exported, tmp_path):
    sizes, probabilities = {}, {}
    for name in ("litert", "litert-int8"):
        _, directory = exported("larger", name)
        sizes[name] = (directory / "step.tflite").stat().st_size
        answers = clients.ask(CLIENT, directory, ["", "the", "why. the quick"], tmp_path)
        probabilities[name] = np.array([answer["probabilities"][2] for answer in answers])
    assert sizes["litert-int8"] < sizes["litert"] / 3  # a quarter, and what is no weight
    distance = np.abs(probabilities["litert"] - probabilities["litert-int8"]).sum(axis=1)
    assert 0 < distance.max() < 0.1
    manifest = json.loads((exported("larger", "litert-int8")[1] / "tfgen.json").read_text())
    assert manifest["weights"] == "int8"


def test_the_manifest_says_what_is_there(exported):
    _, directory = exported("gru, texts that end")
    manifest = json.loads((directory / "tfgen.json").read_text())
    assert sorted(path.name for path in directory.iterdir()) == ["step.tflite", "tfgen.json"]
    assert (manifest["format"], manifest["runtime"], manifest["weights"]) == ("litert", "litert", "float32")
    assert manifest["inputs"] == [
        {"name": "ids", "shape": [1], "dtype": "int32"},
        {"name": "state_0", "shape": [1, 24], "dtype": "float32"},
    ]
    assert manifest["vocabulary"]["writable"][:4] == [False, False, True, True]


def test_from_the_command_line(exported, tmp_path):
    generator, directory = exported("lstm")
    clients.assert_it_is_a_command(CLIENT, directory, generator, tmp_path)
    command = [sys.executable, "-I", "-u", clients.CLIENTS / CLIENT, directory, "the", "--length", "0"]
    shown = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
    assert shown.endswith("\nthe\n"), "what LiteRT tells of itself comes before the text"


def test_only_what_was_written_is_read(exported, tmp_path):
    clients.assert_only_what_was_written_is_read(CLIENT, exported("lstm")[1], tmp_path)


@pytest.mark.slow
def test_forged_manifests_are_one_line(exported, tmp_path):
    clients.assert_forged_manifests_are_one_line(CLIENT, exported("lstm")[1], tmp_path)


def test_both_clients_are_one_but_for_their_step():
    texts = [(clients.CLIENTS / name).read_text() for name in (CLIENT, "onnx_client.py")]
    assert len({text[text.index("    def read") :] for text in texts}) == 1


@pytest.mark.parametrize("name", ["litert", "litert-int8"])
def test_a_network_that_it_cannot_hold_is_refused_in_one_line(name, tmp_path):
    with pytest.raises(InputError) as caught:
        export(models.writer_of("counts"), tmp_path / "out", name)
    assert str(caught.value) == (
        "LiteRT holds the step of a network, whose state are numbers; this model is a mixture, or counts, which are "
        "looked up: export it as saved-model."
    )
    assert not (tmp_path / "out").exists()


@given(st.text(), st.sampled_from([ValueError, RuntimeError, AssertionError, InputError]))
def test_whatever_a_converter_says_becomes_one_line(said, kind):
    with pytest.raises(InputError) as caught, converting("ONNX"):
        raise kind(said)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith("this network cannot be written as ONNX: ")
    assert message.endswith("; export another format.")


def test_a_lack_of_memory_is_no_fault_of_the_network():
    with pytest.raises(MemoryError), converting("ONNX"):
        raise MemoryError
