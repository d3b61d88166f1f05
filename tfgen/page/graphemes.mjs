// What people see as one letter, and how what cannot be seen is shown.

const bySight = globalThis.Intl?.Segmenter && new Intl.Segmenter(undefined, { granularity: "grapheme" });
const byWord = globalThis.Intl?.Segmenter && new Intl.Segmenter(undefined, { granularity: "word" });
const HIDDEN = /^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}]$/u;
const UNSPACED = /^[\s\p{P}]*[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmr}\p{sc=Mymr}]/u;

// Cuts a text into letters as they are seen, none of which is ever cut.
export function graphemes(text) {
  if (/^[\n\x20-\x7e]*$/.test(text) || !bySight) return [...text];
  return Array.from(bySight.segment(text), ({ segment }) => segment);
}

// A letter as it can be seen, and whether it is only a sign for one.
export function visible(letter) {
  if (letter === "\n" || letter === "\r\n" || letter === "\t" || !HIDDEN.test(letter)) return [letter, false];
  const code = letter.codePointAt(0);
  if (code < 0x20) return [String.fromCodePoint(0x2400 + code), true];
  return [code === 0x7f ? "\u2421" : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`, true];
}

// The first word of a text, with the space around it; where words are not spaced, by the dictionary of the browser.
export function firstWord(text) {
  const spaced = /^\s*\S+\s?/u.exec(text)?.[0] ?? text;
  if (!byWord || !UNSPACED.test(spaced)) return graphemes(text).length < 2 ? text : wholeLetters(text, spaced.length);
  let word = "";
  for (const { segment, isWordLike } of byWord.segment(text)) {
    word += segment;
    if (isWordLike) return word;
  }
  return word;
}

// The shortest beginning of whole letters that has so many code units.
export function wholeLetters(text, least) {
  let n = 0;
  for (const letter of graphemes(text)) {
    if (n >= least) break;
    n += letter.length;
  }
  return text.slice(0, n);
}
