"""Titles of news, written one character at a time.

The network reads 7,600 titles. After every epoch it completes five prompts at five temperatures, so that one sees it
learn letters, then words, then phrases; and sees what temperature does: at 0.3 it repeats the commonest titles, at 1.8
it invents words. Each title ends where the network wants it to end.

    python examples/titles.py                                     # 'ag-news', downloaded once; three to four minutes
    python examples/titles.py --corpus news.csv --column title    # the column of a CSV file
    python examples/titles.py --corpus titles.txt --epochs 20     # one title a line

Without a network connection it learns the names of Unicode's characters, which ship with Python.
"""

import argparse

import keras

import tfgen

TEMPERATURES = [0.3, 0.8, 1.0, 1.3, 1.8]
NEWS = ["Today ", "On Sunday ", "Moscow, ", "President ", "Little red riding hood "]
NAMES = ["LATIN SMALL LETTER ", "CAT ", "SIGN OF ", "MUSICAL ", "LITTLE RED RIDING HOOD "]


def load(args):
    """Give the titles, and prompts that suit them."""
    if args.corpus:
        # `unescape` because titles from the web hold HTML: AG News writes "doesn #39;t" and "&lt;b&gt;".
        lines = args.column is None
        return tfgen.load_corpus(args.corpus, column=args.column, lines=lines, unescape=True), NEWS
    try:
        return tfgen.load_corpus("ag-news"), NEWS
    except tfgen.InputError as error:
        print(f"No news: {error}.\nGoing on with 'unicode-names', which ships with Python.\n")
        return tfgen.load_corpus("unicode-names"), NAMES


def main(argv=None):
    """Data, network, fit, sample, save."""
    parser = argparse.ArgumentParser(description="Learn to write titles.")
    parser.add_argument("--corpus", help="a CSV, TSV or JSONL file, or a text with one title a line (ag-news)")
    parser.add_argument("--column", help="the column of a table that holds the titles, by name or by number from 1")
    parser.add_argument("--epochs", type=int, default=15, help="times through the titles (%(default)s)")
    parser.add_argument("--units", type=int, default=256, help="of the LSTM (%(default)s)")
    parser.add_argument("--output", default="titles.keras", help="where the model goes (%(default)s)")
    args = parser.parse_args(argv)

    # Data. Each title is a row of its own: it begins after an end-of-text token and its last target is one, which is
    # how the network learns to stop. Titles of about one length share a batch; padding counts in no loss.
    corpus, prompts = load(args)
    vocabulary = tfgen.Vocabulary.from_corpus(corpus)
    print(f"{corpus}, {vocabulary}")
    train, validation = tfgen.datasets.documents(
        corpus,
        vocabulary,
        batch_size=32,  # small batches learn more from each character; much smaller ones waste the processor
        validation=0.1,  # titles never trained on: the loss on them tells learning from copying
    )

    # Network. One-hot characters, one LSTM, a softmax at each character. No `batch_size`: titles have nothing to do
    # with one another, so every row of every batch starts from the zero state.
    generator = tfgen.TextGenerator.build(
        vocabulary,
        units=args.units,  # 256 spell well; 128 are twice as fast and misspell more
        seed=0,  # the same first weights in every run
    )
    generator.network.summary()

    # Fit, as any Keras model. The rate begins at five times Adam's default, which small recurrent networks bear well if
    # no single batch may throw them off: hence the clipping, by the norm of the whole gradient. It falls along a cosine
    # to nothing, for the last epochs are there to polish.
    rate = keras.optimizers.schedules.CosineDecay(0.005, decay_steps=args.epochs * len(train))
    generator.compile(
        optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=[tfgen.metrics.BitsPerCharacter()],
    )
    generator.fit(
        train,
        validation_data=validation,
        epochs=args.epochs,
        callbacks=[tfgen.callbacks.SampleText(prompts, temperatures=TEMPERATURES, length=100)],
    )

    # Sample. The empty prompt begins a title from nothing; `length` is only a limit, for titles end by themselves.
    print("\nTitles from nothing, at 0.8:")
    for title in generator.generate(n=10, length=100, temperature=0.8, seed=1):
        print(f"  {title}")

    # Save. One file holds vocabulary and network, and `import tfgen` is all that Keras needs to read it.
    generator.save(args.output)
    again = keras.saving.load_model(args.output)
    title = again.generate(prompts[0], length=100, temperature=0.8, seed=2, unknown="skip")
    print(f"\nSaved and read again: {title}")
    print(f'Go on with:  tfgen generate {args.output} "{prompts[0]}" -n 5')


if __name__ == "__main__":
    main()
