"""Runs signatures of a SavedModel in a process that has TensorFlow and nothing else."""

import base64
import json
import pathlib
import subprocess
import sys

import numpy as np
from cli_support import ENVIRONMENT

TYPES = {"length": np.int32, "temperature": np.float32, "top_k": np.int32, "top_p": np.float32, "min_p": np.float32}
TYPES |= {"seed": np.int64, "drawn": np.int32}


class AnswerError(Exception):
    """The process answered with an error."""


class Alone:
    """The process, which `tensorflow_alone.py` is."""

    def __init__(self, folder):
        self._folder = folder

    def __enter__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(pathlib.Path(__file__).with_name("tensorflow_alone.py"))],
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**ENVIRONMENT, "TF_CPP_MIN_LOG_LEVEL": "2"},
        )
        assert self._process.stdout.readline() == "ready\n"
        return self

    def run(self, loader, directory, signature, goes_on=False, **inputs):
        """Give the outputs of a signature; texts and numbers are inputs as they are."""
        request = {
            "loader": loader,
            "directory": str(directory),
            "signature": signature,
            "goes_on": goes_on,
            "inputs": {key: _to_json(key, value) for key, value in inputs.items()},
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise AnswerError(answer)
        return {key: _from_json(value) for key, value in answer["outputs"].items()}

    def __exit__(self, kind, *_):
        self._process.stdin.close()
        assert self._process.wait(60) == 0 or kind
        self._process.stdout.close()


def _to_json(name, value):
    if name in ("prompts", "texts") or (value and isinstance(value, list) and isinstance(value[0], str | bytes)):
        texts = [text if isinstance(text, bytes) else text.encode() for text in value]
        return {"dtype": "bytes", "values": [text.decode("latin-1") for text in texts]}
    return {"dtype": np.dtype(TYPES.get(name, np.float32)).name, "values": np.asarray(value).tolist()}


def _from_json(value):
    if value["dtype"] == "bytes":
        return [text.encode("latin-1").decode() for text in value["values"]]
    return np.frombuffer(base64.b64decode(value["base64"]), value["dtype"]).reshape(value["shape"])
