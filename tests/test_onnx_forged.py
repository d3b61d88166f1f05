"""The JavaScript client of ONNX exports refuses what is no export; it needs no ONNX Runtime for that."""

import hashlib
import json
import pathlib
import shutil
import subprocess

import pytest

if shutil.which("node") is None:
    pytest.skip("Node is not installed", allow_module_level=True)

CLIENT = pathlib.Path(__file__).parents[1] / "examples" / "clients" / "onnx_client.mjs"
MODEL = b"a model"
VOCABULARY = {"split": "character", "normalize": None, "lower": False, "tokens": ["", "?", "\x03", "a", "b"]}
VOCABULARY |= {"padding": 0, "unknown": 1, "end": 2, "writable": [False, False, True, True, True]}
STATE = {"name": "state_0", "shape": [None, 3], "dtype": "float32", "next": "new_state_0"}
MANIFEST = {
    "vocabulary": VOCABULARY,
    "state": [STATE],
    "sha256": {"step.onnx": hashlib.sha256(MODEL).hexdigest(), "encode.onnx": hashlib.sha256(MODEL).hexdigest()},
}

# A runtime of which each model has the names that a step has, and likes the token that came before.
_ASK = """
import { pathToFileURL } from "node:url";
const { Writer } = await import(pathToFileURL(process.argv[2]));
const { manifests, model, size } = JSON.parse(process.argv[3]);
class Tensor { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } }
const session = {
  inputNames: ["ids", "state_0"],
  outputNames: ["logits", "new_state_0"],
  run: async ({ ids, state_0 }) => {
    if (state_0.data.length !== 3) throw new Error("three numbers");
    const data = Float32Array.from({ length: size }, (_, id) => Number(id === ids.data[0]));
    return { logits: { data }, new_state_0: state_0 };
  },
};
const ort = { Tensor, InferenceSession: { create: async () => session } };
const ends = [];
for (const manifest of manifests) {
  const files = { "tfgen.json": manifest, "step.onnx": model, "encode.onnx": model };
  try {
    const writer = await Writer.open(ort, async (name) => new TextEncoder().encode(files[name]));
    let text = "";
    for await (const piece of writer.write("ab", 3, 0)) text += piece;
    ends.push({ text });
  } catch (error) {
    ends.push({ kind: error.constructor.name, message: error.message });
  }
}
console.log(JSON.stringify(ends));
"""


def ask(tmp_path, manifests, size=5):
    script = tmp_path / "ask.mjs"
    script.write_text(_ASK)
    told = json.dumps({"manifests": manifests, "model": MODEL.decode(), "size": size})
    command = ["node", script, CLIENT, told]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


FORGED = [
    *([], None, 7, "x", {}, {"sha256": {}}, {"sha256": None}, {"vocabulary": None}, {"vocabulary": []}),
    *({"state": value} for value in (None, {}, "x", [None], ["x"], [[]])),
    *(
        {"state": [{**STATE, "shape": shape}]}
        for shape in (None, "x", [], [1, -1], [1, 0], [1, 10**11], [1, 2.5], [1, 2**20, 2**20], [1, "3"])
    ),
    *({"state": [{**STATE, **each}]} for each in ({"dtype": "object"}, {"next": "nothing"}, {"name": "nothing"})),
    *({"state": [{**STATE, **each}]} for each in ({"next": None}, {"name": ["state_0"]})),
    {"state": []},
    *({"encoder": value} for value in ("x", [1], {"vocabulary": 7}, {"vocabulary": VOCABULARY})),
    *(
        {"vocabulary": {**VOCABULARY, **each}}
        for each in (
            {"tokens": VOCABULARY["tokens"][:4]},
            {"tokens": [1, 2, 3, 4, 5]},
            {"tokens": "abcde"},
            {"tokens": None},
            {"writable": [False] * 5},
            {"writable": [1] * 5},
            {"writable": True},
            {"end": "x"},
            {"end": 5},
            {"end": -1},
            {"end": "length"},
            {"unknown": None},
            {"normalize": "XYZ"},
            {"lower": "yes"},
        )
    ),
]


def test_forged_manifests_are_refused_in_one_line(tmp_path):
    forged = [{**MANIFEST, **each} if isinstance(each, dict) and each else each for each in FORGED]
    spread = {**MANIFEST, "vocabulary": {**VOCABULARY, "step": "x", "write": 1, "__proto__": {"read": 1}}}
    texts = [json.dumps(each) for each in (MANIFEST, spread, *forged)]
    good, named, *bad = ask(tmp_path, [*texts, "{", '{"a": 1e999}', "\x00"])
    assert good == named == {"text": "bbb"}
    for case, end in zip([*FORGED, "cut", "huge", "binary"], bad, strict=True):
        assert end.get("kind") in ("Error", "SyntaxError"), (case, end)
        assert len(end["message"].splitlines()) == 1, (case, end)


def test_a_model_of_another_vocabulary_is_refused(tmp_path):
    (end,) = ask(tmp_path, [json.dumps(MANIFEST)], size=4)
    assert end["message"] == "the model has another vocabulary"
