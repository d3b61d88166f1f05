"""Write with a model that `tfgen export MODEL DIR --format onnx` has made: nothing but NumPy and ONNX Runtime.

Usage: python onnx_client.py DIR [PROMPT [LENGTH [TEMPERATURE [SEED]]]]
"""

import hashlib
import json
import pathlib
import sys

import numpy as np
import onnxruntime


class Step:
    """The network: a token and a state in, logits of the next token and the new state out."""

    def __init__(self, path, manifest):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one row is too little work to share
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.outputs = ["logits", *(state["next"] for state in manifest["state"])]
        self.begin = {state["name"]: np.zeros([1, *state["shape"][1:]], state["dtype"]) for state in manifest["state"]}

    def __call__(self, token, state):
        logits, *new = self.session.run(self.outputs, {"ids": np.array([token], np.int32), **state})
        return logits[0], dict(zip(state, new, strict=True))


class Writer:
    """A step, its vocabulary, and the loop."""

    def __init__(self, directory):
        directory = pathlib.Path(directory)
        manifest = json.loads((directory / "tfgen.json").read_text("utf-8"))
        for name, digest in manifest["sha256"].items():
            if hashlib.sha256((directory / name).read_bytes()).hexdigest() != digest:
                raise SystemExit(f"{directory / name} is damaged; export the model again.")
        vocabulary = manifest["vocabulary"]
        self.tokens, self.end = vocabulary["tokens"], vocabulary["end"]
        self.ids = {token: i for i, token in enumerate(self.tokens) if i >= self.end}
        self.longest = max(map(len, self.ids))
        self.allowed = np.array(vocabulary["writable"])
        self.step = Step(directory / manifest["model"], manifest)

    def encode(self, text):
        """Give the ids of a text, the longest known token first (a character, or a word)."""
        ids, place = [], 0
        while place < len(text):
            known = (n for n in range(self.longest, 0, -1) if text[place : place + n] in self.ids)
            size = next(known, 0)
            if not size:
                raise SystemExit(f"The model does not know {text[place]!r}.")
            ids.append(self.ids[text[place : place + size]])
            place += size
        return ids

    def read(self, prompt):
        """Read a text, which begins after the end of another one: logits of the next token, and the state there."""
        state = self.step.begin
        for token in [self.end, *self.encode(prompt)]:
            logits, state = self.step(token, state)
        return logits, state

    def probabilities(self, logits, temperature):
        """Give the distribution that the next token is drawn from, float64 (V,)."""
        logits = np.where(self.allowed, logits, -np.inf).astype(np.float64)
        if temperature == 0:
            return np.eye(len(logits))[logits.argmax()]
        weights = np.where(self.allowed, np.exp((logits - logits.max()) / temperature), 0)
        return weights / weights.sum()

    def write(self, prompt="", length=200, temperature=1.0, seed=None):
        """Give the text that follows a prompt, token by token."""
        draw = np.random.default_rng(seed)
        logits, state = self.read(prompt)
        for _ in range(length):
            cumulative = self.probabilities(logits, temperature).cumsum()
            token = int(np.searchsorted(cumulative, draw.random() * cumulative[-1], side="right"))
            if token == self.end:
                return
            yield self.tokens[token]
            logits, state = self.step(token, state)


def main(directory, prompt="", length=200, temperature=1.0, seed=None):
    print(prompt, end="")
    for text in Writer(directory).write(prompt, int(length), float(temperature), None if seed is None else int(seed)):
        print(text, end="", flush=True)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
