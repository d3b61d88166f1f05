"""A transformer computes what GPT-2 computes: its weights go to Hugging Face's model and come back."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgen import InputError, TextGenerator, Vocabulary, interop, networks

VOCABULARY = Vocabulary(list("abcdefgh"))
V, W = len(VOCABULARY), 12
SIZES = {"cell": "transformer", "units": 12, "layers": 3, "heads": 3, "window": W}


def generator_of(seed=0, **sizes):
    """A transformer of large weights."""
    generator = TextGenerator.build(VOCABULARY, **{**SIZES, **sizes})
    rng = np.random.default_rng(seed)
    generator.network.set_weights([rng.normal(scale=0.4, size=each.shape) for each in generator.network.get_weights()])
    return generator


def logits_of(generator, ids):
    model = generator.writer.model
    return model.logits(model.read(tf.constant(ids), None, model.start((), len(ids)), ())[0]).numpy()


def test_a_state_dict_goes_there_and_back():
    generator, other = generator_of(), generator_of(seed=1)
    state_dict = interop.to_torch(generator)
    assert state_dict["transformer.h.2.attn.c_attn.weight"].shape == (12, 36)
    interop.from_torch(other, state_dict)
    for one, two in zip(generator.network.get_weights(), other.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    state_dict["transformer.wpe.weight"] = np.zeros((W + 1, 12))
    with pytest.raises(InputError, match=r"wpe.weight' must have the shape \(12, 12\); received \(13, 12\)"):
        interop.from_torch(other, state_dict)


def test_what_gpt2_has_not_is_refused():
    reader = networks.text_encoder(VOCABULARY, units=2, embedding=2)
    with pytest.raises(InputError, match="GPT-2 has no encoder"):
        interop.to_torch(TextGenerator.build(VOCABULARY, **SIZES, encoder=reader, attention=True))
    layers = [keras.layers.LayerNormalization(), *generator_of().network.layers[1:]]
    network = keras.Sequential([keras.Input((None,), dtype="int32"), keras.layers.Embedding(V, 12), *layers])
    with pytest.raises(InputError, match="GPT-2 has an embedding, one transformer and a head without a bias; received"):
        interop.to_torch(TextGenerator(VOCABULARY, network))


@pytest.mark.slow
def test_gpt2_of_hugging_face_gives_the_same_logits_and_our_text_is_its_text():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    pytest.importorskip("transformers", reason="transformers is not installed: pip install transformers")
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=V, n_positions=W, n_embd=12, n_layer=3, n_head=3, tie_word_embeddings=False)
    theirs = GPT2LMHeadModel(config).eval()
    for weight in theirs.parameters():
        torch.nn.init.normal_(weight, std=0.4)
    generator = generator_of()
    interop.from_torch(generator, theirs.state_dict())
    ids = np.random.default_rng(3).integers(3, V, (4, 40)).astype(np.int32)
    ours = logits_of(generator, ids)
    with torch.inference_mode():
        for t in range(ids.shape[1]):
            # Of all texts, past the window too: what is read is the context that the layer's documentation names.
            begin = max((t - W) // (W // 2) + 1, 0) * (W // 2)
            expected = theirs(torch.tensor(ids[:, begin : t + 1]).long()).logits[:, -1]
            np.testing.assert_allclose(ours[:, t], expected.numpy(), rtol=0, atol=1e-4)
    back = GPT2LMHeadModel(config)
    back.load_state_dict({name: torch.tensor(array) for name, array in interop.to_torch(generator).items()})
    with torch.inference_mode():
        logits = back.eval()(torch.tensor(ids[:, :W]).long()).logits.numpy()
    np.testing.assert_allclose(ours[:, :W], logits, rtol=0, atol=1e-4)
