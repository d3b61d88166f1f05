// The page: it joins the engine with what a person can do.

import { Attention } from "./attention.mjs";
import { Drawing, strokesOf } from "./drawing.mjs";
import { Model, Reading, inForm } from "./engine.mjs";
import { TEXT } from "./english.mjs";
import { firstWord, wholeLetters } from "./graphemes.mjs";
import { Paper, lettersOf, make, named } from "./paper.mjs";
import { Refusal, ServedModel } from "./served.mjs";

const shell = document.documentElement.cloneNode(true); // the page as it was sent, to be saved
const $ = (id) => document.getElementById(id);
const HEADER = JSON.parse($("model").textContent);
const SLICE = 12; // milliseconds of work, after which the browser may draw and listen
const PROGRESS = 80; // milliseconds between two sights of a text that is being written
const SHOWN = 20_000; // characters of a text of one's own
const HISTORY = 200;

for (const node of document.querySelectorAll("[data-text]")) node.textContent = TEXT[node.dataset.text];
$("picture").setAttribute("aria-label", TEXT.pictureLabel);

// --- work in slices -------------------------------------------------------------------------------------------------

const turns = new MessageChannel();
const waiting = [];
turns.port1.onmessage = () => waiting.shift()();

// Work that is done in slices, and ended by newer work at the same place.
class Job {
  constructor(before) {
    before?.end();
    this.ended = false;
    this.stop = new AbortController(); // of what is asked of a server
    this.until = performance.now() + SLICE;
  }

  end() {
    this.ended = true;
    this.stop.abort();
  }

  get due() {
    return performance.now() >= this.until;
  }

  // Whether the work still has a purpose, when it is its turn again.
  async turn() {
    await new Promise((go) => {
      waiting.push(go);
      turns.port2.postMessage(0);
    });
    this.until = performance.now() + SLICE;
    return !this.ended;
  }
}

// Reads five digits as four bytes, as tfgen/page/assembling.py writes them.
async function bytesOf(digits, job) {
  const bytes = new Uint8Array((digits.length / 5) * 4);
  for (let at = 0, to = 0; at < digits.length; at += 5) {
    let word = 0;
    for (let i = at; i < at + 5; i++) {
      const code = digits.charCodeAt(i);
      word = word * 85 + (code === 125 ? 60 : code) - 40;
    }
    for (let shift = 24; shift >= 0; shift -= 8) bytes[to++] = word >>> shift;
    if (at % 65_536 === 0 && job.due) await job.turn();
  }
  return bytes;
}

// Reads a text, on from what another reading has in common with it; null where newer work has ended this.
async function read(text, before, job, progress = () => {}) {
  const { characters, ids } = model.encode(text);
  const known = [];
  const tokens = ids.map((id) => (id === undefined ? -1 : known.push(id) - 1));
  let same = 0;
  while (same < known.length && same < (before?.ids.length ?? 0) && known[same] === before.ids[same]) same += 1;
  const reading = before ? before.before(same) : new Reading(model);
  for (let i = reading.ids.length; i < known.length; i++) {
    reading.read(known[i]);
    if (job.due) {
      progress(i / known.length);
      if (!(await job.turn())) return null;
    }
  }
  return { reading, characters, tokens };
}

// --- what people hear and see ---------------------------------------------------------------------------------------

let later = 0;
function announce(text) {
  clearTimeout(later);
  later = setTimeout(() => ($("status").textContent = text), 600);
}

function say(text) {
  $("said").textContent = text;
  $("said").hidden = !text;
  if (text) announce(text);
}

// Says why a server has not written.
function fail(error) {
  if (model === here) say(TEXT.damaged);
  else say(error instanceof Refusal ? TEXT.refused(error.message) : TEXT.unreachable);
}

const surpriseLevel = (bits) => (bits < 1 ? 0 : bits < 3 ? 1 : bits < 6 ? 2 : bits < 10 ? 3 : 4);
const unitClass = (value) => {
  const level = Math.min(4, Math.round(Math.abs(value) * 4));
  return level ? `${value > 0 ? "u" : "d"}${level}` : "";
};

// What stands at a token and what else could: the line and the rows of a box, see `Paper.show`; null if nobody knows.
function choicesAt(reading, token, choose, more = "") {
  const likeliest = token < reading.ids.length && reading.before(token).likeliest(10);
  if (!likeliest) return null;
  const id = reading.ids[token];
  const p = 2 ** -reading.bits[token];
  const name = named(model.tokens[id]);
  const rank = reading.ranks[token];
  const line = TEXT[rank === 1 ? "choicesFirst" : rank ? "choicesFor" : "choicesRare"](name, TEXT.percent(p), rank);
  const rows = likeliest.map(([each, q]) => ({
    token: model.tokens[each],
    p: q,
    written: each === id,
    choose: each > 2 ? () => choose(each) : null,
  }));
  return { line: more ? `${line}; ${more}` : line, rows };
}

