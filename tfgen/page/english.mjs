// All that the page says: to translate it, translate this.

const number = (digits) => new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const [whole, tenths, hundredths] = [0, 1, 2].map(number);
const percentOf = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const many = (n, one, more) => `${whole.format(n)} ${n === 1 ? one : more}`;

export const TEXT = {
  // One for each part of the page, by the name in its data-text.
  write: "Write",
  writes: "It writes",
  here: "in this page",
  onServer: "on the server",
  source: "Write from",
  picture: "Draw something",
  pictureHint: "With the mouse, a pen or a finger, in one stroke or several. The keyboard cannot draw.",
  pictureLabel: "A field to draw in, with the mouse, a pen or a finger",
  clear: "Clear",
  prompt: "Begin with",
  promptHint: "Tab takes a word of what it would write; Esc declines, and then Tab moves on.",
  take: "Take a word",
  temperature: "Temperature",
  sure: "sure of itself",
  wild: "wild",
  seed: "Seed",
  another: "Another",
  colourBy: "Colour by",
  nothing: "nothing",
  surprise: "surprise",
  unit: "one unit",
  replay: "Training",
  undo: "Undo",
  fork: "Two columns",
  copy: "Copy",
  share: "Share",
  save: "Save this page",
  whichUnit: "Unit",
  find: "Find a unit for",
  link: "Whoever has this page sees the same text by this link:",
  linkServed: "Whoever may ask this server sees the same text by this link:",
  linkToken: "Whoever may ask this server, and adds &token= and its token, sees the same text by this link:",
  more: "More settings",
  ownTitle: "How predictable are you?",
  ownHint:
    "Paste something, or type. The network reads it letter by letter, and says how much each one surprised it.",
  ownLabel: "Your own text",
  about: "About this model",
  promise: "All of this happens in this page. It asks no server for anything, and cannot send what you type.",
  promiseHere: "The network is in this page. While it writes here, nothing that you type is sent anywhere.",
  promiseServed: "The server that sent this page does the writing. It alone gets what you give it, and keeps none of it.",

  // Numbers.
  degrees: (n) => hundredths.format(n),
  percent: (p) => (p < 0.0005 ? "<0.1 %" : `${tenths.format(p * 100)} %`),
  bits: (n) => hundredths.format(n),
  whole: (n) => whole.format(n),
  bytes: (n) => (n < 1e6 ? `${whole.format(n / 1e3)} KB` : `${tenths.format(n / 1e6)} MB`),

  // The head of the page.
  lede: (kinds, characters, source, draws) =>
    (kinds ? `A network of ${kinds}` : "A model") +
    (characters ? ` that has read ${whole.format(characters)} characters${source ? ` of ${source}` : ""}.` : ".") +
    (draws
      ? " Draw something, and it writes what it sees."
      : " Drag the temperature, click any letter, or begin a sentence for it."),
  kind: (kind, units) =>
    ({ lstm: `${units} LSTM units`, gru: `${units} GRU units`, rnn: `${units} plain recurrent units` })[kind],
  and: (parts) => new Intl.ListFormat("en").format(parts),

  // The text, and what else could stand in it.
  paper: "What it writes. Arrow keys move from letter to letter; Enter shows what else could stand there.",
  ownPaper: "Your text, by how surprising it is. Arrow keys move from letter to letter; Enter shows what it expected.",
  places: "What it writes from, place by place.",
  attended: (places) => (places.length ? `attends to ${places.join("; ")}` : ""),
  choices: "What else could stand here",
  choicesFor: (token, p, rank) => `${token}: ${p}, the ${ordinal(rank)} likeliest here`,
  choicesFirst: (token, p) => `${token}: ${p}, the likeliest here`,
  choicesRare: (token, p) => `${token}: ${p}`,
  valueOf: (value) => `the unit gives ${hundredths.format(value)}`,
  letter: (token, p) => (p ? `${token}, ${p}` : token),
  tokens: { " ": "space", "\n": "new line", "\t": "tab", "\u0003": "the end" },
  unknown: "not among the letters that it knows",
  perCharacter: "bits per character",
  cut: (n) => `The first ${whole.format(n)} characters are shown; all are counted.`,
  ownFigure: (characters, blind, learned) =>
    `bits per character, over ${many(characters, "character", "characters")}. Blind guessing needs ` +
    `${hundredths.format(blind)}` +
    (learned ? `; text like what it learned from, ${hundredths.format(learned)}.` : "."),
  ownServed: (characters) => `bits per character, over ${many(characters, "character", "characters")}.`,
  ownCut: (n) => `The first ${whole.format(n)} characters are read.`,

  // Colours.
  surpriseLegend: ["as expected", "1 bit", "3 bits", "6 bits", "10 bits and more"],
  unitLegend: ["-1", "", "0", "", "1"],
  unitName: (layer, k, layers) => (layers > 1 ? `${k + 1} of layer ${layer + 1}` : `${k + 1}`),
  features: {
    quotes: "quotes",
    brackets: "brackets",
    capitals: "capitals",
    line: "line length",
    words: "word length",
  },
  found: (feature) => `Follows ${feature} most closely:`,
  foundUnit: (name, r) => `${name} (${hundredths.format(r)})`,
  notFound: (feature) => `There are no ${feature} in 2,500 characters of this text.`,

  // Where in its training a network is.
  epoch: (n) =>
    n === null
      ? "as it is now"
      : n === 0
        ? "before it has read anything"
        : n < 1
          ? `after ${percentOf.format(n)} of the text`
          : n === 1
            ? "after the text, once"
            : `after ${whole.format(n)} times the text`,

  // Settings beside the temperature, with the range of each.
  settings: {
    length: "Length",
    top_k: "Top-k",
    top_p: "Top-p",
    min_p: "Min-p",
    repetition_penalty: "Repetition penalty",
    stop: "Stop at (a | b)",
  },
  off: "off",

  // What happened.
  written: (n) => `${many(n, "character", "characters")} written.`,
  scored: (bits) => `${hundredths.format(bits)} bits per character.`,
  reading: (share) => `Reading: ${whole.format(share * 100)} %`,
  taken: (word) => `Taken: ${word}`,
  copied: "Copied.",
  linkCopied: "The link is copied.",
  saved: "Saved.",
  unreachable: "The server does not answer. Is it still running?",
  refused: (message) => `The server says: ${message}`,
  damaged: "This page is damaged: its network gives no distribution.",

  corpus: (source, n) => (n ? `${source}, ${many(n, "character", "characters")}` : source),

  // Facts about the model: pairs of a name and what it is.
  facts: ({ layers, characters, tokens, parameters, weights, bytes, corpus, learned, trained, version }) => [
    ["Network", layers],
    parameters && ["Parameters", `${whole.format(parameters)}, kept as ${weights}, ${TEXT.bytes(bytes)}`],
    [characters ? "Letters" : "Words", whole.format(tokens)],
    corpus && ["Learned from", corpus],
    learned && ["On text unseen", `${hundredths.format(learned)} bits per character`],
    trained && ["Trained", trained],
    ["Made by", `tfgen ${version}`],
  ],
};

function ordinal(n) {
  const endings = { one: "st", two: "nd", few: "rd", other: "th" };
  return `${whole.format(n)}${endings[new Intl.PluralRules("en", { type: "ordinal" }).select(n)]}`;
}
