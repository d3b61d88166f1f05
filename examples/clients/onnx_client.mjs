// Write with a model that `tfgen export MODEL DIRECTORY --format onnx` has made: nothing but ONNX Runtime Web, in a
// browser (index.html is a page around it) or in Node.

/** Give a function from a text to ids: of characters, or of the longest words known, with the space before them. */
function reader({ tokens, unknown, end, normalize, lower }) {
  const ids = new Map(tokens.map((token, id) => [token, id]).slice(end));
  const longestFirst = [...ids.keys()].sort((a, b) => b.length - a.length);
  const escaped = longestFirst.map((token) => token.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  const pieces = new RegExp([...escaped, "."].join("|"), "gsu");
  const normal = (text) => (normalize ? text.normalize(normalize) : text);
  // Each character is made lower by itself.
  const inForm = (text) => (lower ? normal(normal(text).replaceAll("\u03a3", "\u03c3").toLowerCase()) : normal(text));
  return (text) => (inForm(text).match(pieces) ?? []).map((piece) => ids.get(piece) ?? unknown);
}

const LARGEST_MANIFEST = 2 ** 26; // bytes
const LARGEST_MODEL = 2 ** 31; // bytes
const LARGEST_STATE = 2 ** 28; // numbers

const check = (holds, wrong) => {
  if (!holds) throw new Error(wrong);
};

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Refuse what is no vocabulary: an export of other people's may say anything. */
function checkVocabulary(vocabulary, ids) {
  const { tokens, normalize, lower } = vocabulary ?? {};
  const known = Array.isArray(tokens) && tokens.every((token) => typeof token === "string");
  const within = known && ids.every((id) => Number.isInteger(vocabulary[id]) && tokens[vocabulary[id]] !== undefined);
  const form = [null, undefined, "NFC", "NFD", "NFKC", "NFKD"].includes(normalize);
  check(within && form && [true, false, undefined].includes(lower), "the vocabulary that it describes is none");
}

/** Refuse a manifest that describes no model. */
function checkManifest(manifest) {
  check(isObject(manifest) && isObject(manifest.sha256), "tfgen.json describes no model");
  const { vocabulary, state, encoder } = manifest;
  checkVocabulary(vocabulary, ["unknown", "end"]);
  const { writable, tokens } = vocabulary;
  const flags = Array.isArray(writable) && writable.length === tokens.length && writable.includes(true);
  check(flags && writable.every((flag) => typeof flag === "boolean"), "the vocabulary that it describes is none");
  check(Array.isArray(state) && state.every(isState), "the state that it describes is none, or is too large");
  check(isObject(encoder ?? {}), "the encoder that it describes is none");
  if (encoder?.vocabulary !== undefined) checkVocabulary(encoder.vocabulary, ["unknown", "end", "closed_by"]);
}

const ARRAYS = { float32: Float32Array, int32: Int32Array };
const product = (sizes) => sizes.reduce((a, b) => a * b, 1);

/** Whether this describes a tensor, of a place a row, which the next step takes under another name. */
function isState(each) {
  const { name, next, shape, dtype } = each ?? {};
  const named = typeof name === "string" && typeof next === "string" && Object.hasOwn(ARRAYS, dtype);
  const sizes = Array.isArray(shape) && shape.length > 0 ? shape.slice(1) : [0];
  return named && sizes.every((size) => Number.isInteger(size) && size > 0) && product(sizes) <= LARGEST_STATE;
}

/** Refuse a model of other inputs and outputs than its manifest describes. */
function checkNames({ state }, session, encoding) {
  const given = new Set(["ids", ...state.map(({ name }) => name), ...(encoding?.outputNames ?? [])]);
  const made = ["logits", ...state.map(({ next }) => next)];
  const known = session.inputNames.every((name) => given.has(name));
  check(known && made.every((name) => session.outputNames.includes(name)), "the model takes another state");
}

export class Writer {
  /** Open an export: `read` gives the bytes of one of its files, `ort` is the module of ONNX Runtime Web. */
  static async open(ort, read) {
    const content = async (name, most) => {
      const bytes = await read(name);
      check(bytes.byteLength <= most, `${name} has more than ${most} bytes`);
      return bytes;
    };
    const manifest = JSON.parse(new TextDecoder().decode(await content("tfgen.json", LARGEST_MANIFEST)));
    checkManifest(manifest);
    const load = async (name) => {
      const model = await content(name, LARGEST_MODEL);
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", model));
      const written = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
      check(written === manifest.sha256[name], `${name} is not the file that was written`);
      return ort.InferenceSession.create(model);
    };
    const session = await load("step.onnx");
    const encoding = manifest.encoder && (await load("encode.onnx"));
    checkNames(manifest, session, encoding);
    return new Writer(ort, manifest, session, encoding);
  }

  constructor(ort, { state, vocabulary, encoder }, session, encoding) {
    Object.assign(this, { ort, session, encoding, states: state, sources: encoder?.vocabulary });
    const { tokens, end, writable } = vocabulary;
    Object.assign(this, { tokens, end, writable });
    const zeros = ({ shape: [, ...sizes], dtype }) =>
      new ort.Tensor(dtype, new ARRAYS[dtype](product(sizes)), [1, ...sizes]);
    this.zeros = Object.fromEntries(state.map((each) => [each.name, zeros(each)]));
    this.ids = reader(vocabulary);
    this.sourceIds = this.sources && reader(this.sources);
  }

  /** Give what the first step takes: zeros, or what the encoder makes of a source, a text or tensors by name. */
  async begin(source) {
    if (!this.encoding) return this.zeros;
    if (!this.sources) return this.encoding.run(source);
    const ids = Int32Array.of(...this.sourceIds(source), this.sources.closed_by);
    return this.encoding.run({ sources: new this.ort.Tensor("int32", ids, [1, ids.length]) });
  }

  /** Read one token: logits (V,) of the next one, and what the next step takes; what was encoded stays. */
  async step(token, state) {
    const ids = new this.ort.Tensor("int32", Int32Array.of(token), [1]);
    const given = await this.session.run({ ids, ...state });
    check(given.logits.data.length === this.tokens.length, "the model has another vocabulary");
    const after = Object.fromEntries(this.states.map(({ name, next }) => [name, given[next]]));
    return [given.logits.data, { ...state, ...after }];
  }

  /** Read a text, which begins after the end of another one: logits of the next token, and the state there. */
  async read(text, source) {
    let [logits, state] = await this.step(this.end, await this.begin(source));
    for (const token of this.ids(text)) [logits, state] = await this.step(token, state);
    return [logits, state];
  }

  /** Give the distribution (V,) that the next token is drawn from; temperature 0 takes the likeliest. */
  probabilities(logits, temperature) {
    const allowed = Float64Array.from(logits, (logit, id) => (this.writable[id] ? logit : -Infinity));
    const most = allowed.reduce((a, b) => Math.max(a, b));
    const likeliest = allowed.indexOf(most);
    const weights = temperature
      ? allowed.map((logit) => Math.exp((logit - most) / temperature))
      : allowed.map((_, id) => Number(id === likeliest));
    const sum = weights.reduce((a, b) => a + b);
    return weights.map((weight) => weight / sum);
  }

  /** Give the text that follows a prompt, token by token. */
  async *write(prompt = "", length = 200, temperature = 1, random = Math.random, source = undefined) {
    let [logits, state] = await this.read(prompt, source);
    for (let written = 0; written < length; written++) {
      let sum = 0;
      const cumulative = this.probabilities(logits, temperature).map((probability) => (sum += probability));
      const drawn = random() * sum;
      const token = cumulative.findIndex((each) => each > drawn);
      if (token === this.end) return;
      yield this.tokens[token];
      [logits, state] = await this.step(token, state);
    }
  }
}