// --- the state ------------------------------------------------------------------------------------------------------

const SERVED = HEADER.served; // what the page knows of the server that sent it, if one has
const TOKEN = SERVED && new URLSearchParams(location.hash.slice(1)).get("token");
const there = SERVED && new ServedModel(HEADER, TOKEN);
const drawing = SERVED?.picture ? new Drawing($("picture"), SERVED.picture, () => remember(), () => renewPrompt(true)) : null;
let here = null;
let model; // the one of these two that writes
const NOTHING = { reading: null, characters: [], tokens: [] };
let prompt = NOTHING;
let promptJob = null;
const settings = { length: 400 };
const columns = [];
const history = [];
const colour = () => document.querySelector("input[name=colour]:checked").value;

const RANGES = {
  length: { min: 1, max: 5000, step: 1 },
  top_k: { min: 1, max: 100_000, step: 1 },
  top_p: { min: 0.01, max: 1, step: 0.01 },
  min_p: { min: 0, max: 1, step: 0.01 },
  repetition_penalty: { min: 0.1, max: 10, step: 0.05 },
};
// Stop strings, as one writes them: several with " | " between them, and \n for a new line.
const stopsOf = (text) =>
  text
    .split(" | ")
    .map((each) => each.replace(/\\([nt\\])/g, (_, c) => ({ n: "\n", t: "\t" })[c] ?? c))
    .filter(Boolean)
    .slice(0, 16);
const within = (value, { min, max, step }) =>
  Number.isFinite(value) && value >= min && value <= max && (step !== 1 || Number.isInteger(value));

function seedOf(text) {
  if (!/^-?\d{1,19}$/.test(text.trim())) return null;
  const seed = BigInt(text.trim());
  return BigInt.asIntN(64, seed) === seed ? seed : null;
}

function snapshot() {
  return {
    prompt: $("prompt").value,
    source: $("source").value,
    strokes: drawing?.strokes,
    settings: { ...settings },
    columns: columns.map(({ kept, drawn, seed, temperature }) => ({ kept, drawn, seed, temperature })),
  };
}

function remember() {
  history.push(snapshot());
  if (history.length > HISTORY) history.shift();
  $("undo").disabled = false;
}

async function restore({ prompt: text, source, strokes, settings: all, columns: some }) {
  $("prompt").value = text;
  $("source").value = source;
  drawing?.set(strokes);
  for (const name of [...Object.keys(RANGES), "stop"]) delete settings[name];
  Object.assign(settings, all);
  showSettings();
  while (columns.length > some.length) columns.pop().node.remove();
  while (columns.length < some.length) addColumn(some[columns.length]);
  showForked();
  columns.forEach((column, i) => column.set(some[i]));
  await renewPrompt();
}

// --- a column: a text, its temperature and its seed -----------------------------------------------------------------

class Column {
  constructor(state) {
    const dial = make("input", { type: "range", min: 0, max: 2, step: 0.01 });
    const degrees = make("span", { class: "value", "aria-hidden": "true" });
    const seed = make("input", { inputmode: "numeric", autocomplete: "off", maxlength: 20 });
    const another = make("button", { type: "button" }, TEXT.another);
    const frame = make("div", { class: "frame" });
    const number = make("strong");
    const figure = make("p", { class: "figure" }, number, make("span", {}, TEXT.perCharacter));
    figure.hidden = true;
    const name = make("span", { class: "name" }, make("span", {}, TEXT.temperature), degrees);
    this.node = make(
      "div",
      { class: "column" },
      make(
        "div",
        { class: "dials" },
        make("div", {}, make("label", { class: "dial" }, name, dial), ends()),
        make("div", { class: "seed" }, make("label", {}, TEXT.seed, seed), another),
      ),
      frame,
      figure,
    );
    Object.assign(this, { dial, degrees, seedField: seed, number, figure, job: null, reading: null, values: null });
    this.paper = new Paper(frame, TEXT.paper, (letter) => this.openAt(letter));
    this.attention = SERVED?.attends ? new Attention(frame, this.paper) : null;
    this.paper.pointed = (i) => this.lookFrom(i);
    this.paper.heard = ({ token, text }) => {
      if (token < 0 || !this.reading) return;
      const { ids, bits } = this.reading;
      if (!(token < ids.length)) return announce(named(text));
      const letter = TEXT.letter(named(model.tokens[ids[token]]), bits[token] !== null && TEXT.percent(2 ** -bits[token]));
      announce([letter, this.attention?.said(token)].filter(Boolean).join("; "));
    };
    this.set(state);
    dial.addEventListener("input", () => {
      this.temperature = Number(dial.value);
      degrees.textContent = TEXT.degrees(this.temperature);
      this.write();
    });
    seed.addEventListener("input", () => {
      const given = seedOf(seed.value);
      seed.setAttribute("aria-invalid", given === null);
      if (given === null) return;
      Object.assign(this, { seed: given, kept: [], drawn: 0 });
      this.write();
    });
    another.addEventListener("click", () => {
      remember();
      this.set({ ...this, seed: this.seed + 1n < 2n ** 63n ? this.seed + 1n : 0n, kept: [], drawn: 0 });
      this.write();
    });
  }

