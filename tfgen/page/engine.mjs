// A model that writes: what tfgen/instant does in NumPy, with the same draws, over typed arrays.

export const END = 2;

// --- matrices: as tfgen/page/kernel.py, whose sums have the same bits ------------------------------------------------

const ROWS = 16;
const padded = (n, to) => Math.ceil(n / to) * to;

function simd(kernel, memory) {
  const bytes = Uint8Array.from(atob(kernel), (c) => c.charCodeAt(0));
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), { m: { m: memory } }).exports.p;
}

// The kernel where a browser has no SIMD: addresses are of bytes here too.
function plain(floats) {
  const even = new Float32Array(ROWS);
  const odd = new Float32Array(ROWS);
  return (w, x, y, size, end) => {
    let at = w / 4;
    const limit = (x + size) / 4;
    for (let row = y / 4; row < end / 4; row += ROWS) {
      even.fill(0);
      odd.fill(0);
      for (let j = x / 4; j < limit; j += 2, at += 2 * ROWS) {
        const first = floats[j];
        const second = floats[j + 1];
        for (let i = 0; i < ROWS; i++) {
          even[i] += Math.fround(floats[at + i] * first);
          odd[i] += Math.fround(floats[at + ROWS + i] * second);
        }
      }
      for (let i = 0; i < ROWS; i++) floats[row + i] = even[i] + odd[i];
    }
  };
}

// Lays out matrices, given row by row, in one memory; each then has `times(x)`, which gives what is written over by
// the next call.
function placed(matrices, kernel) {
  const sizes = matrices.map(({ rows, columns }) => [padded(rows, ROWS), padded(columns, 2)]);
  const total = sizes.reduce((sum, [rows, columns]) => sum + rows * columns + rows + columns, 0);
  let memory = null;
  let floats;
  let product;
  try {
    memory = new WebAssembly.Memory({ initial: Math.ceil((total * 4) / 65536) + 1 });
    product = simd(kernel, memory);
    floats = new Float32Array(memory.buffer);
  } catch {
    floats = new Float32Array(total);
    product = plain(floats);
  }
  let free = 0;
  const take = (n) => (free += n) - n;
  matrices.forEach((matrix, m) => {
    const { rows, columns, values } = matrix;
    const [high, wide] = sizes[m];
    const [w, x, y] = [take(high * wide), take(wide), take(high)];
    for (let i = 0; i < rows; i++) {
      const at = w + Math.floor(i / ROWS) * ROWS * wide + (i % ROWS);
      for (let j = 0; j < columns; j++) floats[at + j * ROWS] = values[i * columns + j];
    }
    const out = floats.subarray(y, y + rows);
    matrix.values = null;
    matrix.times = (vector) => {
      floats.set(vector, x);
      product(w * 4, x * 4, y * 4, wide * 4, (y + high) * 4);
      return out;
    };
  });
  return matrices;
}

// --- weights --------------------------------------------------------------------------------------------------------

const half = new Float32Array(1 << 16);
for (let i = 0; i < 1 << 16; i++) {
  const exponent = (i >> 10) & 31;
  const size = exponent ? (1024 + (i & 1023)) * 2 ** (exponent - 25) : (i & 1023) * 2 ** -24;
  half[i] = i & 0x8000 ? -size : size;
}

// Reads one array after another, all as float32.
class Reader {
  constructor(bytes, type) {
    Object.assign(this, { bytes, type, at: 0 });
  }

  take(Type, n) {
    const size = n * Type.BYTES_PER_ELEMENT;
    const part = this.bytes.slice(this.at, this.at + size);
    this.at += size;
    return new Type(part.buffer);
  }

  next([rows, columns]) {
    if (columns === undefined || this.type === "float32") return this.take(Float32Array, rows * (columns ?? 1));
    if (this.type === "float16") return Float32Array.from(this.take(Uint16Array, rows * columns), (bits) => half[bits]);
    const scales = this.take(Float32Array, rows);
    const values = Float32Array.from(this.take(Int8Array, rows * columns));
    for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < columns; j++, at++) values[at] *= scales[i];
    return values;
  }
}

// --- layers ---------------------------------------------------------------------------------------------------------

// As exact as float32 needs, and twice as fast as Math.tanh.
function tanh(x) {
  const size = Math.abs(x);
  if (size < 1e-4) return x;
  const raised = Math.exp(-2 * size);
  const squashed = (1 - raised) / (1 + raised);
  return x < 0 ? -squashed : squashed;
}

