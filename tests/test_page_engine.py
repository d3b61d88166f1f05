"""The engine of the page in Node: the draws of Python bit for bit, and the texts that Python writes."""

import json
import pathlib
import shutil
import subprocess

import instant_support as support
import numpy as np
import pytest

import tfgen
from tfgen.networks import layers_of
from tfgen.page.contents import contents
from tfgen.terms.draws import uniforms
from tfgen.terms.seeds import row_seeds

if shutil.which("node") is None:
    pytest.skip("Node is not installed", allow_module_level=True)

ENGINE = pathlib.Path(tfgen.__file__).parent / "page" / "engine.mjs"
_ASK = f"""
const {{ Writer, uniform }} = await import({json.dumps(ENGINE.as_uri())});
let asked = "";
for await (const piece of process.stdin) asked += piece;
const {{ model, draws, texts }} = JSON.parse(asked);
const writer = model && new Writer(model);
console.log(JSON.stringify({{
  draws: draws.map(([seed, step]) => uniform(BigInt(seed), step)),
  texts: texts.map(([prompt, length, seed, settings]) => writer.write(prompt, length, BigInt(seed), settings)),
}}));
"""
PLAIN = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


def ask(model=None, draws=(), texts=()):
    asked = json.dumps({"model": model, "draws": draws, "texts": texts})
    command = ["node", "--input-type=module", "-e", _ASK]
    return json.loads(subprocess.run(command, input=asked, capture_output=True, text=True, check=True).stdout)


def test_draws_are_pythons_bit_for_bit():
    chance = np.random.default_rng(1)
    seeds = [0, 1, -1, 2**63 - 1, -(2**63), *map(int, chance.integers(-(2**63), 2**63 - 1, 30))]
    steps = [0, 1, 255, 256, 257, 70_001]
    asked = [[str(seed), step] for seed in seeds for step in steps]
    expected = [uniforms(row_seeds([seed], 1), step // 256)[step % 256, 0] for seed in seeds for step in steps]
    assert ask(draws=asked)["draws"] == expected


@pytest.mark.parametrize("number", [*range(4), *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 30))])
def test_texts_are_pythons(number):
    generator = support.generator(number)
    twin, texts, expected = support.twin(generator), [], []
    for k in range(8):
        prompt, given = support.request(number, k, generator.vocabulary)
        settings = {name: given[name] for name in PLAIN if name in given} | ({"temperature": 0} if k == 0 else {})
        length = 1000 if k == 0 else 100
        texts.append([prompt, length, str(given["seed"]), settings])
        expected += twin.generate(prompt, length=length, seed=given["seed"], echo=False, **settings)
    written = ask(contents(generator.vocabulary, layers_of(generator)), texts=texts)["texts"]
    assert written[0] == expected[0]
    assert sum(a == b for a, b in zip(written, expected, strict=True)) >= 7


def test_words_are_refused():
    generator = tfgen.TextGenerator.build(tfgen.Vocabulary.from_texts(["a b"], split="word"), units=3, seed=1)
    with pytest.raises(tfgen.InputError, match="split='word'"):
        contents(generator.vocabulary, layers_of(generator))
