"""A temperature for each row: what it writes is what it would write with that temperature for all."""

import numpy as np
import pytest

from tfgen import InputError, TextGenerator, Vocabulary, sampling

TEMPERATURES = [0.0, 0.5, 1.0, 3.0, 1.0]


@pytest.fixture(name="generator", scope="module")
def generator_fixture():
    return TextGenerator.build(Vocabulary.from_texts(["the quick brown fox"]), units=4, seed=1)


@pytest.mark.parametrize("jit_compile", [None, pytest.param(True, marks=pytest.mark.slow)])
def test_each_row_draws_what_it_draws_at_its_temperature(generator, jit_compile):
    prompts = ["the", "q", "", "fox ", "b"]
    call = {"length": 12, "seed": 7, "jit_compile": jit_compile, "top_k": 9}
    together = generator.generate(prompts, temperature=TEMPERATURES, **call)
    for row, t in enumerate(TEMPERATURES):
        assert together[row] == generator.generate(prompts, temperature=t, **call)[row]
    copies = generator.generate("the", n=5, temperature=np.array(TEMPERATURES), **call)
    assert copies[1] == generator.generate("the", n=5, temperature=0.5, **call)[1]


def test_there_is_one_for_each_row(generator):
    with pytest.raises(InputError, match="one for each of 2 rows; received 3"):
        generator.generate(["a" * 0, "the"], temperature=[1, 2, 3])
    with pytest.raises(InputError, match="one for each of 1 row; received 2"):
        generator.generate("the", temperature=[1.0, 2.0], num_beams=3)
    with pytest.raises(InputError, match="one for each of 1 row; received 2"):
        list(generator.stream("the", temperature=[1.0, 2.0]))
    for wrong in ([], [1.0, -1.0], [1.0, None], [[1.0]], [float("nan")]):
        with pytest.raises(InputError, match="temperature must be a number"):
            generator.generate("the", temperature=wrong)
    assert sampling.Temperature([0, 0]).leaves_one
