"""Writes docs/sampling.md and its pictures: what each transform does to a real distribution, and what it writes.

Usage: python docs/sampling.py demo/python-docs.keras
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from tfgen import model_files, networks, sampling
from tfgen.sampling import chain as chains
from tfgen.text_generator import TextGenerator
from tfgen.vocabulary.vocabulary import END

HERE = Path(__file__).parent
PROMPT = "The "
REPEATING = "The name of the class is the name of the "
SHOWN = 18


class Entry(NamedTuple):
    """One section: a transform at a setting that shows what it does."""

    transform: sampling.Transform
    code: str
    sentence: str
    formula: str
    prompt: str = PROMPT


ENTRIES = [
    Entry(
        sampling.Temperature(0.5),
        "Temperature(0.5)",
        "Sharpens (below 1) or flattens (above 1) the distribution; 0 takes the likeliest, infinity makes all equal.",
        "p_i' = p_i^(1/t) / sum_j p_j^(1/t)",
    ),
    Entry(
        sampling.DynamicTemperature(0.3, 1.3),
        "DynamicTemperature(0.3, 1.3)",
        "Cool where the network is sure, warm where it is not.",
        "t = low + (high - low) (H / ln V)^exponent, with H the entropy",
    ),
    Entry(sampling.TopK(5), "TopK(5)", "Keeps the k likeliest tokens.", "keep i if p_i is among the k largest"),
    Entry(
        sampling.TopP(0.7),
        "TopP(0.7)",
        "Keeps the smallest set of likeliest tokens whose probabilities sum to p.",
        "keep i if the probabilities of all likelier tokens sum to less than p",
    ),
    Entry(
        sampling.MinP(0.2),
        "MinP(0.2)",
        "Keeps what is at least p times as likely as the likeliest: few where the network is sure, many where not.",
        "keep i if p_i >= p max_j p_j",
    ),
    Entry(
        sampling.Typical(0.6),
        "Typical(0.6)",
        "Keeps the tokens whose surprise is nearest to the expected one, until they sum to p.",
        "keep in order of |-ln p_i - H| until the sum of p_i reaches p",
    ),
    Entry(
        sampling.Epsilon(0.03),
        "Epsilon(0.03)",
        "Drops every token of less than a fixed probability.",
        "keep i if p_i >= epsilon",
    ),
    Entry(
        sampling.TopNSigma(1.0),
        "TopNSigma(1.0)",
        "Keeps what lies within n standard deviations of the largest logit, whatever the temperature.",
        "keep i if logit_i >= max_j logit_j - n sigma, with sigma the deviation of all possible logits",
    ),
    Entry(
        sampling.XTC(0.5, 0.1),
        "XTC(0.5, 0.1)",
        "Leaves out the top choices now and then, all but the least likely of them; made for words.",
        "p_i' = (1 - probability) p_i if i is left out, else p_i (1 - probability + probability / sum of the others)",
    ),
    Entry(
        sampling.LogitBias({"a": 3.0, "s": -3.0}),
        'LogitBias({"a": 3.0, "s": -3.0})',
        "Helps or hinders single tokens.",
        "logit_i' = logit_i + bias_i",
    ),
    Entry(
        sampling.Allow(category="Ll Zs"),
        'Allow(category="Ll Zs")',
        "Keeps tokens by characters, by Unicode category (here small letters and spaces) or by regular expression.",
        "keep i if the token fits",
    ),
    Entry(
        sampling.Forbid("aeiou"),
        'Forbid("aeiou")',
        'Leaves tokens out, chosen in the same ways; or strings, `Forbid(strings=["the"])`, however tokens cut them.',
        "keep i unless the token has one of the characters",
    ),
    Entry(
        sampling.Pattern(r"[A-Z][a-z]+ [0-9]{4}\."),
        r'Pattern(r"[A-Z][a-z]+ [0-9]{4}\.")',
        "Keeps what can still become a match of a regular expression; the text ends with the match.",
        "keep i if the automaton has a way from its next state to an accepting one",
    ),
    Entry(
        sampling.RepetitionPenalty(1.3),
        "RepetitionPenalty(1.3)",
        "Makes tokens that have occurred less likely; made for words, harsh on characters.",
        "ln p_i' = penalty ln p_i if i has occurred",
        REPEATING,
    ),
    Entry(
        sampling.FrequencyPenalty(0.2),
        "FrequencyPenalty(0.2)",
        "The more often a token has occurred, the less likely it becomes.",
        "logit_i' = logit_i - penalty count_i",
        REPEATING,
    ),
    Entry(
        sampling.PresencePenalty(1.0),
        "PresencePenalty(1.0)",
        "Every token that has occurred becomes less likely by the same amount.",
        "logit_i' = logit_i - penalty [count_i > 0]",
        REPEATING,
    ),
    Entry(
        sampling.NoRepeatNgram(8),
        "NoRepeatNgram(8)",
        "Forbids the token that would complete a passage of n tokens which the text already has.",
        "drop i if the last n - 1 tokens and i have occurred together",
        REPEATING,
    ),
    Entry(
        sampling.DRY(allowed_length=4),
        "DRY(allowed_length=4)",
        "Penalises going on with a passage which the text already has, the more the longer it is.",
        "logit_i' = logit_i - multiplier base^(L - allowed_length), with L the length of the repeat that i extends",
        REPEATING,
    ),
    Entry(
        sampling.Mirostat(1.5),
        "Mirostat(1.5)",
        "Moves a cut on the surprise so that its mean comes to a target in bits.",
        "keep i if -log2 p_i <= mu; then mu' = mu - rate (surprise of what was drawn - target)",
    ),
    Entry(
        sampling.AdaptiveP(0.5),
        "AdaptiveP(0.5)",
        "Prefers tokens near a probability, to which the mean of what is drawn comes; put a cut before it, "
        "for the many tokens of the tail weigh much together.",
        "logit_i' = 5 - 10 d^2 / (1 + d), d = |p_i - (2 target - mean p of what was drawn)| / 0.3",
    ),
]


def distributions(generator: TextGenerator, entry: Entry) -> tuple[np.ndarray, np.ndarray]:
    """Give the probabilities (V,) of the token after the prompt, before and after the transform."""
    chain = chains.chain_of([entry.transform], {}, generator.vocabulary)
    history = np.concatenate([[END], generator.vocabulary.encode(entry.prompt)])[np.newaxis].astype(np.int32)
    network = generator.network
    logits, _ = networks.prefill(network, tf.constant(history), None, networks.zero_state(network, 1))
    states = chains.start(chain, tf.constant(history), len(generator.vocabulary))
    shaped, _ = chains.apply(chain, logits, states)
    return tf.nn.softmax(logits).numpy()[0], tf.nn.softmax(shaped).numpy()[0]


def draw(generator: TextGenerator, entry: Entry, path: Path) -> None:
    """Draw the likeliest tokens before and after."""
    before, after = distributions(generator, entry)
    places = np.argsort(-np.maximum(before, after))[:SHOWN]
    figure = Figure(figsize=(7, 2.2), layout="constrained")
    axes = figure.subplots()
    axes.bar(np.arange(SHOWN) - 0.2, before[places], 0.4, color="0.7", label="model")
    axes.bar(np.arange(SHOWN) + 0.2, after[places], 0.4, color="C1", label=entry.code.split("(")[0])
    axes.set_xticks(np.arange(SHOWN), [repr(generator.vocabulary.tokens[i])[1:-1] for i in places], family="monospace")
    axes.set_ylabel("probability")
    axes.legend()
    figure.savefig(path, dpi=80)


HEAD = """# Sampling