  // `kept` are ids that follow the prompt and are not written anew, `drawn` how many draws have been used up by then.
  set({ kept, drawn, seed, temperature }) {
    Object.assign(this, { kept, drawn, seed, temperature });
    this.dial.value = temperature;
    this.degrees.textContent = TEXT.degrees(temperature);
    this.seedField.value = seed;
    this.seedField.removeAttribute("aria-invalid");
  }

  get written() {
    return this.reading ? this.reading.ids.slice(this.begin) : [];
  }

  get characters() {
    return this.written.reduce((n, id) => n + [...model.tokens[id]].length, 0);
  }

  async write() {
    if (!prompt.reading) return;
    const job = (this.job = new Job(this.job));
    this.paper.sheet.setAttribute("aria-busy", "true");
    this.paper.hold(true);
    const reading = prompt.reading.before();
    const earlier = this.reading;
    this.reading = reading;
    this.begin = reading.ids.length;
    this.values = null;
    this.attention?.clear();
    for (const id of this.kept) reading.read(id, earlier);
    const rest = Math.max(0, settings.length - this.kept.length);
    let seen = performance.now();
    try {
      const dials = dialled(this.temperature);
      for await (const _ of reading.write(rest, this.seed, dials, this.drawn, job.stop.signal)) {
        if (!job.due) continue;
        if (performance.now() - seen > PROGRESS) {
          this.show();
          seen = performance.now();
        }
        if (!(await job.turn())) return;
      }
      say("");
    } catch (error) {
      if (job.ended) return;
      fail(error);
    }
    if (!(await this.coloured(job))) return;
    this.paper.sheet.setAttribute("aria-busy", "false");
    if (this === columns[0]) showGhost();
    if ($("said").hidden) announce(TEXT.written(this.characters));
    performance.mark("written");
    if (this.attention) await this.look(job);
  }

  // Computes what the colour needs, and shows everything.
  async coloured(job = (this.job = new Job(this.job))) {
    this.values = null;
    if (colour() === "unit") {
      const values = [];
      const unit = Number($("unit").value);
      for (const state of model.states(this.reading.ids)) {
        values.push(model.network.unit(unit, state));
        if (job.due && !(await job.turn())) return false;
      }
      this.values = values;
    }
    this.show();
    this.paper.trim();
    this.paper.hold(false);
    return true;
  }

  show() {
    const { reading, begin, values } = this;
    const told = prompt.characters.slice(-SHOWN);
    const from = prompt.characters.length - told.length;
    const written = this.written;
    const characters = [...told, ...written.map((id) => model.tokens[id])];
    const tokens = [...prompt.tokens.slice(from), ...written.map((_, i) => begin + i)];
    const mode = colour();
    this.paper.sheet.classList.toggle("plain", mode === "nothing");
    const yours = begin + this.kept.length;
    this.paper.draw(lettersOf(characters, tokens), ({ token }) => {
      if (token < 0) return "strange";
      const own = token < yours ? "yours " : "";
      if (!(token < reading.ids.length)) return "yours ";
      if (mode === "surprise" && reading.bits[token] !== null) return `${own}s${surpriseLevel(reading.bits[token])}`;
      if (mode === "unit" && values) return own + unitClass(values[token]);
      return own;
    });
    this.figure.hidden = mode !== "surprise" || !written.length;
    if (this.figure.hidden) return;
    const scored = [...reading.bits.keys()].filter((i) => i >= begin && reading.bits[i] !== null);
    const bits = scored.reduce((sum, i) => sum + reading.bits[i], 0);
    const size = scored.reduce((n, i) => n + [...model.tokens[reading.ids[i]]].length, 0);
    this.number.textContent = size ? TEXT.bits(bits / size) : "";
  }

  // Asks the server what the tokens attended to.
  async look(job) {
    try {
      const text = this.written.map((id) => model.tokens[id]).join("");
      const { source, weights } = await there.look(this.reading.prompt, text, job.stop.signal);
      if (!job.ended) this.attention.set(source, weights);
    } catch {
      if (!job.ended) this.attention.set([], []); // of a text that is too long, or gone
    }
  }

  lookFrom(i) {
    const letter = this.paper.letters[i];
    if (!this.attention) return;
    if (letter?.token >= 0) this.attention.show(letter.token, this.paper.spans[i]);
    else this.attention.clear();
  }

