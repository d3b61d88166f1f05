"""Weights go to PyTorch and come back, and PyTorch itself computes the same with them."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from test_interop import (
    ALL,
    CASES,
    FIXTURES,
    OF_SOURCES,
    ROUNDING,
    VOCABULARY,
    build,
    gradients_of,
    logits_of,
    random_ids,
    sources_of,
)

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
    twin = torch_twin.twin_of({**torch_twin.CASES, **torch_twin.CASES_OF_SOURCES}[case])
    twin.load_state_dict(state_dict)
    return twin


def fixture(case):
    """What lies in a fixture: its weights, as tensors, and what was computed."""
    computed = dict(np.load(FIXTURES / f"torch_{case}.npz"))
    return {name[7:]: torch.tensor(a) for name, a in computed.items() if name.startswith("weight.")}, computed


def assert_the_same(generator, twin, ids, **read):
    targets = random_ids(*ids.shape, seed=1)
    theirs = torch_twin.results(twin, ids, targets, **read)
    np.testing.assert_allclose(logits_of(generator, ids, **read), theirs["logits"], rtol=0, atol=ROUNDING)
    loss, gradients = gradients_of(generator, ids, targets, **read)
    assert loss == pytest.approx(float(theirs["loss"]), rel=1e-6)
    for name, gradient in gradients.items():
        if "bias" not in name or name.startswith(("fc.", "first_state.")):
            np.testing.assert_allclose(gradient, theirs[f"gradient.{name}"], rtol=1e-4, atol=3e-5, err_msg=name)
    written = torch_twin.greedy(twin, ids[0].tolist(), LENGTH, **read)
    source = OF_SOURCES.decode(read["sources"][0]) if read else None
    options = {"length": LENGTH, "temperature": 0, "echo": False}
    text = generator.generate(VOCABULARY.decode(ids[0, 1:]), source=source, **options)
    return text, VOCABULARY.decode(written)


@pytest.mark.slow
@pytest.mark.parametrize("case", ALL)
def test_there_and_back(case):
    weights, computed = fixture(case)
    twin, read = load(case, weights), sources_of(computed)
    generator = build(**ALL[case])
    interop.from_torch(generator, twin.state_dict())
    # A prompt that was drawn anew is followed by one letter over and over where the source has the most to say.
    ids = computed["ids"] if read else prompts()
    text, theirs = assert_the_same(generator, twin, ids, **read)
    assert text == theirs
    assert len(set(text)) > 1

    weights = {name: torch.tensor(array) * 0.9 for name, array in interop.to_torch(generator).items()}
    interop.from_torch(generator, weights)
    text, theirs = assert_the_same(generator, load(case, weights), ids, **read)
    assert text == theirs


@pytest.mark.parametrize("case", ALL)
def test_the_fixtures_are_what_the_script_computes(case):
    weights, computed = fixture(case)
    twin, read = load(case, weights), sources_of(computed)
    for name, array in torch_twin.results(twin, computed["ids"], computed["targets"], **read).items():
        np.testing.assert_allclose(array, computed[name], rtol=1e-4, atol=1e-5, err_msg=name)
    written = torch_twin.greedy(twin, computed["ids"][0].tolist(), torch_twin.N, **read)
    np.testing.assert_array_equal(written, computed["greedy"])


@pytest.mark.parametrize("case", ["lstm_attention"])
def test_what_the_documentation_computes(case):
    weights, computed = fixture(case)
    indented = [line for line in interop.__doc__.splitlines() if line.startswith(" " * 12)]
    computing = indented[next(i for i, line in enumerate(indented) if "lengths =" in line) :]
    ids, sources = (torch.tensor(computed[name], dtype=torch.int64) for name in ("ids", "sources"))
    rows = torch.nn.functional.one_hot(ids, torch_twin.V).float()
    names = {"self": load(case, weights), "sources": sources, "rows": rows, "num_layers": 2, "hidden": torch_twin.U}
    names |= {
        name: getattr(torch_twin, name) for name in ("torch", "nn", "pack_padded_sequence", "pad_packed_sequence")
    }
    exec("\n".join(line.strip() for line in computing), names)
    np.testing.assert_allclose(names["logits"].detach(), computed["logits"], rtol=0, atol=ROUNDING)


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
    np.testing.assert_allclose(tf.constant(logits.numpy()), logits_of(generator, prompts()), rtol=0, atol=ROUNDING)