What each transform of `tfgen.sampling` does to the distribution of a real network (grey: of the model; orange: after
the transform), and a text it wrote with seed 1. This page is written by

```
make demo
.venv/bin/python docs/sampling.py demo/python-docs.keras
```

A sampler is a sequence of transforms, applied in the order given, but for what forbids:

```python
from tfgen.sampling import DRY, MinP, Temperature

generator.generate("The ", sampler=[DRY(), Temperature(0.8), MinP(0.05)])
```

The plain settings `repetition_penalty`, `temperature`, `top_k`, `typical_p`, `top_p`, `min_p` build a chain in this
order. A setting is a tensor of the compiled loop: a new temperature, k or p compiles nothing; a new kind or order of
transforms compiles once. Each transform is also a function of logits: `TopK(2)([[0.0, 1.0, 2.0]])`.

What forbids (`Forbid`, `Allow`, `Mask`, biases of minus infinity, `Pattern`, `NoRepeatNgram`) holds wherever it stands:
it comes before all else, and nothing after it brings a token back. Masks, banned strings and patterns are intersected
as automata, so that a text is never led to where they contradict; what no text at all could satisfy is refused. Where
`NoRepeatNgram` or `min_length` leaves a text nothing, it ends there, and not the batch: `finish_reason` of the
`Generated` that `return_scores=True` gives says "nothing_left". What could do nothing, such as `DRY` after
`Temperature(0)`, is refused.

One uniform number, a function of seed, row and step, decides each token by inverting the cumulative distribution in
float64. Padding and the unknown token have probability zero before any transform sees them.

What a chain costs is in [performance.md](performance.md#sampling).
"""


def section(generator: TextGenerator, entry: Entry) -> str:
    """Give the Markdown of one transform, and draw its picture."""
    name = entry.code.split("(")[0]
    draw(generator, entry, HERE / "sampling" / f"{name}.png")
    cool = sampling.Temperature(0.8)
    chain, beside = [entry.transform, cool], " (with `Temperature(0.8)` after it)"
    if isinstance(entry.transform, sampling.XTC):
        chain, beside = [cool, entry.transform], " (with `Temperature(0.8)` before it)"
    elif isinstance(entry.transform, sampling.AdaptiveP):
        chain, beside = [sampling.MinP(0.05), entry.transform], " (with `MinP(0.05)` before it)"
    elif isinstance(entry.transform, (sampling.Temperature, sampling.DynamicTemperature)):
        chain, beside = [entry.transform], ""
    text = generator.generate(entry.prompt, length=160, seed=1, sampler=chain)
    return f"""
## {name}

{entry.sentence}

    {entry.formula}

![{name}: probabilities before and after](sampling/{name}.png)

`{entry.code}`{beside} wrote:

```
{text}
```
"""


def main(path: str) -> None:
    """Write the page."""
    generator = model_files.load(path)
    (HERE / "sampling").mkdir(exist_ok=True)
    (HERE / "sampling.md").write_text(HEAD + "".join(section(generator, entry) for entry in ENTRIES), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