  openAt({ token }) {
    if (!(token >= 0) || !this.reading) return null;
    const value = this.values ? TEXT.valueOf(this.values[token]) : "";
    return choicesAt(this.reading, token, (id) => this.choose(token, id), value);
  }

  // Puts another token at a place, and writes on from there with the draws that come then.
  choose(token, id) {
    remember();
    if (token < this.begin) {
      const at = prompt.tokens.indexOf(token);
      $("prompt").value = prompt.characters.slice(0, at).join("") + model.tokens[id];
      renewPrompt(true);
      return;
    }
    const before = this.reading.ids.slice(this.begin, token);
    this.drawn += before.length - this.kept.length + 1;
    this.kept = [...before, id];
    this.write();
  }

  // Lets the prompt have the first n tokens that follow it.
  give(n) {
    this.drawn += Math.max(0, n - this.kept.length);
    this.kept = this.kept.slice(n);
  }
}

function ends() {
  return make("div", { class: "ends", "aria-hidden": "true" }, make("span", {}, TEXT.sure), make("span", {}, TEXT.wild));
}

function addColumn(state) {
  const column = new Column(state);
  columns.push(column);
  $("columns").append(column.node);
  return column;
}

function showForked() {
  document.body.classList.toggle("forked", columns.length > 1);
  $("fork").setAttribute("aria-pressed", columns.length > 1);
}

const writeAll = () => Promise.all(columns.map((column) => column.write()));

// --- the prompt, and the words that it could go on with -------------------------------------------------------------

let declined = false;
let ghost = "";

const wellFormed = (text) => text.toWellFormed?.() ?? text;

// Reads the prompt; where it is another, nothing of what followed the earlier one is kept.
async function renewPrompt(another = false) {
  if (another) for (const column of columns) Object.assign(column, { kept: [], drawn: 0 });
  declined = false;
  hideGhost();
  const job = (promptJob = new Job(promptJob));
  const text = wellFormed($("prompt").value);
  if (model === there) {
    there.source = drawing ? drawing.picture : wellFormed($("source").value);
    prompt = there.read(text);
  } else {
    const done = await read(text, prompt.reading, job, (share) => announce(TEXT.reading(share)));
    if (!done) return;
    prompt = done;
  }
  await writeAll();
}

function hideGhost() {
  ghost = "";
  const [typed, after] = document.querySelector(".mirror").children;
  const text = $("prompt").value;
  typed.textContent = text.slice(-SHOWN) + (text.endsWith("\n") || !text ? "\u200b" : "");
  after.textContent = "";
  $("take").disabled = true;
}

function showGhost() {
  hideGhost();
  const field = $("prompt");
  const end = field.value.length;
  const away = document.activeElement === field && (field.selectionStart !== end || field.selectionEnd !== end);
  if (declined || away || !columns[0].reading) return;
  const next = columns[0].written.slice(0, 120).map((id) => model.tokens[id]).join("");
  const line = /^\s*[^\n]*/.exec(next)[0]; // of what is there; a field of many lines would push the text away
  const cut = line.slice(0, 60).search(/\s\S*$/);
  ghost = wholeLetters(line, line.length > 60 && cut > 0 ? cut : Math.min(line.length, 60));
  if (!ghost) return;
  const mirror = document.querySelector(".mirror");
  mirror.dir = getComputedStyle(field).direction;
  mirror.lastElementChild.textContent = ghost; // without the focus too: what lies below must not jump when it goes
  $("take").disabled = false;
}

async function takeWord() {
  const begun = firstWord(ghost);
  if (!begun) return;
  let word = "";
  let n = 0; // whole tokens
  for (const id of columns[0].written) {
    if (word.length >= begun.length) break;
    word += model.tokens[id];
    n += 1;
  }
  if (!n) return;
  remember();
  columns.forEach((column, i) => {
    if (i) Object.assign(column, { kept: [], drawn: 0 });
    else column.give(n);
  });
  $("prompt").value += word;
  $("prompt").setSelectionRange($("prompt").value.length, $("prompt").value.length);
  announce(TEXT.taken(word.trim() || named(word)));
  await renewPrompt();
}

$("prompt").addEventListener("input", () => renewPrompt(true));
$("source").addEventListener("input", () => renewPrompt(true));
$("clear").addEventListener("click", () => {
  remember();
  drawing.set([]);
  renewPrompt(true);
});
$("prompt").addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const offered = document.querySelector(".ghost").textContent;
  if (event.key === "Tab" && !event.shiftKey && offered) takeWord();
  else if (event.key === "Escape" && offered) {
    declined = true;
    hideGhost();
  } else return;
  event.preventDefault();
});
for (const name of ["keyup", "pointerup"]) $("prompt").addEventListener(name, showGhost);
$("take").addEventListener("click", takeWord);

