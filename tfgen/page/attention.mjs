// What a token attended to in the source: its places in a row, and lines to them that are as strong as their weights.

import { TEXT } from "./english.mjs";
import { visible } from "./graphemes.mjs";
import { make, named } from "./paper.mjs";

const LEAST = 0.04; // of a weight that is shown
const SVG = "http://www.w3.org/2000/svg";

export class Attention {
  // `node` is what the text of `paper` stands in; the places are put before it, and the lines over both.
  constructor(node, paper) {
    this.row = make("p", { class: "places", dir: "auto", "aria-label": TEXT.places, role: "img" });
    this.lines = document.createElementNS(SVG, "svg");
    this.lines.setAttribute("class", "lines");
    this.lines.setAttribute("aria-hidden", "true");
    Object.assign(this, { node, paper, source: [], weights: [], spans: [] });
    this.row.hidden = true;
    node.prepend(this.row);
    node.append(this.lines);
  }

  // `weights` has a row for each token, with a number for each place of `source`.
  set(source, weights) {
    Object.assign(this, { source, weights });
    this.spans = source.map((place) => make("span", {}, place === "\n" ? "\u21b5" : place ? visible(place)[0] : "\u220e"));
    this.row.replaceChildren(...this.spans);
    this.row.hidden = !source.length;
    this.clear();
  }

  clear() {
    this.lines.replaceChildren();
    for (const span of this.spans) span.className = "";
  }

  // The places that a token attended to, the strongest first: pairs of a place and a weight.
  places(token) {
    const row = this.weights[token] ?? [];
    const found = [...row.entries()].filter(([, weight]) => weight >= LEAST);
    return found.sort((a, b) => b[1] - a[1]);
  }

  // In words, for those who hear it.
  said(token) {
    const names = this.places(token).slice(0, 3).map(([i, weight]) => [named(this.source[i] || "\u0003"), weight]);
    return TEXT.attended(names.map(([name, weight]) => TEXT.letter(name, TEXT.percent(weight))));
  }

  // Draws the lines of a token that stands at a span.
  show(token, span) {
    this.clear();
    const frame = this.node.getBoundingClientRect();
    const from = span.getBoundingClientRect();
    for (const [i, weight] of this.places(token)) {
      const place = this.spans[i];
      place.className = `u${Math.min(4, Math.ceil(weight * 4))}`;
      const to = place.getBoundingClientRect();
      const line = document.createElementNS(SVG, "line");
      const ends = [to.left + to.width / 2, to.bottom, from.left + from.width / 2, from.top];
      for (const [j, name] of ["x1", "y1", "x2", "y2"].entries())
        line.setAttribute(name, ends[j] - (j % 2 ? frame.top : frame.left));
      line.setAttribute("stroke-opacity", Math.max(0.15, weight));
      line.setAttribute("stroke-width", 1 + 2 * weight);
      this.lines.append(line);
    }
  }
}
