"""Weights go to PyTorch and come back, and PyTorch itself computes the same with them."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from test_interop import CASES, FIXTURES, VOCABULARY, build, gradients_of, logits_of, random_ids

from tfgen import interop
from tfgen.vocabulary.vocabulary import END

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
sys.path.insert(0, str(FIXTURES))
import torch_twin  # noqa: E402

LENGTH = 60


def prompts():
    ids = np.maximum(random_ids(), torch_twin.FIRST)
    ids[:, 0] = END
    return ids


def load(case, state_dict):
    """A twin with these weights."""
    twin = torch_twin.Twin(**torch_twin.CASES[case])
    twin.load_state_dict(state_dict)
    return twin


def fixture(case):
    """What lies in a fixture: its weights, as tensors, and what was computed."""
    computed = dict(np.load(FIXTURES / f"torch_{case}.npz"))
    return {name[7:]: torch.tensor(a) for name, a in computed.items() if name.startswith("weight.")}, computed


def assert_the_same(generator, twin):
    ids = prompts()
    targets = random_ids(seed=1)
    theirs = torch_twin.results(twin, ids, targets)
    np.testing.assert_allclose(logits_of(generator, ids), theirs["logits"], rtol=1e-5, atol=1e-5)
    loss, gradients = gradients_of(generator, ids, targets)
    assert loss == pytest.approx(float(theirs["loss"]), rel=1e-6)
    for name, gradient in gradients.items():
        if name.startswith("rnn.weight") or name.startswith("fc."):
            np.testing.assert_allclose(gradient, theirs[f"gradient.{name}"], rtol=1e-4, atol=1e-5, err_msg=name)
    written = torch_twin.greedy(twin, ids[0].tolist(), LENGTH)
    text = generator.generate(VOCABULARY.decode(ids[0, 1:]), length=LENGTH, temperature=0, echo=False)
    return text, VOCABULARY.decode(written)


@pytest.mark.parametrize("case", CASES)
def test_there_and_back(case):
    twin = load(case, fixture(case)[0])
    generator = build(**CASES[case])
    interop.from_torch(generator, twin.state_dict())
    text, theirs = assert_the_same(generator, twin)
    assert text == theirs
    assert len(set(text)) > 1

    weights = {name: torch.tensor(array) * 0.9 for name, array in interop.to_torch(generator).items()}
    interop.from_torch(generator, weights)
    text, theirs = assert_the_same(generator, load(case, weights))
    assert text == theirs


@pytest.mark.parametrize("case", CASES)
def test_the_fixtures_are_what_the_script_computes(case):
    weights, computed = fixture(case)
    twin = load(case, weights)
    for name, array in torch_twin.results(twin, computed["ids"], computed["targets"]).items():
        np.testing.assert_allclose(array, computed[name], rtol=1e-4, atol=1e-5, err_msg=name)
    written = torch_twin.greedy(twin, computed["ids"][0].tolist(), torch_twin.N)
    np.testing.assert_array_equal(written, computed["greedy"])


def test_tensors_of_half_precision_on_a_graph():
    generator = build()
    weights = {name: torch.tensor(array, requires_grad=True) for name, array in interop.to_torch(generator).items()}
    other = build(seed=5)
    interop.from_torch(other, {name: tensor.to(torch.bfloat16) for name, tensor in weights.items()})
    for name, array in interop.to_torch(other).items():
        np.testing.assert_array_equal(array, weights[name].to(torch.bfloat16).float().detach().numpy())


def test_safetensors_of_pytorch(tmp_path):
    library = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    twin, path = load("gru", fixture("gru")[0]), tmp_path / "twin.safetensors"
    library.save_file(twin.state_dict(), path)
    generator = build(**CASES["gru"])
    interop.load_torch(generator, path)
    interop.save_torch(generator, path)
    again = load("gru", library.load_file(path))
    with torch.no_grad():
        logits, _ = again(torch.tensor(prompts(), dtype=torch.int64))
    np.testing.assert_allclose(tf.constant(logits.numpy()), logits_of(generator, prompts()), rtol=0, atol=1e-5)
