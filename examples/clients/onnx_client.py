"""Write with a model that `tfgen export MODEL DIRECTORY --format onnx` has made: nothing but NumPy and ONNX Runtime."""

import argparse
import hashlib
import json
import math
import os
import pathlib
import re
import sys
import unicodedata

import numpy as np
import onnxruntime

ENDING, RUNTIME = ".onnx", "ONNX Runtime"
LARGEST_MANIFEST, LARGEST_MODEL, LARGEST_STATE = 2**26, 2**31, 2**28  # bytes, bytes, numbers


def function(model, name):
    """Give what a file holds, as a function from tensors by name to tensors by name."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one row is too little work to share
    options.log_severity_level = 4  # what fails is an error of Python
    # Weights in other files, of any name, would be read from the working directory: nothing is in this one.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))


def in_form(text, normalize, lower):
    """Bring a text into the form of those that the model has learned from."""
    text = unicodedata.normalize(normalize, text) if normalize else text
    if not lower:
        return text
    text = text.replace("\u03a3", "\u03c3").lower()  # each character by itself
    return unicodedata.normalize(normalize, text) if normalize else text


def content(path, most):
    """Give the bytes of a regular file, of which there are not too many."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path.name} is no regular file")
    if path.stat().st_size > most:
        raise ValueError(f"{path.name} has more than {most:,} bytes")
    return path.read_bytes()


def reader(vocabulary):
    """Give a function from a text to ids: of characters, or of the longest words known, with the space before them."""
    ids = {token: i for i, token in enumerate(vocabulary["tokens"]) if i >= vocabulary["end"]}
    longest_first = sorted(ids, key=len, reverse=True)
    pieces = re.compile("|".join([*map(re.escape, longest_first), "."]), re.DOTALL)

    def read(text):
        text = in_form(text, vocabulary.get("normalize"), vocabulary.get("lower"))
        return [ids.get(piece, vocabulary["unknown"]) for piece in pieces.findall(text)]

    return read


class Writer:
    """A network that steps from token to token, its vocabulary, and the loop."""

    def __init__(self, directory):
        folder = pathlib.Path(directory)
        manifest = json.loads(content(folder / "tfgen.json", LARGEST_MANIFEST).decode())

        def loaded(name):
            model = content(folder / f"{name}{ENDING}", LARGEST_MODEL)
            if hashlib.sha256(model).hexdigest() != manifest["sha256"][f"{name}{ENDING}"]:
                raise ValueError(f"{name}{ENDING} is not the file that was written")
            return function(model, name)

        self.stepped = loaded("step")
        self.next = {state["next"]: state["name"] for state in manifest["state"]}
        if any(math.prod(state["shape"][1:]) > LARGEST_STATE for state in manifest["state"]):
            raise ValueError("the state that it describes is too large")
        self.zeros = {s["name"]: np.zeros([1, *s["shape"][1:]], s["dtype"]) for s in manifest["state"]}
        self.tokens, self.end = manifest["vocabulary"]["tokens"], manifest["vocabulary"]["end"]
        self.writable = np.array(manifest["vocabulary"]["writable"], bool)
        known = isinstance(self.tokens, list) and all(isinstance(token, str) for token in self.tokens)
        ids = {manifest["vocabulary"]["unknown"], self.end} <= set(range(len(self.writable)))
        if not (known and ids) or len(self.tokens) != len(self.writable):
            raise ValueError("the vocabulary that it describes is none")
        self.ids = reader(manifest["vocabulary"])
        self.encoder = manifest.get("encoder", {})  # what texts are written from, if it is anything
        self.encode = loaded("encode") if self.encoder else None
        self.source_ids = reader(self.encoder["vocabulary"]) if "vocabulary" in self.encoder else None

    def begin(self, source=None):
        """Give what the first step takes: zeros, or what the encoder makes of a source, a text or arrays by name."""
        if not self.encode:
            return self.zeros
        if self.source_ids:
            source = {"sources": [*self.source_ids(source), self.encoder["vocabulary"]["closed_by"]]}
        return self.encode(
            {each["name"]: np.array([source[each["name"]]], each["dtype"]) for each in self.encoder["inputs"]}
        )

    def step(self, token, state):
        """Read one token: logits (V,) of the next one, and what the next step takes; what was encoded stays."""
        outputs = self.stepped({"ids": np.array([token], np.int32), **state})
        return outputs["logits"][0], {**state, **{name: outputs[new] for new, name in self.next.items()}}

    def read(self, text, source=None):
        """Read a text, which begins after the end of another one: logits of the next token, and the state there."""
        logits, state = self.step(self.end, self.begin(source))
        for token in self.ids(text):
            logits, state = self.step(token, state)
        return logits, state

    def probabilities(self, logits, temperature):
        """Give the distribution (V,) that the next token is drawn from; temperature 0 takes the likeliest."""
        logits = np.where(self.writable, logits, -np.inf).astype(np.float64)
        scaled = np.exp((logits - logits.max()) / temperature) if temperature else np.eye(len(logits))[logits.argmax()]
        return scaled / scaled.sum()

    def write(self, prompt="", length=200, temperature=1.0, seed=None, source=None):
        """Give the text that follows a prompt, token by token."""
        draw = np.random.default_rng(seed)
        logits, state = self.read(prompt, source)
        for _ in range(length):
            token = draw.choice(len(self.tokens), p=self.probabilities(logits, temperature))
            if token == self.end:
                return
            yield self.tokens[token]
            logits, state = self.step(token, state)


def in_one_line(error):
    """Give what an error says, in one line that is not too long."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def source_from(given, writer):
    """Give the source that a command line names: a text, or a file of NumPy with one array or several by name."""
    if writer.source_ids or given is None:
        return given
    loaded = np.load(given)
    return {"sources": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("directory")
    options.add_argument("prompt", nargs="?", default="")
    options.add_argument("--source", help="what an encoder reads: a text, or a file .npy or .npz of one row")
    options.add_argument("--length", type=int, default=200)
    options.add_argument("--temperature", type=float, default=1.0)
    options.add_argument("--seed", type=int)
    given = options.parse_args()
    if not given.temperature >= 0 or (given.seed or 0) < 0:
        options.error("the temperature and the seed are at least 0")
    try:
        writer = Writer(given.directory)
    except Exception as error:  # each library has errors of its own
        sys.exit(f"{given.directory} is no export for {RUNTIME}, or damaged: {in_one_line(error)}")
    if (given.source is None) == bool(writer.encoder):
        options.error("a model with an encoder takes a --source, and no other does")
    try:
        source = source_from(given.source, writer)
    except (OSError, ValueError) as error:
        sys.exit(f"the source cannot be read: {in_one_line(error)}")
    print(given.prompt, end="")
    try:
        for text in writer.write(given.prompt, given.length, given.temperature, given.seed, source):
            print(text, end="", flush=True)
    except Exception as error:
        print()
        sys.exit(f"{given.directory} is damaged, or takes another source: {in_one_line(error)}")
    print()
