"""A generator exported to ONNX writes what Python writes in JavaScript, with ONNX Runtime Web as browsers run it."""

import json
import pathlib
import shutil
import subprocess
import sys

import clients_support as clients
import pytest

CLIENT = clients.CLIENTS / "onnx_client.mjs"
ARRAYS = ("a picture", "two inputs")
PLACE = pathlib.Path(sys.prefix)  # where npm installs packages for this environment

if shutil.which("node") is None or not (PLACE / "node_modules" / "onnxruntime-web").is_dir():
    pytest.skip(f"npm install --prefix {PLACE} onnxruntime-web: not done, or no Node", allow_module_level=True)

# What the client says of prompts, as `clients_support.ask` asks the other clients.
_ASK = """
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
const [client, directory, asked] = process.argv.slice(2);
const { Writer } = await import(pathToFileURL(client));
const ort = createRequire(`${process.cwd()}/`)("onnxruntime-web");
const { prompts, sources, temperatures, length } = JSON.parse(asked);
const writer = await Writer.open(ort, (name) => readFile(`${directory}/${name}`));
const text = async (...settings) => {
  let written = "";
  for await (const piece of writer.write(...settings)) written += piece;
  return written;
};
// A source is a text, or numbers in lists in lists.
const shape = (value) => (Array.isArray(value) ? [value.length, ...shape(value[0])] : []);
const tensor = (value) => new ort.Tensor("float32", Float32Array.from([value].flat(Infinity)), [1, ...shape(value)]);
const tensors = (source) => Object.fromEntries(Object.entries(source).map(([name, value]) => [name, tensor(value)]));
const answers = [];
for (const [i, prompt] of prompts.entries()) {
  const source = sources && typeof sources[i] === "object" ? tensors(sources[i]) : sources?.[i];
  const [logits] = await writer.read(prompt, source);
  answers.push({
    logits: Array.from(logits),
    probabilities: temperatures.map((t) => Array.from(writer.probabilities(logits, t))),
    greedy: await text(prompt, length, 0, Math.random, source),
    drawn: await text(prompt, length, 1, Math.random, source),
  });
}
console.log(JSON.stringify(answers));
"""


@pytest.fixture(name="ask")
def ask_fixture(tmp_path):
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed: pip install '.[onnx]'")
    script = tmp_path / "ask.mjs"
    script.write_text(_ASK)

    def ask(directory, prompts, sources=None):
        asked = {"prompts": prompts, "sources": sources, "temperatures": clients.TEMPERATURES, "length": clients.LENGTH}
        command = ["node", script, CLIENT, directory, json.dumps(asked)]
        return subprocess.run(command, cwd=PLACE, capture_output=True, text=True, timeout=300, check=False)

    return ask


@pytest.mark.parametrize("case", clients.CASES)
def test_the_client_is_python(case, ask, tmp_path):
    generator, prompts = clients.generator_of(case), clients.prompts_of(case)
    generator.export(tmp_path / "model", "onnx")
    done = ask(tmp_path / "model", prompts)
    assert done.returncode == 0, done.stderr
    clients.assert_is_pythons(generator, prompts, json.loads(done.stdout))

    whole = (tmp_path / "model" / "step.onnx").read_bytes()
    (tmp_path / "model" / "step.onnx").write_bytes(whole[:-1])
    done = ask(tmp_path / "model", prompts)
    assert done.returncode == 1
    assert "step.onnx is not the file that was written" in done.stderr


@pytest.mark.parametrize("case", ["a text", *(pytest.param(each, marks=pytest.mark.slow) for each in ARRAYS)])
def test_the_client_encodes_sources_as_python_does(case, ask, tmp_path):
    generator, prompts = clients.generator_of(case), ["", "the", "why. the X漢", "the quick brown"]
    sources, told = clients.sources_of(generator, len(prompts), seed=1)
    generator.export(tmp_path / "model", "onnx")
    done = ask(tmp_path / "model", prompts, told)
    assert done.returncode == 0, done.stderr
    clients.assert_is_pythons(generator, prompts, json.loads(done.stdout), sources)