const SQUASH = {
  linear: (x) => x,
  softmax: (x) => x, // of the head, whose logits are read
  relu: (x) => Math.max(x, 0),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh,
};

function lookup(table, wide) {
  return (id) => table.subarray(id * wide, (id + 1) * wide);
}

function affine(kernel, bias) {
  const out = new Float32Array(bias.length);
  return (x) => {
    const product = kernel.times(x);
    for (let i = 0; i < out.length; i++) out[i] = product[i] + bias[i];
    return out;
  };
}

// Each gives a function that takes what the layer reads, and what the layer keeps, which it changes; it gives its output.
const LAYERS = {
  lstm({ units: u, squash, gate, fed, recurrent }) {
    const z = new Float32Array(4 * u);
    return (x, kept) => {
      const rows = fed(x);
      const product = recurrent.times(kept.subarray(0, u));
      for (let i = 0; i < 4 * u; i++) z[i] = rows[i] + product[i];
      for (let i = 0; i < u; i++) {
        kept[u + i] = gate(z[u + i]) * kept[u + i] + gate(z[i]) * squash(z[2 * u + i]);
        kept[i] = gate(z[3 * u + i]) * squash(kept[u + i]);
      }
      return kept.subarray(0, u);
    };
  },
  gru({ units: u, squash, gate, fed, recurrent, last, state_bias: bias = new Float32Array(3 * u) }) {
    const update = new Float32Array(u);
    const reset = new Float32Array(u);
    return (x, kept) => {
      const rows = fed(x);
      const product = recurrent.times(kept);
      for (let i = 0; i < u; i++) {
        update[i] = gate(rows[i] + (product[i] + bias[i]));
        reset[i] = gate(rows[u + i] + (product[u + i] + bias[u + i]));
      }
      const third = 2 * u;
      if (last) {
        for (let i = 0; i < u; i++) reset[i] *= kept[i];
        reset.set(last.times(reset));
      } else for (let i = 0; i < u; i++) reset[i] *= Math.fround(product[third + i] + bias[third + i]);
      for (let i = 0; i < u; i++) {
        const g = squash(rows[third + i] + reset[i]);
        kept[i] = g + update[i] * (kept[i] - g);
      }
      return kept;
    };
  },
  rnn({ units: u, squash, fed, recurrent }) {
    return (x, kept) => {
      const rows = fed(x);
      const product = recurrent.times(kept);
      for (let i = 0; i < u; i++) kept[i] = squash(rows[i] + product[i]);
      return kept;
    };
  },
  embedding: ({ fed }) => fed,
  normalization({ units: u, epsilon, scale, offset }) {
    const out = new Float32Array(u);
    return (x) => {
      let mean = 0;
      for (let i = 0; i < u; i++) mean += x[i] / u;
      let variance = 0;
      for (let i = 0; i < u; i++) variance += (x[i] - mean) ** 2 / u;
      const by = 1 / Math.sqrt(variance + epsilon);
      for (let i = 0; i < u; i++) out[i] = (x[i] - mean) * by * scale[i] + offset[i];
      return out;
    };
  },
  dense: ({ fed, squash }) => (squash === SQUASH.linear || squash === SQUASH.softmax ? fed : (x) => fed(x).map(squash)),
};
const KEPT = { lstm: 2, gru: 1, rnn: 1 };

