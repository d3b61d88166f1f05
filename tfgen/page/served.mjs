// A model that the server of this page writes with: what engine.mjs does here, asked for by the completions protocol.

import { inForm } from "./engine.mjs";

const PATIENCE = 40; // milliseconds without newer work, after which the server is asked
const AGAIN = [300, 1000, 3000]; // milliseconds until a server that is full is asked again
const OTHERS = 10; // likeliest tokens of each place

const pause = (milliseconds) => new Promise((go) => setTimeout(go, milliseconds));

// What a server says is wrong.
export class Refusal extends Error {}

// Reads server-sent events as what is in them.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const told = part.replace(/^data: /, "");
      if (told === "[DONE]") return;
      yield JSON.parse(told);
    }
  }
}

// A text that the server has written so far: of each token the id, its surprise in bits, its rank among those that were
// told, and these: pairs of an id and a probability. What nobody has told of a token is null.
export class Told {
  constructor(model, prompt) {
    Object.assign(this, { model, prompt, ids: [], bits: [], ranks: [], others: [] });
  }

  // Takes a token that is there already; `earlier` is a text in which it may have been told of.
  read(id, earlier) {
    const at = this.ids.length;
    const same = earlier?.prompt === this.prompt && this.ids.every((each, i) => each === earlier.ids[i]);
    this.take(id, same ? earlier.others[at] : null);
  }

  take(id, others, p = others?.find(([each]) => each === id)?.[1]) {
    this.ids.push(id);
    this.others.push(others ?? null);
    this.bits.push(p === undefined ? null : -Math.log2(p));
    const rank = others?.findIndex(([each]) => each === id) ?? -1;
    this.ranks.push(rank < 0 || rank >= OTHERS ? null : rank + 1); // what is written is told of beside the likeliest
  }

  // The same text up to a token, which may be told of then.
  before(n = this.ids.length) {
    const other = new Told(this.model, this.prompt);
    for (const name of ["ids", "bits", "ranks", "others"]) other[name] = this[name].slice(0, n);
    other.next = this.others[n];
    return other;
  }

  likeliest(n) {
    return this.next?.slice(0, n) ?? null;
  }

  async *write(length, seed, settings, begun, signal) {
    const { model } = this;
    const most = Math.min(length, model.served.length);
    if (most < 1 || model.source === null) return; // nothing is drawn yet
    await pause(PATIENCE);
    const prompt = this.prompt + this.ids.map((id) => model.tokens[id]).join("");
    const asked = { prompt, max_tokens: most, drawn: begun, logprobs: OTHERS, stream: true, ...settings };
    const answer = await model.ask("/v1/completions", asked, signal, seed);
    for await (const event of events(answer.body)) {
      if (event.error) throw new Refusal(event.error.message);
      const told = event.choices[0]?.logprobs;
      for (const [i, token] of (told?.tokens ?? []).entries()) {
        const others = Object.entries(told.top_logprobs[i]).map(([each, log]) => [model.idOf(each), Math.exp(log)]);
        const id = model.idOf(token);
        this.take(id, others.sort((a, b) => b[1] - a[1]), Math.exp(told.token_logprobs[i]));
        yield id;
      }
    }
  }
}

export class ServedModel {
  // Takes the header of a page, and the token that its server wants, if it does.
  constructor(header, token) {
    Object.assign(this, { header, served: header.served, token, source: "" });
    this.tokens = ["", "[UNK]", "\u0003", ...(header.characters ?? [])];
    this.ids = new Map(this.tokens.map((each, id) => [each, id]));
  }

  // Tokens have ids in the order in which they are heard of, after the characters of the vocabulary.
  idOf(token) {
    if (!this.ids.has(token)) this.ids.set(token, this.tokens.push(token) - 1);
    return this.ids.get(token);
  }

  // A prompt as characters, each with -1 if it is unknown; undefined says that nothing is told of it.
  read(text) {
    const characters = [...inForm(text, this.header)];
    const known = (character) => !this.header.characters || this.ids.has(character);
    const tokens = characters.map((character) => (known(character) ? undefined : -1));
    return { reading: new Told(this, text), characters, tokens };
  }

  async ask(path, body, signal, seed = 0n) {
    const { model, source } = this.served;
    const told = JSON.stringify({ model, unknown: "skip", ...(source && { source: this.source }), ...body });
    const headers = { "Content-Type": "application/json", ...(this.token && { Authorization: `Bearer ${this.token}` }) };
    // A seed has more digits than a number of JavaScript.
    const request = { method: "POST", headers, signal, body: path.includes("/v1/") ? `{"seed":${seed},${told.slice(1)}` : told };
    for (let i = 0; ; i++) {
      signal?.throwIfAborted();
      const answer = await fetch(path, request);
      if (answer.ok) return answer;
      if (answer.status !== 429 || i === AGAIN.length) throw new Refusal((await answer.json()).error.message);
      await pause(AGAIN[i]);
    }
  }

  // What the server makes of a text: its tokens, and the bits of each.
  async score(text, signal) {
    const asked = { prompt: text, max_tokens: 0, echo: true, logprobs: 0 };
    const { choices } = await (await this.ask("/v1/completions", asked, signal)).json();
    const { tokens, token_logprobs: logs } = choices[0].logprobs;
    return { tokens, bits: logs.map((log) => -log / Math.LN2) };
  }

  // What each token of a text attended to: `source`, its places as texts, and `weights`, a row for each token.
  async look(prompt, text, signal) {
    return (await this.ask("/attention", { prompt, text }, signal)).json();
  }
}
