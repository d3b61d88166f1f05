"""Write with a model that `tfgen export MODEL DIRECTORY --format onnx` has made: nothing but NumPy and ONNX Runtime."""

import argparse
import hashlib
import json
import pathlib
import re
import sys

import numpy as np
import onnxruntime

MODEL, RUNTIME = "step.onnx", "ONNX Runtime"


class Writer:
    """A network that steps from token to token, its vocabulary, and the loop."""

    def __init__(self, directory):
        folder = pathlib.Path(directory)
        manifest = json.loads((folder / "tfgen.json").read_text("utf-8"))
        model = (folder / MODEL).read_bytes()
        if hashlib.sha256(model).hexdigest() != manifest["sha256"][MODEL]:
            raise ValueError(f"{MODEL} is not the file that was written")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one row is too little work to share
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.next = {state["next"]: state["name"] for state in manifest["state"]}
        self.begin = {s["name"]: np.zeros([1, *s["shape"][1:]], s["dtype"]) for s in manifest["state"]}
        vocabulary = manifest["vocabulary"]
        self.tokens, self.unknown, self.end = (vocabulary[name] for name in ("tokens", "unknown", "end"))
        self.writable = np.array(vocabulary["writable"])
        self.ids = {token: i for i, token in enumerate(self.tokens) if i >= self.end}
        longest_first = sorted(self.ids, key=len, reverse=True)  # characters, or words with the space before them
        self.pieces = re.compile("|".join([*map(re.escape, longest_first), "."]), re.DOTALL)

    def step(self, token, state):
        """Read one token: logits (V,) of the next one, and the new state."""
        logits, *new = self.session.run(["logits", *self.next], {"ids": np.array([token], np.int32), **state})
        return logits[0], dict(zip(self.next.values(), new, strict=True))

    def read(self, text):
        """Read a text, which begins after the end of another one: logits of the next token, and the state there."""
        logits, state = self.step(self.end, self.begin)
        for piece in self.pieces.findall(text):
            logits, state = self.step(self.ids.get(piece, self.unknown), state)
        return logits, state

    def probabilities(self, logits, temperature):
        """Give the distribution (V,) that the next token is drawn from; temperature 0 takes the likeliest."""
        logits = np.where(self.writable, logits, -np.inf).astype(np.float64)
        scaled = np.exp((logits - logits.max()) / temperature) if temperature else np.eye(len(logits))[logits.argmax()]
        return scaled / scaled.sum()

    def write(self, prompt="", length=200, temperature=1.0, seed=None):
        """Give the text that follows a prompt, token by token."""
        draw = np.random.default_rng(seed)
        logits, state = self.read(prompt)
        for _ in range(length):
            token = draw.choice(len(self.tokens), p=self.probabilities(logits, temperature))
            if token == self.end:
                return
            yield self.tokens[token]
            logits, state = self.step(token, state)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("directory")
    options.add_argument("prompt", nargs="?", default="")
    options.add_argument("--length", type=int, default=200)
    options.add_argument("--temperature", type=float, default=1.0)
    options.add_argument("--seed", type=int)
    given = options.parse_args()
    if not given.temperature >= 0 or (given.seed or 0) < 0:
        options.error("the temperature and the seed are at least 0")
    try:
        writer = Writer(given.directory)
    except (OSError, LookupError, TypeError, ValueError) as error:
        sys.exit(f"{given.directory} is no export for {RUNTIME}, or damaged: {error}")
    print(given.prompt, end="")
    for text in writer.write(given.prompt, given.length, given.temperature, given.seed):
        print(text, end="", flush=True)
    print()