// --- buttons --------------------------------------------------------------------------------------------------------

function undo() {
  const before = history.pop();
  $("undo").disabled = !history.length;
  if (before) restore(before);
}
$("undo").addEventListener("click", undo);
document.addEventListener("keydown", (event) => {
  const field = event.target.matches("textarea, input:not([type=radio]):not([type=range])");
  if (!field && (event.ctrlKey || event.metaKey) && event.key === "z") {
    event.preventDefault();
    undo();
  }
});

$("fork").addEventListener("click", () => {
  remember();
  if (columns.length > 1) columns.pop().node.remove();
  else addColumn({ ...columns[0], seed: columns[0].seed + 1n }).write();
  showForked();
});

async function toClipboard(text, field) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = field ?? document.body.appendChild(make("textarea", { class: "unseen" }));
    area.value = text;
    area.select();
    document.execCommand("copy"); // where a page from a disk has no other way
    if (!field) area.remove();
  }
}

$("copy").addEventListener("click", async () => {
  const [{ reading }] = columns;
  const text = prompt.characters.join("") + columns[0].written.map((id) => model.tokens[id]).join("");
  if (reading) await toClipboard(text);
  announce(TEXT.copied);
});

// Where one is, as a fragment; the token of a server is no part of what is shared.
function fragment(token = null) {
  const [{ seed, temperature, kept, drawn }] = columns;
  const told = new URLSearchParams({ prompt: $("prompt").value, seed, temperature });
  for (const name of [...Object.keys(RANGES), "stop"]) if (settings[name] !== undefined) told.set(name, settings[name]);
  if (kept.length) told.set("kept", kept.map((id) => model.tokens[id]).join(""));
  if (drawn) told.set("drawn", drawn);
  if (model === there && here) told.set("side", "server");
  if (drawing) told.set("drawing", drawing.told);
  else if (SERVED?.source) told.set("source", $("source").value);
  if (token) told.set("token", token);
  return `#${told}`;
}

// What a fragment says, as a snapshot; what is in no range is left out.
function fromFragment(hash) {
  const told = new URLSearchParams(hash.slice(1));
  const found = { length: 400 };
  for (const [name, range] of Object.entries(RANGES)) {
    const value = Number(told.get(name) || NaN);
    if (within(value, range)) found[name] = value;
  }
  if (told.get("stop")) found.stop = told.get("stop");
  const temperature = told.get("temperature") ? Number(told.get("temperature")) : NaN;
  const drawn = Number(told.get("drawn") ?? 0);
  const known = told.get("kept") ?? "";
  const kept = HEADER.characters === undefined ? (known ? [there.idOf(known)] : []) : idsOf(known);
  const column = {
    seed: seedOf(told.get("seed") ?? "") ?? 1n,
    temperature: within(temperature, { min: 0, max: 2 }) ? temperature : drawing ? 0 : 0.8, // a name is no invention
    kept,
    drawn: within(drawn, { min: 0, max: 1e9, step: 1 }) ? drawn : 0,
  };
  const strokes = drawing ? strokesOf(told.get("drawing") ?? "") : [];
  return { prompt: told.get("prompt") ?? "", source: told.get("source") ?? "", strokes, settings: found, columns: [column] };
}

function idsOf(characters) {
  const ids = here ? here.encode(characters).ids : [...characters].map((each) => there.ids.get(each));
  return ids.filter((id) => id > 2).slice(0, RANGES.length.max);
}

$("share").addEventListener("click", async () => {
  location.replace(fragment(TOKEN));
  $("link-row").hidden = false;
  $("link").value = location.href.split("#")[0] + fragment();
  await toClipboard($("link").value, $("link"));
  announce(TEXT.linkCopied);
});
addEventListener("hashchange", () => {
  if (location.hash !== fragment(TOKEN)) goTo(location.hash);
});

// The page as it was sent; a copy of what a server has sent is a page that connects to nothing.
function pageToSave() {
  if (!SERVED) return shell;
  const copy = shell.cloneNode(true);
  const { served: _, ...header } = HEADER;
  copy.querySelector("#model").textContent = JSON.stringify(header).replaceAll("<", "\\u003c");
  const policy = copy.querySelector("meta[http-equiv]");
  policy.setAttribute("content", policy.getAttribute("content").replace("connect-src 'self'; ", ""));
  return copy;
}

$("save").addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([`<!doctype html>\n${pageToSave().outerHTML}\n`], { type: "text/html" }));
  const name = `${HEADER.title.replace(/[^\p{L}\p{N}._-]+/gu, "-") || "model"}.html`;
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
  announce(TEXT.saved);
});

// --- colours and units ----------------------------------------------------------------------------------------------

