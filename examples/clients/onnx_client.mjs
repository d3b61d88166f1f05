// Write with a model that `tfgen export MODEL DIRECTORY --format onnx` has made: nothing but ONNX Runtime Web, in a
// browser (index.html is a page around it) or in Node.

export class Writer {
  /** Open an export: `read` gives the bytes of one of its files, `ort` is the module of ONNX Runtime Web. */
  static async open(ort, read) {
    const manifest = JSON.parse(new TextDecoder().decode(await read("tfgen.json")));
    const model = await read("step.onnx");
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", model));
    if (Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") !== manifest.sha256["step.onnx"])
      throw new Error("step.onnx is not the file that was written");
    return new Writer(ort, await ort.InferenceSession.create(model), manifest);
  }

  constructor(ort, session, { state, vocabulary }) {
    Object.assign(this, { ort, session, states: state }, vocabulary); // tokens, unknown, end, writable
    const zeros = ({ shape }) => new ort.Tensor("float32", new Float32Array(shape[1]), [1, shape[1]]);
    this.begin = Object.fromEntries(state.map((each) => [each.name, zeros(each)]));
    this.ids = new Map(this.tokens.map((token, id) => [token, id]).slice(this.end));
    const longestFirst = [...this.ids.keys()].sort((a, b) => b.length - a.length); // characters, or words with a space
    const escaped = longestFirst.map((token) => token.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
    this.pieces = new RegExp([...escaped, "."].join("|"), "gsu");
  }

  /** Read one token: logits (V,) of the next one, and the new state. */
  async step(token, state) {
    const ids = new this.ort.Tensor("int32", Int32Array.of(token), [1]);
    const given = await this.session.run({ ids, ...state });
    return [given.logits.data, Object.fromEntries(this.states.map(({ name, next }) => [name, given[next]]))];
  }

  /** Read a text, which begins after the end of another one: logits of the next token, and the state there. */
  async read(text) {
    let [logits, state] = await this.step(this.end, this.begin);
    for (const piece of text.match(this.pieces) ?? [])
      [logits, state] = await this.step(this.ids.get(piece) ?? this.unknown, state);
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
  async *write(prompt = "", length = 200, temperature = 1, random = Math.random) {
    let [logits, state] = await this.read(prompt);
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