export class Network {
  // Takes the layers of a header and the bytes of their weights; without a kernel the products are plain JavaScript.
  constructor({ layers, weights, kernel }, bytes) {
    const reader = new Reader(bytes, weights);
    const matrices = [];
    const matrix = (values, rows, columns) => matrices[matrices.push({ rows, columns, values }) - 1];
    let at = 0;
    this.layers = layers.map((layer) => {
      const { kind, units, arrays: shapes } = layer;
      const arrays = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, reader.next(shape)]));
      const made = { ...layer, ...arrays, squash: SQUASH[layer.activation], gate: SQUASH[layer.recurrent_activation] };
      if (arrays.table) made.fed = lookup(arrays.table, shapes.table[1]);
      if (arrays.kernel) made.fed = affine(matrix(arrays.kernel, ...shapes.kernel), arrays.bias);
      if (arrays.recurrent) {
        const all = shapes.recurrent[0];
        const before = kind === "gru" && !layer.reset_after ? 2 * units : all; // what is read before a reset
        made.recurrent = matrix(arrays.recurrent.subarray(0, before * units), before, units);
        if (before < all) made.last = matrix(arrays.recurrent.subarray(before * units), all - before, units);
      }
      const kept = (KEPT[kind] ?? 0) * units;
      at += kept;
      return { kind, units, at: at - kept, kept, step: LAYERS[kind](made) };
    });
    placed(matrices, kernel);
    this.size = at;
    this.cells = this.layers.filter(({ kept }) => kept);
    this.units = this.cells.reduce((sum, { units }) => sum + units, 0);
  }

  start() {
    return new Float32Array(this.size);
  }

  // Reads one more id, changes the state, and gives the logits, which are written over by the next step.
  step(id, state) {
    let x = id;
    for (const { at, kept, step } of this.layers) x = step(x, state.subarray(at, at + kept));
    return x;
  }

  // What unit k of all recurrent layers gives out in a state, from -1 to 1 where it squashes by tanh.
  unit(k, state) {
    for (const { at, units } of this.cells) {
      if (k < units) return state[at + k];
      k -= units;
    }
    return 0;
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

// The draws in [0, 1) of the first row, by step; the seed is a BigInt of 64 bits.
export function draws(seed) {
  const halves = [Number(BigInt.asUintN(32, seed)), Number(BigInt.asUintN(64, seed) >> 32n)];
  let block = -1;
  let mixed;
  return (step) => {
    if (step >>> 8 !== block) {
      block = step >>> 8;
      mixed = philox([...halves, block, 0], [0x3ec8f720, 0x02461e29]);
    }
    const words = philox([(step & 255) >>> 1, 0, mixed[2], mixed[3]], mixed);
    const [high, low] = step & 1 ? [words[2], words[3]] : words;
    return ((high & 0xfffff) * 2 ** 32 + low) * 2 ** -52;
  };
}

// --- the sampler: as tfgen/instant/chain.py, on float64 -------------------------------------------------------------

function largest(logits) {
  let most = -Infinity;
  for (let i = 0; i < logits.length; i++) if (logits[i] > most) most = logits[i];
  return most;
}

export function softmax(logits) {
  const most = largest(logits);
  const raised = new Float64Array(logits.length);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += raised[i] = Math.exp(logits[i] - most);
  for (let i = 0; i < logits.length; i++) raised[i] *= 1 / sum;
  return raised;
}

// Keep the tokens whose strictly larger logits weigh less than the limit together.
function leading(logits, weigh, limit) {
  const sorted = logits.slice().sort().reverse();
  const weights = weigh(sorted);
  let n = 0;
  for (let before = 0; n < sorted.length && before < limit; n++) before += weights[n];
  const least = sorted[n - 1];
  return logits.map((x) => (x >= least ? x : -Infinity));
}

export function shaped(logits, counts, { repetition_penalty, temperature = 1, top_k, top_p, min_p }) {
  let x = logits;
  if (repetition_penalty !== undefined) {
    const most = largest(x);
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += Math.exp(x[i] - most);
    const total = Math.log(sum);
    x = x.map((each, i) => (each - most - total) * (counts[i] ? repetition_penalty : 1));
  }
  const most = largest(x);
  const first = x.indexOf(most);
  if (temperature) x = x.map((each) => (each - most) / temperature);
  else x = x.map((_, i) => (i === first ? 0 : -Infinity));
  if (top_k !== undefined) x = leading(x, (sorted) => sorted.map(() => 1), top_k);
  if (top_p !== undefined && top_p < 1) x = leading(x, softmax, top_p);
  if (min_p !== undefined) {
    const least = largest(x) + Math.log(min_p);
    x = x.map((each) => (each >= least ? each : -Infinity));
  }
  return x;
}

// The token that a draw falls on; -1 where there is none, since the logits are NaN.
export function select(logits, draw) {
  const p = softmax(logits);
  let sum = 0;
  for (let i = 0; i < p.length; i++) p[i] = sum += p[i];
  for (let i = 0; i < p.length; i++) if (p[i] > draw * sum) return i;
  return -1;
}

// --- texts ----------------------------------------------------------------------------------------------------------

// Brings a text into the form that was learned from, as tfgen/corpora/forms.py does.
export function inForm(text, { normalize, lower }) {
  const normal = (each) => (normalize ? each.normalize(normalize) : each);
  return lower ? normal(normal(text).replaceAll("\u03a3", "\u03c3").toLowerCase()) : normal(text);
}

// --- reading and writing --------------------------------------------------------------------------------------------

const SPACING = 64; // tokens between two states that are kept
const REMEMBERED = 20_000; // tokens that can be gone back to

// A text that was read so far: of each token its surprise in bits and its rank; and the logits of the next one.
export class Reading {
  constructor(model) {
    Object.assign(this, { model, ids: [], bits: [], ranks: [], marks: [], steps: 0, state: model.network.start() });
    this.counts = new Uint32Array(model.tokens.length);
    this.logits = new Float32Array(model.tokens.length);
    this.step(END); // every text begins after the end of another
  }

  step(id) {
    if (this.steps % SPACING === 0 && this.steps < REMEMBERED) this.marks.push(this.state.slice());
    this.steps += 1;
    this.logits.set(this.model.network.step(id, this.state));
  }

  read(id) {
    const { logits } = this;
    const most = largest(logits);
    let sum = 0;
    let rank = 1;
    for (let i = 0; i < logits.length; i++) {
      sum += Math.exp(logits[i] - most);
      if (logits[i] > logits[id]) rank += 1;
    }
    this.bits.push((Math.log(sum) + most - logits[id]) / Math.LN2);
    this.ranks.push(rank);
    this.ids.push(id);
    if (id > END) this.counts[id] += 1;
    this.step(id);
  }

  // Another reading, of the first n tokens.
  before(n = this.ids.length) {
    const { model, ids, bits, ranks, marks } = this;
    const mark = Math.min(Math.floor(n / SPACING), marks.length - 1);
    const other = Object.create(Reading.prototype);
    Object.assign(other, { model, ids: ids.slice(0, n), bits: bits.slice(0, n), ranks: ranks.slice(0, n) });
    Object.assign(other, { marks: marks.slice(0, mark), steps: mark * SPACING, state: marks[mark].slice() });
    other.counts = new Uint32Array(model.tokens.length);
    other.logits = new Float32Array(model.tokens.length);
    for (const id of other.ids) if (id > END) other.counts[id] += 1;
    while (other.steps <= n) other.step(other.steps ? ids[other.steps - 1] : END);
    return other;
  }

  // The likeliest tokens that may come next: pairs of an id and a probability.
  likeliest(n) {
    const p = softmax(Float64Array.from(this.logits));
    const ids = [...p.keys()].filter((id) => this.model.writable[id]);
    return ids.sort((a, b) => p[b] - p[a] || a - b).slice(0, n).map((id) => [id, p[id]]);
  }

  // Writes on, token by token, up to an end of text or a stop string, which is no part of it; `begun` draws were used
  // up before.
  *write(length, seed, { stop = [], ...settings } = {}, begun = 0) {
    const { writable, tokens } = this.model;
    const longest = Math.max(0, ...stop.map((each) => each.length));
    let end = "";
    const draw = draws(seed);
    for (let t = begun; t < begun + length; t++) {
      const allowed = new Float64Array(tokens.length).fill(-Infinity);
      for (let i = 0; i < allowed.length; i++) if (writable[i]) allowed[i] = this.logits[i];
      const id = select(shaped(allowed, this.counts, settings), draw(t));
      if (id < 0) throw new Error("the network's output is NaN: its weights are damaged");
      if (id === END) return;
      this.read(id);
      end = longest ? (end + tokens[id]).slice(-longest) : "";
      const met = stop.filter((each) => end.endsWith(each)).map((each) => [...each].length);
      if (met.length) return void Object.assign(this, this.before(this.ids.length - Math.max(...met)));
      yield id;
    }
  }
}

export class Model {
  constructor(header, bytes) {
    this.tokens = ["", "[UNK]", "\u0003", ...header.characters];
    this.header = header;
    this.network = new Network(header, bytes);
    this.writable = this.tokens.map((_, i) => i > END || (i === END && header.ends));
    this.ids = new Map(this.tokens.map((token, i) => [token, i]).slice(END));
  }

  // A text in the form that was learned from, as characters, and the id of each; undefined for what is unknown.
  encode(text) {
    const characters = [...inForm(text, this.header)];
    return { characters, ids: characters.map((character) => this.ids.get(character)) };
  }

  // The states after each of some ids; each is written over by the next one.
  *states(ids) {
    const state = this.network.start();
    this.network.step(END, state);
    for (const id of ids) {
      this.network.step(id, state);
      yield state;
    }
  }

  // What is written after a prompt, at once; characters that the model does not know are left out of the prompt.
  write(prompt, length, seed, settings = {}) {
    const reading = new Reading(this);
    for (const id of this.encode(prompt).ids) if (id !== undefined) reading.read(id);
    const begun = reading.ids.length;
    for (const _ of reading.write(length, seed, settings));
    return reading.ids.slice(begun).map((id) => this.tokens[id]).join("");
  }
}
