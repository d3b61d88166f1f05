// A model that writes, in plain JavaScript: what tfgen/instant does in NumPy, with the same draws. Numbers are kept in
// float32 and added up in float64.

const END = 2;
const SQUASH = {
  linear: (x) => x,
  softmax: (x) => x, // of the head, whose logits are read
  relu: (x) => Math.max(x, 0),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
};

function floats(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

// out[i] = bias[i] + the product of row i of the matrix and x, from row `begin` to row `end`.
function product(matrix, x, bias, begin = 0, end = bias.length) {
  const out = new Float32Array(bias.length);
  const n = x.length;
  for (let i = begin; i < end; i++) {
    let sum = 0;
    for (let j = 0, at = i * n; j < n; j++, at++) sum += matrix[at] * x[j];
    out[i] = sum + bias[i];
  }
  return out;
}

function rowsOf(layer, x) {
  const { table, kernel, bias } = layer.arrays;
  if (!table) return product(kernel, x, bias);
  const wide = layer.arrays.state_bias.length;
  return table.subarray(x * wide, (x + 1) * wide);
}

// Each step takes a layer, what it reads and what it keeps: it gives its output, and what it keeps then.
const STEPS = {
  lstm(layer, x, [h, c]) {
    const { units: u, squash, gate, arrays } = layer;
    const rows = rowsOf(layer, x);
    const z = product(arrays.recurrent, h, arrays.state_bias).map((value, i) => value + rows[i]);
    const after = c.map((value, i) => gate(z[u + i]) * value + gate(z[i]) * squash(z[2 * u + i]));
    const out = after.map((value, i) => gate(z[3 * u + i]) * squash(value));
    return [out, [out, after]];
  },
  gru(layer, x, [h]) {
    const { units: u, squash, gate, arrays } = layer;
    const rows = rowsOf(layer, x);
    const first = product(arrays.recurrent, h, arrays.state_bias, 0, layer.reset_after ? 3 * u : 2 * u);
    const r = h.map((_, i) => gate(rows[u + i] + first[u + i]));
    const last = layer.reset_after
      ? first.map((value, i) => (i < 2 * u ? 0 : r[i - 2 * u] * value))
      : product(arrays.recurrent, h.map((value, i) => r[i] * value), arrays.state_bias, 2 * u);
    const out = h.map((value, i) => {
      const g = squash(rows[2 * u + i] + last[2 * u + i]);
      return g + gate(rows[i] + first[i]) * (value - g);
    });
    return [out, [out]];
  },
  rnn(layer, x, [h]) {
    const rows = rowsOf(layer, x);
    const out = product(layer.arrays.recurrent, h, layer.arrays.state_bias).map((v, i) => layer.squash(v + rows[i]));
    return [out, [out]];
  },
  embedding: ({ units, arrays }, x) => [arrays.kernel.subarray(x * units, (x + 1) * units), []],
  normalization({ arrays, epsilon }, x) {
    const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
    const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
    const scale = 1 / Math.sqrt(variance + epsilon);
    return [x.map((value, i) => (value - mean) * scale * arrays.scale[i] + arrays.offset[i]), []];
  },
  dense: ({ arrays, squash }, x) => [product(arrays.kernel, x, arrays.bias).map(squash), []],
};
const KEPT = { lstm: 2, gru: 1, rnn: 1 };

export class Network {
  constructor(layers) {
    this.layers = layers.map((layer) => ({
      ...layer,
      arrays: Object.fromEntries(Object.entries(layer.arrays).map(([name, text]) => [name, floats(text)])),
      squash: SQUASH[layer.activation],
      gate: SQUASH[layer.recurrent_activation],
    }));
  }

  start() {
    const zeros = (layer) => Array.from({ length: KEPT[layer.kind] ?? 0 }, () => new Float32Array(layer.units));
    return this.layers.map(zeros);
  }

  // The logits after one more id, and the state then; the state that is given stays as it is.
  step(id, state) {
    let x = id;
    const after = this.layers.map((layer, i) => {
      const [out, kept] = STEPS[layer.kind](layer, x, state[i]);
      x = out;
      return kept;
    });
    return [x, after];
  }
}

// --- draws: Philox4x32-10, as tfgen/terms/draws.py ------------------------------------------------------------------

function wide(a, b) {
  const low = (a & 0xffff) * b; // below 2 ** 48: exact
  const high = (a >>> 16) * b + Math.floor(low / 0x10000);
  return [Math.floor(high / 0x10000) >>> 0, Math.imul(a, b) >>> 0];
}

function philox([a, b, c, d], [k, l]) {
  for (let i = 0; i < 10; i++) {
    const [high, low] = wide(0xd2511f53, a);
    const [high2, low2] = wide(0xcd9e8d57, c);
    [a, b, c, d] = [(high2 ^ b ^ k) >>> 0, low2, (high ^ d ^ l) >>> 0, low];
    k = (k + 0x9e3779b9) >>> 0;
    l = (l + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}

// The draw in [0, 1) of a step of the first row; the seed is a BigInt of 64 bits.
export function uniform(seed, step) {
  const halves = [Number(BigInt.asUintN(32, seed)), Number(BigInt.asUintN(64, seed) >> 32n), step >>> 8, 0];
  const mixed = philox(halves, [0x3ec8f720, 0x02461e29]);
  const words = philox([(step & 255) >>> 1, 0, mixed[2], mixed[3]], mixed.slice(0, 2));
  const [high, low] = step & 1 ? words.slice(2) : words;
  return ((high & 0xfffff) * 2 ** 32 + low) * 2 ** -52;
}

// --- the sampler: as tfgen/instant/chain.py -------------------------------------------------------------------------

const largest = (logits) => logits.reduce((a, b) => Math.max(a, b), -Infinity);

export function softmax(logits) {
  const most = largest(logits);
  const raised = logits.map((x) => Math.exp(x - most));
  const scale = 1 / raised.reduce((a, b) => a + b, 0);
  return raised.map((x) => x * scale);
}

// Keep the tokens whose strictly larger logits weigh less than the limit together.
function leading(logits, weights, limit) {
  const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
  let least = Infinity;
  let before = 0;
  for (const i of order) {
    if (before < limit) least = Math.min(least, logits[i]);
    before += weights[i];
  }
  return logits.map((x) => (x >= least ? x : -Infinity));
}

export function shaped(logits, counts, { repetition_penalty, temperature = 1, top_k, top_p, min_p }) {
  let x = logits;
  if (repetition_penalty !== undefined) {
    const most = largest(x);
    const total = Math.log(x.reduce((sum, each) => sum + Math.exp(each - most), 0));
    x = x.map((each, i) => (each - most - total) * (counts[i] ? repetition_penalty : 1));
  }
  const most = largest(x);
  const first = x.indexOf(most);
  if (temperature) x = x.map((each) => (each - most) / temperature);
  else x = x.map((_, i) => (i === first ? 0 : -Infinity));
  if (top_k !== undefined) x = leading(x, new Float64Array(x.length).fill(1), top_k);
  if (top_p !== undefined && top_p < 1) x = leading(x, softmax(x), top_p);
  if (min_p !== undefined) {
    const least = largest(x) + Math.log(min_p);
    x = x.map((each) => (each >= least ? each : -Infinity));
  }
  return x;
}

export function select(logits, draw) {
  let sum = 0;
  const cumulative = softmax(logits).map((p) => (sum += p));
  return cumulative.findIndex((p) => p > draw * sum);
}

// --- text -----------------------------------------------------------------------------------------------------------

export class Writer {
  constructor({ tokens, ends, layers }) {
    this.tokens = tokens;
    this.network = new Network(layers);
    this.writable = tokens.map((_, i) => i > END || (i === END && ends));
    this.ids = new Map(tokens.map((token, i) => [token, i]).slice(END));
  }

  // What is written after the prompt; characters that the model does not know are left out of the prompt.
  write(prompt, length, seed, settings = {}) {
    const counts = new Uint32Array(this.tokens.length);
    const read = [...prompt].map((c) => this.ids.get(c)).filter((id) => id !== undefined);
    let [logits, state] = this.network.step(END, this.network.start());
    const take = (id) => {
      if (id > END) counts[id] += 1;
      [logits, state] = this.network.step(id, state);
    };
    read.forEach(take);
    let text = "";
    for (let t = 0; t < length; t++) {
      const allowed = Float64Array.from(logits, (x, i) => (this.writable[i] ? x : -Infinity));
      const id = select(shaped(allowed, counts, settings), uniform(seed, t));
      if (id < 0) throw new Error("the network's output is NaN: its weights are damaged");
      if (id === END) break;
      text += this.tokens[id];
      take(id);
    }
    return text;
  }
}
