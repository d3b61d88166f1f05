"""Three generations of models of text on one text: counts of n-grams, an LSTM, a transformer as GPT-2 has it.

The first half of the story is a table: what each makes of a text that it has not learned from, as it is and while it
learns from it; how large it is, how long it took, how fast it writes, how much of what it writes is copied. On a short
text the counts, which take a second, are hard to beat; mixed with a network they are better than either.

Then what counts cannot do, measured on a text that is made for it: they see six characters, and what matters lies a
hundred characters back. A speech opens with a name and a bracket. The bracket decides which one closes the speech, and
the name which of two words the speaker keeps saying. Whoever has forgotten them can only guess, as counts must.

    python examples/three_generations.py                        # the Python documentation; ten minutes
    python examples/three_generations.py --corpus hamlet.txt    # a text of your own
"""

import argparse
import random
from pathlib import Path

import tfgen
from tfgen import comparison, training

BRACKETS = ["()", "[]", "<>"]
HABITS = {"anna": "indeed", "bert": "surely"}
WORDS = ["river", "stone", "cloud", "light"]  # said by both, and as long as counts can see with the space before
LENGTHS = [1, 2, 3, 5, 8, 12, 17]  # words of a speech: what is learned on short ones holds for long ones


def speech(rng, words):
    """Give a speaker, a bracket, and a speech of so many words in that bracket."""
    speaker, bracket, said = rng.choice([*HABITS]), rng.choice(BRACKETS), rng.choices(WORDS, k=words)
    for place in range(1, words - 1):  # what six characters before a habit or a bracket's end say, both might say
        if said[place - 1] in WORDS and rng.random() < 0.4:
            said[place] = HABITS[speaker]
    return speaker, bracket, f"{speaker}: {bracket[0]}{' '.join(said)}{bracket[1]}"


def closes(generator, rng, count):
    """Tell how often the right bracket is the likeliest of the three where a speech of a hundred characters closes."""
    speeches = [speech(rng, words=17) for _ in range(count)]
    scores = generator.score([text[:-1] + each[1] for _, _, text in speeches for each in BRACKETS])
    of_each = [score.log_probabilities[-1] for score in scores]
    right = 0
    for number, (_, bracket, _) in enumerate(speeches):
        of_speech = of_each[number * len(BRACKETS) : (number + 1) * len(BRACKETS)]
        right += BRACKETS[of_speech.index(max(of_speech))] == bracket
    return right / count


def stays(generator, count):
    """Tell which share of the habits in speeches that it writes are those of the speaker."""
    own = every = 0
    for speaker, habit in HABITS.items():
        for text in generator.generate(f"{speaker}: [", n=count, length=160, seed=1):
            own += text.count(habit)
            every += sum(map(text.count, HABITS.values()))
    return own / max(every, 1)


def three(corpus, lstm, transformer, **both):
    """Count, and train the two networks, each with its settings: a generator of each generation by its name."""
    jobs = [
        training.prepare(corpus, training.Settings(**lstm, **both, seed=0)),
        training.prepare(corpus, training.Settings(cell="transformer", **transformer, **both, seed=0)),
    ]
    for job in jobs:
        training.run(job)  # keeps the weights of the best epoch, judged by the last tenth of what it is given
    return {"counts": training.count(corpus), "lstm": jobs[0].generator, "transformer": jobs[1].generator}


def main(argv=None):
    """Data, three models, a mixture, a table, and what counts cannot do."""
    parser = argparse.ArgumentParser(description="Compare counts, an LSTM and a transformer.")
    parser.add_argument("--corpus", default="python-docs", help="a text file, or a named corpus (%(default)s)")
    parser.add_argument("--epochs", type=int, default=5, help="times through each text (%(default)s)")
    parser.add_argument("--units", type=int, default=192, help="of the LSTM (%(default)s)")
    parser.add_argument("--speeches", type=int, default=8000, help="that are made to learn from (%(default)s)")
    parser.add_argument("--prompt", default="The ", help="what the samples begin with (%(default)r)")
    parser.add_argument("--output", default="both.keras", help="where the mixture goes, the others beside it")
    args = parser.parse_args(argv)

    # Data. The last tenth is for the table alone: no model has learned from it, none was chosen by it.
    whole = tfgen.load_corpus(args.corpus)
    text = "\n".join(whole.documents)
    cut = round(0.9 * len(text))
    corpus, held_out = tfgen.Corpus([text[:cut]], False, whole.source), text[cut:]

    # The models, and the oldest with the newer: each token's probability is the weighted sum of both.
    models = three(corpus, {"units": args.units}, {}, epochs=args.epochs)  # the transformer's usual sizes
    models["lstm and counts"] = tfgen.TextGenerator.mix([models["lstm"], models["counts"]], weights=[0.6, 0.4])
    output = Path(args.output)
    paths = {name: output.with_name(f"{output.stem}-{name}.keras") for name in models} | {"lstm and counts": output}
    for name, path in paths.items():
        models[name].save(path)

    # The table, and what each writes with the same seed.
    table = comparison.compare([*paths.values()], on=held_out, prompt=args.prompt, corpus=corpus)
    print(f"\n{table}")
    for row in table.rows:
        print(f"\n--- {row.model}\n{row.text}")

    # What counts cannot do. Each speech is a document, which is read from its beginning to its end: what is learned can
    # reach from the bracket that opens it to the one that closes it.
    rng = random.Random(0)
    made = tfgen.Corpus([speech(rng, rng.choice(LENGTHS))[2] for _ in range(args.speeches)], True, "speeches")
    print(f"\nMade to be remembered, such as:  {made.documents[0]}\n\n{'':12} closes the bracket  stays in the speech")
    remembering = three(
        made,
        {"units": 64},  # little is to be said
        {"units": 64, "layers": 2, "heads": 2, "window": 192},  # which a speech fits into
        batch_size=8,  # many updates: what is seldom heard of, such as a bracket, takes some thousand to be learned
        epochs=args.epochs,
    )
    for name, generator in remembering.items():
        print(f"{name:12} {closes(generator, random.Random(1), 200):18.0%} {stays(generator, 30):20.0%}")
    print(f"{'a guess':12} {1 / 3:18.0%} {1 / 2:20.0%}\n\nSaved. Go on with:  tfgen generate {output} {args.prompt!r}")


if __name__ == "__main__":
    main()