function showColours() {
  const mode = colour();
  $("units").hidden = mode !== "unit";
  const legends = { nothing: [], surprise: TEXT.surpriseLegend, unit: TEXT.unitLegend };
  const kinds = { surprise: ["s0", "s1", "s2", "s3", "s4"], unit: ["d4", "d2", "", "u2", "u4"] };
  const marks = legends[mode].map((text, i) => make("span", { class: kinds[mode][i] }, text || "\u00a0"));
  $("legend").replaceChildren(...marks);
  $("legend").hidden = mode === "nothing";
  for (const column of columns) if (column.reading) column.coloured();
}
for (const input of document.querySelectorAll("input[name=colour]")) input.addEventListener("change", showColours);

function unitName(k) {
  const { cells } = here.network;
  let layer = 0;
  for (; k >= cells[layer].units; layer++) k -= cells[layer].units;
  return TEXT.unitName(layer, k, cells.length);
}

function showUnit() {
  const name = here ? unitName(Number($("unit").value)) : "";
  $("unit-name").textContent = name;
  $("unit").setAttribute("aria-valuetext", name);
  showColours();
}
$("unit").addEventListener("input", showUnit);

// What each character of a text has of a property, one number each.
const OPENING = "([{<«‹“„「『（";
const CLOSING = ")]}>»›”」』）";
const FEATURES = {
  quotes(characters) {
    let inside = 0;
    return characters.map((c) => {
      if (c === '"') inside = 1 - inside;
      else if ("“«„「".includes(c)) inside = 1;
      else if ("”»」".includes(c)) inside = 0;
      return inside;
    });
  },
  brackets(characters) {
    let depth = 0;
    return characters.map((c) => {
      if (OPENING.includes(c)) depth += 1;
      else if (CLOSING.includes(c)) depth = Math.max(0, depth - 1);
      return Math.min(depth, 3);
    });
  },
  capitals: (characters) => characters.map((c) => Number(c !== c.toLowerCase())),
  line(characters) {
    let n = 0;
    return characters.map((c) => (n = c === "\n" ? 0 : n + 1));
  },
  words(characters) {
    let n = 0;
    return characters.map((c) => (n = /[\p{L}\p{N}_]/u.test(c) ? n + 1 : 0));
  },
};
const SAMPLE = 2500;
let findJob = null;

// The units whose values follow a property most closely, by correlation: pairs of a unit and its coefficient.
async function closest(property, ids, job) {
  const { network } = model;
  const n = ids.length;
  const [sum, squares, products] = [0, 1, 2].map(() => new Float64Array(network.units));
  const mean = property.reduce((a, b) => a + b, 0) / n;
  const spread = Math.sqrt(property.reduce((a, b) => a + (b - mean) ** 2, 0));
  if (!spread) return [];
  let t = 0;
  for (const state of model.states(ids)) {
    const y = property[t++] - mean;
    let k = 0;
    for (const { at, units } of network.cells)
      for (let i = at; i < at + units; i++, k++) {
        sum[k] += state[i];
        squares[k] += state[i] ** 2;
        products[k] += state[i] * y;
      }
    if (job.due && !(await job.turn())) return null;
  }
  const all = Array.from(sum, (s, k) => [k, products[k] / (spread * Math.sqrt(squares[k] - (s * s) / n + 1e-9))]);
  return all.sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, 5);
}

async function find(feature) {
  const [column] = columns;
  if (!column.reading) return;
  const job = (findJob = new Job(findJob));
  const reading = column.reading.before();
  const used = column.drawn + column.written.length - column.kept.length;
  const todo = SAMPLE - reading.ids.length;
  const { stop: _, ...dials } = dialled(column.temperature);
  for (const _ of reading.write(todo, column.seed, dials, used))
    if (job.due && !(await job.turn())) return;
  const ids = reading.ids.slice(-SAMPLE);
  const units = await closest(FEATURES[feature](ids.map((id) => model.tokens[id])), ids, job);
  if (!units) return;
  const name = TEXT.features[feature];
  $("found").hidden = false;
  if (!units.length) {
    $("found").replaceChildren(TEXT.notFound(name));
    return announce(TEXT.notFound(name));
  }
  const buttons = units.map(([k, r]) => {
    const button = make("button", { type: "button" }, TEXT.foundUnit(unitName(k), r));
    button.addEventListener("click", () => pick(k));
    return button;
  });
  const pick = (k) => {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", units[i][0] === k));
    $("unit").value = k;
    showUnit();
  };
  $("found").replaceChildren(TEXT.found(name), ...buttons);
  pick(units[0][0]);
  announce(`${TEXT.found(name)} ${unitName(units[0][0])}`);
}

// --- settings -------------------------------------------------------------------------------------------------------

function showSettings() {
  for (const name of Object.keys(RANGES)) {
    $(name).value = settings[name] ?? "";
    $(name).removeAttribute("aria-invalid");
  }
  $("stop").value = settings.stop ?? "";
}

