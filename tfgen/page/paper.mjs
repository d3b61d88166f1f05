// A sheet on which a text stands letter by letter: each can be coloured, walked to and opened.

import { TEXT } from "./english.mjs";
import { graphemes, visible } from "./graphemes.mjs";

export const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};

// A token in words, where it would not be seen.
export function named(token) {
  if (TEXT.tokens[token]) return TEXT.tokens[token];
  return (/^\p{M}/u.test(token) ? "\u25cc" : "") + visible(token)[0];
}

// Groups texts of one or more characters, each with the index of its token, -1 for one that is unknown, or undefined for
// one that nothing is told of, into letters.
export function lettersOf(texts, ofTexts) {
  const letters = [];
  const single = texts.every((text) => text.length === 1);
  const tokens = single ? ofTexts : texts.flatMap((text, i) => Array.from(text, () => ofTexts[i]));
  const characters = texts;
  let i = 0;
  for (const text of graphemes(characters.join(""))) {
    const begin = i;
    i += text.length === 1 ? 1 : [...text].length;
    let token = -1;
    for (let j = begin; j < i && token < 0; j++) token = tokens[j];
    letters.push({ text, token, begin, end: i });
  }
  return letters;
}

export class Paper {
  // `frame` holds the sheet and the box of choices; `open(letter)` gives what the box says, see `Paper.show`.
  constructor(frame, label, open) {
    this.sheet = make("div", { class: "paper plain", role: "textbox", "aria-readonly": "true", "aria-multiline": "true" });
    this.sheet.tabIndex = 0;
    this.sheet.setAttribute("aria-label", label);
    this.box = make("div", { class: "choices", role: "dialog", "aria-label": TEXT.choices });
    this.box.hidden = true;
    frame.replaceChildren(this.sheet, this.box);
    Object.assign(this, { frame, open, letters: [], spans: [], shown: [], at: -1 });
    this.sheet.addEventListener("click", (event) => this.clicked(event));
    this.sheet.addEventListener("keydown", (event) => this.pressed(event));
    this.sheet.addEventListener("blur", () => this.walk(-1));
    this.sheet.addEventListener("pointerover", (event) => this.pointed?.(this.spans.indexOf(event.target)));
    this.sheet.addEventListener("pointerleave", () => this.pointed?.(-1));
    this.box.addEventListener("keydown", (event) => this.pressedInBox(event));
    this.box.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !this.box.contains(event.relatedTarget)) this.close(false);
    });
    document.addEventListener("pointerdown", (event) => {
      if (!this.box.hidden && !this.frame.contains(event.target)) this.close(false);
    });
  }

  // Shows letters from one on; `style(letter)` names the classes of each. What is shown already is not touched.
  draw(letters, style, from = 0, to = letters.length) {
    this.letters = letters;
    const fresh = document.createDocumentFragment();
    for (let i = from; i < to; i++) {
      const { text } = letters[i];
      let span = this.spans[i];
      if (!span) this.spans.push((span = fresh.appendChild(make("span"))));
      const kind = style(letters[i]);
      const mark = `${kind}/${text}`;
      if (this.shown[i] === mark) continue;
      this.shown[i] = mark;
      const [seen, control] = visible(text);
      if (span.textContent !== seen) span.textContent = seen;
      const extra = control ? " control" : text === "\n" || text === "\r\n" ? " break" : text === "\t" ? " tab" : "";
      span.className = kind + extra;
    }
    this.sheet.append(fresh);
  }

  trim() {
    for (const span of this.spans.splice(this.letters.length)) span.remove();
    this.shown.length = this.spans.length;
  }

  // Keeps the sheet as high as it is while a text is written, so that nothing below it jumps.
  hold(on) {
    this.sheet.style.minHeight = on ? `${this.sheet.offsetHeight}px` : "";
  }

  // --- walking ---

  walk(to) {
    this.mark(this.at, false);
    this.at = to;
    const span = this.spans[to];
    this.pointed?.(to);
    if (!span) return;
    this.mark(to, true);
    span.scrollIntoView({ block: "nearest" });
    this.heard?.(this.letters[to]);
  }

  // The last letter of the same token on a way, 1 or -1.
  edge(i, way) {
    const token = this.letters[i]?.token;
    while (token >= 0 && this.letters[i + way]?.token === token) i += way;
    return i;
  }

  mark(i, on) {
    if (!this.spans[i]) return;
    for (let j = this.edge(i, -1); j <= this.edge(i, 1); j++) this.spans[j]?.classList.toggle("here", on);
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.letters.length - 1;
    const at = this.at;
    const rtl = at >= 0 && getComputedStyle(this.spans[at]).direction === "rtl" ? -1 : 1;
    const goals = {
      ArrowRight: () => (at < 0 ? 0 : this.edge(at, rtl) + rtl),
      ArrowLeft: () => (at < 0 ? 0 : this.edge(at, -rtl) - rtl),
      ArrowDown: () => (at < 0 ? 0 : this.beside(1)),
      ArrowUp: () => (at < 0 ? 0 : this.beside(-1)),
      Home: () => 0,
      End: () => last,
    };
    if (goals[event.key] && last >= 0) this.walk(Math.max(0, Math.min(last, goals[event.key]())));
    else if ((event.key === "Enter" || event.key === " ") && at >= 0) this.show(at);
    else if (event.key === "Escape") this.walk(-1);
    else return;
    event.preventDefault();
  }

  // The letter above or below the one where one is.
  beside(way) {
    const { offsetLeft: x, offsetTop: y } = this.spans[this.at];
    let best = this.at;
    let line = null;
    for (let i = this.at + way; i >= 0 && i < this.letters.length; i += way) {
      const span = this.spans[i];
      if (way * (span.offsetTop - y) < 8) continue;
      line ??= span.offsetTop;
      if (way * (span.offsetTop - line) > 8) break;
      if (best === this.at || Math.abs(span.offsetLeft - x) < Math.abs(this.spans[best].offsetLeft - x)) best = i;
    }
    return best;
  }

  clicked(event) {
    const i = this.spans.indexOf(event.target);
    if (i >= 0) this.show(i);
  }

  // --- the box of choices ---

  // Opens the box for letter i. What `open` gives: a line of text, and rows of a token, a probability, whether it is
  // what stands there, and what choosing it does, if anything.
  show(i) {
    const told = this.open(this.letters[i]);
    if (!told) return;
    this.close(false);
    const rows = told.rows.map(({ token, p, written, choose }) => {
      const bar = make("i");
      bar.style.width = `${100 * p}%`;
      const row = make(
        "button",
        { type: "button" },
        make("span", { class: "token", dir: "auto" }, named(token)),
        make("span", { class: "bar-of" }, bar),
        make("span", { class: "percent" }, TEXT.percent(p)),
      );
      if (written) row.setAttribute("aria-current", "true");
      row.disabled = !choose;
      row.addEventListener("click", () => (this.close(true), choose()));
      return make("li", {}, row);
    });
    this.box.replaceChildren(make("p", { dir: "auto" }, told.line), make("ol", {}, ...rows));
    this.box.hidden = false;
    const span = this.spans[i];
    const room = this.frame.clientWidth - this.box.offsetWidth;
    this.box.style.left = `${Math.max(0, Math.min(room, span.offsetLeft - 24))}px`;
    this.box.style.top = `${span.offsetTop + span.offsetHeight + 6}px`;
    this.opened = i;
    this.mark(i, true);
    const rowsOf = [...this.box.querySelectorAll("button:enabled")];
    const first = rowsOf.find((row) => row.hasAttribute("aria-current")) ?? rowsOf[0];
    this.box.tabIndex = -1;
    (first ?? this.box).focus({ preventScroll: true });
    this.box.scrollIntoView({ block: "nearest" });
  }

  close(back) {
    if (this.box.hidden) return;
    this.box.hidden = true;
    this.mark(this.opened, false);
    if (!back) return;
    this.sheet.focus({ preventScroll: true });
    this.walk(this.opened);
  }

  pressedInBox(event) {
    const rows = [...this.box.querySelectorAll("button:enabled")];
    const at = rows.indexOf(document.activeElement);
    const goals = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 };
    if (event.key === "Escape") this.close(true);
    else if (event.key in goals && rows.length) rows[(goals[event.key] + rows.length) % rows.length].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
