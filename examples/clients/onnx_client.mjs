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

export class Writer {
  /** Open an export: `read` gives the bytes of one of its files, `ort` is the module of ONNX Runtime Web. */
  static async open(ort, read) {
    const manifest = JSON.parse(new TextDecoder().decode(await read("tfgen.json")));
    const load = async (name) => {
      const model = await read(name);
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", model));
      if (Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") !== manifest.sha256[name])
        throw new Error(`${name} is not the file that was written`);
      return ort.InferenceSession.create(model);
    };
    return new Writer(ort, manifest, await load("step.onnx"), manifest.encoder && (await load("encode.onnx")));
  }

  constructor(ort, { state, vocabulary, encoder }, session, encoding) {
    Object.assign(this, { ort, session, encoding, states: state, sources: encoder?.vocabulary });
    Object.assign(this, vocabulary); // tokens, end, writable
    const zeros = ({ shape }) => new ort.Tensor("float32", new Float32Array(shape[1]), [1, shape[1]]);
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