// The settings of a text at a temperature, as the engine and the server take them.
function dialled(temperature) {
  const { length: _, stop, ...more } = settings;
  const stops = stop && stopsOf(stop).map((each) => inForm(each, HEADER));
  return { ...more, temperature, ...(stops?.length && { stop: stops }) };
}

function addSettings() {
  for (const [name, range] of Object.entries(RANGES)) {
    const off = name === "length" ? 400 : TEXT.off;
    const field = make("input", { id: name, type: "number", ...range, step: range.step === 1 ? 1 : "any", placeholder: off });
    field.addEventListener("input", () => {
      const value = Number(field.value);
      const bad = field.validity.badInput || (field.value !== "" && !within(value, range));
      field.setAttribute("aria-invalid", bad);
      if (bad) return;
      if (field.value !== "") settings[name] = value;
      else if (name === "length") settings.length = 400;
      else delete settings[name];
      writeAll();
    });
    $("settings").append(make("label", {}, TEXT.settings[name], field));
  }
  const stop = make("input", { id: "stop", autocomplete: "off", spellcheck: "false", placeholder: TEXT.off, maxlength: 500 });
  stop.addEventListener("input", () => {
    settings.stop = stop.value;
    if (!stop.value) delete settings.stop;
    writeAll();
  });
  $("settings").append(make("label", {}, TEXT.settings.stop, stop));
}

// --- a text of one's own --------------------------------------------------------------------------------------------

let own = NOTHING;
let ownJob = null;
let ownPaper;
let ownFigure;

function addOwn() {
  const frame = make("div", { class: "frame" });
  ownFigure = [make("strong"), make("span")];
  const cut = make("p", { class: "legend", id: "own-cut" });
  $("own-read").replaceChildren(make("p", { class: "figure" }, ...ownFigure), frame, cut);
  ownPaper = new Paper(frame, TEXT.ownPaper, ({ token }) =>
    token >= 0 && own.reading.ids ? choicesAt(own.reading, token, (id) => goOn(token, id)) : null,
  );
  ownPaper.sheet.classList.remove("plain");
}

// Lets the model go on where one's own text could have been another.
function goOn(token, id) {
  remember();
  const at = own.tokens.indexOf(token);
  $("prompt").value = own.characters.slice(0, at).join("") + model.tokens[id];
  renewPrompt(true);
  $("prompt").focus();
}

async function readOwn() {
  const job = (ownJob = new Job(ownJob));
  const text = wellFormed($("own").value);
  $("own-read").hidden = !text;
  if (!text) return;
  if (model === there) return scoreThere(text, job);
  const progress = (share) => (ownFigure[1].textContent = TEXT.reading(share));
  const done = await read(text, own.reading?.likeliest && own.reading, job, progress);
  if (!done) return;
  own = done;
  const { reading } = own;
  const n = reading.ids.length;
  let bits = 0;
  for (const each of reading.bits) bits += each;
  ownFigure[0].textContent = n ? TEXT.bits(bits / n) : "";
  const blind = Math.log2(model.writable.filter(Boolean).length);
  ownFigure[1].textContent = n ? TEXT.ownFigure(n, blind, HEADER.learned) : TEXT.unknown;
  const shown = await showOwn(job, own.characters.length > SHOWN ? TEXT.cut(SHOWN) : "");
  if (shown && n) announce(TEXT.scored(bits / n));
}

// Lets the server read a text, as much of it as it takes.
async function scoreThere(text, job) {
  const some = wholeLetters(text, Math.max(1, SERVED.prompt - 200));
  await new Promise((go) => setTimeout(go, 300)); // for whoever is typing
  if (job.ended) return;
  try {
    const { tokens, bits } = await there.score(some, job.stop.signal);
    own = { reading: { bits }, characters: tokens, tokens: [...tokens.keys()] };
    const size = [...tokens.join("")].length;
    const perCharacter = bits.reduce((a, b) => a + b, 0) / size;
    ownFigure[0].textContent = TEXT.bits(perCharacter);
    ownFigure[1].textContent = TEXT.ownServed(size);
    if (await showOwn(job, some === text ? "" : TEXT.ownCut([...some].length))) announce(TEXT.scored(perCharacter));
  } catch (error) {
    if (job.ended) return;
    ownFigure[0].textContent = "";
    ownFigure[1].textContent = error instanceof Refusal ? TEXT.refused(error.message) : TEXT.unreachable;
  }
}

// Shows one's own text in its colours; whether it was, before newer work came.
async function showOwn(job, cut) {
  const { reading, characters, tokens } = own;
  const letters = lettersOf(characters.slice(0, SHOWN), tokens);
  const style = ({ token }) => (token < 0 ? "strange" : `s${surpriseLevel(reading.bits[token])}`);
  for (let i = 0; i < letters.length; i += 500) {
    ownPaper.draw(letters, style, i, Math.min(letters.length, i + 500));
    if (job.due && !(await job.turn())) return false;
  }
  ownPaper.trim();
  $("own-cut").textContent = cut;
  performance.mark("scored");
  return true;
}
$("own").addEventListener("input", readOwn);

