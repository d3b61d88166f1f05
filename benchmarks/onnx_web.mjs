// What an ONNX export costs in JavaScript: a row of the table of deploy.py, from ONNX Runtime Web as browsers run it.
//
// Usage: node benchmarks/onnx_web.mjs DIRECTORY TEXT [LENGTH], where `npm install onnxruntime-web` was run

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { Writer } from "../examples/clients/onnx_client.mjs";

const [directory, text, length = 2000] = process.argv.slice(2);
const seconds = () => performance.now() / 1000;

const begun = seconds();
const ort = createRequire(`${process.cwd()}/`)("onnxruntime-web");
const writer = await Writer.open(ort, (name) => readFile(`${directory}/${name}`));
await writer.read("");
const first = seconds() - begun;

let fastest = 0;
for (let turn = 0; turn < 3; turn++) {
  const from = seconds();
  let written = "";
  for await (const piece of writer.write("", Number(length))) written += piece;
  fastest = Math.max(fastest, written.length / (seconds() - from));
}
const memory = process.resourceUsage().maxRSS / 1024;

const content = await readFile(text, "utf8");
let [logits, state] = await writer.read("");
let nats = 0;
for (const token of writer.ids(content)) {
  const most = Math.max(...logits);
  nats += Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0)) + most - logits[token];
  [logits, state] = await writer.step(token, state);
}
const bits = nats / content.length / Math.log(2);
console.log(`| onnx, in JavaScript | | ${memory.toFixed()} | ${first.toFixed(2)} | ${fastest.toFixed()} | ${bits.toFixed(4)} |`);
