// All that the page says: to translate it, translate this.

const number = (digits) => new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const [whole, tenths, hundredths] = [0, 1, 2].map(number);
const many = (n, one, more) => `${whole.format(n)} ${n === 1 ? one : more}`;

export const TEXT = {
  // One for each part of the page, by the name in its data-text.
  write: "Write",
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
  undo: "Undo",
  fork: "Two columns",
  copy: "Copy",
  share: "Share",
  save: "Save this page",
  whichUnit: "Unit",
  find: "Find a unit for",
  link: "Whoever has this page sees the same text by this link:",
  more: "More settings",
  ownTitle: "How predictable are you?",
  ownHint:
    "Paste something, or type. The network reads it letter by letter, and says how much each one surprised it.",
  ownLabel: "Your own text",
  about: "About this model",
  promise: "All of this happens in this page. It asks no server for anything, and cannot send what you type.",

  // Numbers.
  degrees: (n) => hundredths.format(n),
  percent: (p) => (p < 0.0005 ? "<0.1 %" : `${tenths.format(p * 100)} %`),
  bits: (n) => hundredths.format(n),
  whole: (n) => whole.format(n),
  bytes: (n) => (n < 1e6 ? `${whole.format(n / 1e3)} KB` : `${tenths.format(n / 1e6)} MB`),

  // The head of the page.
  lede: (kinds, characters, source) =>
    `A network of ${kinds}` +
    (characters ? ` that has read ${whole.format(characters)} characters${source ? ` of ${source}` : ""}.` : ".") +
    " Drag the temperature, click any letter, or begin a sentence for it.",
  kind: (kind, units) =>
    ({ lstm: `${units} LSTM units`, gru: `${units} GRU units`, rnn: `${units} plain recurrent units` })[kind],
  and: (parts) => new Intl.ListFormat("en").format(parts),

  // The text, and what else could stand in it.
  paper: "What it writes. Arrow keys move from letter to letter; Enter shows what else could stand there.",
  ownPaper: "Your text, by how surprising it is. Arrow keys move from letter to letter; Enter shows what it expected.",
  choices: "What else could stand here",
  choicesFor: (token, p, rank) => `${token}: ${p}, the ${ordinal(rank)} likeliest here`,
  choicesFirst: (token, p) => `${token}: ${p}, the likeliest here`,
  valueOf: (value) => `the unit gives ${hundredths.format(value)}`,
  letter: (token, p) => `${token}, ${p}`,
  tokens: { " ": "space", "\n": "new line", "\t": "tab", "\u0003": "the end" },
  unknown: "not among the letters that it knows",
  perCharacter: "bits per character",
  cut: (n) => `The first ${whole.format(n)} characters are shown; all are counted.`,
  ownFigure: (characters, blind, learned) =>
    `bits per character, over ${many(characters, "character", "characters")}. Blind guessing needs ` +
    `${hundredths.format(blind)}` +
    (learned ? `; text like what it learned from, ${hundredths.format(learned)}.` : "."),

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

  // Settings beside the temperature, with the range of each.
  settings: {
    length: "Length",
    top_k: "Top-k",
    top_p: "Top-p",
    min_p: "Min-p",
    repetition_penalty: "Repetition penalty",
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
  damaged: "This page is damaged: its network gives no distribution.",

  corpus: (source, n) => (n ? `${source}, ${many(n, "character", "characters")}` : source),

  // Facts about the model: pairs of a name and what it is.
  facts: ({ layers, tokens, parameters, weights, bytes, corpus, learned, trained, version }) => [
    ["Network", layers],
    ["Parameters", `${whole.format(parameters)}, kept as ${weights}, ${TEXT.bytes(bytes)}`],
    ["Letters", whole.format(tokens)],
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