// --- what is said of the model --------------------------------------------------------------------------------------

function addFacts() {
  const kinds = here ? here.network.cells.map(({ kind, units }) => TEXT.kind(kind, units)) : [];
  const { corpus, learned } = HEADER;
  $("lede").textContent = TEXT.lede(TEXT.and(kinds), corpus?.characters, corpus?.source, Boolean(drawing));
  const about = {
    ...HEADER.about,
    characters: HEADER.characters !== undefined,
    tokens: HEADER.tokens,
    weights: HEADER.weights,
    bytes: $("weights").textContent.length,
    corpus: corpus && TEXT.corpus(corpus.source, corpus.characters),
    learned,
  };
  const rows = TEXT.facts(about).filter((fact) => fact && fact[1]);
  $("facts").replaceChildren(...rows.flatMap(([name, what]) => [make("dt", {}, name), make("dd", {}, what)]));
}

// --- who writes -----------------------------------------------------------------------------------------------------

// Lets this page write, or its server.
function letWrite(side) {
  model = side;
  prompt = NOTHING;
  own = NOTHING;
  for (const input of document.querySelectorAll("input[name=side]")) input.checked = (input.value === "here") === (side === here);
  $("source-row").hidden = !(SERVED?.source && !drawing && side === there);
  $("picture-row").hidden = !drawing;
  $("by-unit").hidden = side === there;
  if (side === there && colour() === "unit") document.querySelector("input[name=colour]").checked = true;
  $("save").hidden = !here;
  $("replay").hidden = EPOCHS.length === 1 || side === there;
  const link = TOKEN ? "linkToken" : "linkServed";
  document.querySelector("[data-text=link]").textContent = TEXT[SERVED ? link : "link"];
  const served = side === there ? "promiseServed" : "promiseHere";
  $("promise").textContent = TEXT[SERVED ? served : "promise"];
  say("");
}

for (const input of document.querySelectorAll("input[name=side]"))
  input.addEventListener("change", async () => {
    letWrite(input.value === "here" ? here : there);
    for (const column of columns) column.reading = null;
    showUnit();
    await renewPrompt();
    if ($("own").value) readOwn();
  });

// Shows what a fragment says.
async function goTo(hash) {
  const side = new URLSearchParams(hash.slice(1)).get("side");
  letWrite(here && !(there && side === "server") ? here : there);
  for (const column of columns) column.reading = null;
  showUnit();
  await restore(fromFragment(hash));
}

// --- the network on its way -----------------------------------------------------------------------------------------

const EPOCHS = [...(HEADER.epochs ?? []), null]; // null is the network as it is now
const networks = new Map();
let epochJob = null;

async function networkOf(epoch, job) {
  if (!networks.has(epoch)) {
    const digits = epoch === null ? $("weights") : document.querySelectorAll("script.epoch")[EPOCHS.indexOf(epoch)];
    networks.set(epoch, new Model(HEADER, await bytesOf(digits.textContent, job)));
  }
  return networks.get(epoch);
}

function showEpoch() {
  const name = TEXT.epoch(EPOCHS[Number($("epoch").value)]);
  $("replay-name").textContent = name;
  $("epoch").setAttribute("aria-valuetext", name);
}

// Lets the network write as it was at a checkpoint.
async function goBack() {
  showEpoch();
  const job = (epochJob = new Job(epochJob));
  const found = await networkOf(EPOCHS[Number($("epoch").value)], job);
  if (job.ended) return;
  here = found;
  if (model === there) return;
  letWrite(here);
  for (const column of columns) column.reading = null;
  await renewPrompt();
  if ($("own").value) readOwn();
}
$("epoch").addEventListener("input", goBack);

// --- the beginning --------------------------------------------------------------------------------------------------

async function begin() {
  if (HEADER.layers) here = await networkOf(null, new Job());
  $("epoch").max = EPOCHS.length - 1;
  $("epoch").value = EPOCHS.length - 1;
  showEpoch();
  $("sides").hidden = !(here && there);
  addFacts();
  addSettings();
  addOwn();
  for (const [feature, name] of Object.entries(TEXT.features)) {
    const button = make("button", { type: "button" }, name);
    button.addEventListener("click", () => find(feature));
    $("features").append(button);
  }
  $("unit").max = here ? Math.max(0, here.network.units - 1) : 0;
  await goTo(location.hash);
  clearTimeout(later); // of what a page begins with, nobody needs to be told
  if ($("own").value) readOwn(); // which a browser has kept from before
  document.documentElement.dataset.ready = "true";
}

await begin();
