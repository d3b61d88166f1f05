"""Dates in sixty languages, read as they are written and rewritten as ISO 8601: "5 mai 1952" becomes 1952-05-05.

Many-to-many, the right-hand panel of the figure: an encoder reads one text, a decoder writes another of another length.
While it writes a digit, attention looks at the letters that the digit comes from. What is counted is dates that are
right from the first digit to the last, on days that no language has shown in training, and in five languages that have
not been shown at all.

    python examples/dates.py                          # two minutes
    python examples/dates.py --compare                # and the same network without attention, beside it
    tfgen generate dates.keras --source "5 mai 1952"  # afterwards

The dates are written by Babel (pip install '.[examples]'); nothing is downloaded.
"""

import argparse

import keras
from figure import written_dates

import tfgen

MINE = ["5 mai 1952", "vendredi 13 mars 2026", "1. Mai 1999", "Tuesday, July 20, 1969", "2000年2月29日"]


def exact(generator, dates):
    """Give the share of dates that are written right, every digit of them."""
    written = generator.generate(source=dates.written, length=10, temperature=0, unknown="unknown")
    return sum(text == iso for text, iso in zip(written, dates.iso, strict=True)) / len(written)


def learn(args, train, test, *, attention):
    """Build a network and train it."""
    # Data. One alphabet is read, of sixty languages, another is written: ten digits, a hyphen, and the end. Dates of
    # about one length share a batch, so that little of it is padding.
    letters = tfgen.Vocabulary.from_texts(train.written, ends=True)
    vocabulary = tfgen.Vocabulary.from_texts(train.iso, ends=True)
    batches, _ = tfgen.datasets.pairs(
        train.written, train.iso, vocabulary, source_vocabulary=letters, batch_size=64, validation=0
    )
    held_out, _ = tfgen.datasets.pairs(
        test.written, test.iso, vocabulary, source_vocabulary=letters, batch_size=256, validation=0, unknown="unknown"
    )

    # Network. The encoder reads from both ends, since a year may come first or last; half the decoder's units each.
    generator = tfgen.TextGenerator.build(
        vocabulary,
        units=args.units,
        encoder=tfgen.networks.text_encoder(letters, units=args.units // 2, embedding=64, seed=args.seed),
        attention=attention,
        seed=args.seed,
    )

    # Fit. Three times Adam's default rate, clipped, and falling to nothing: the last dates are there to polish.
    steps = args.epochs * len(batches)
    rate = keras.optimizers.schedules.PolynomialDecay(0.003, decay_steps=steps, end_learning_rate=0)
    generator.compile(
        optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=[tfgen.metrics.ExactMatch()],
    )
    samples = tfgen.callbacks.SampleText(sources=MINE, temperatures=[0], length=10, every=500)
    generator.fit(batches, validation_data=held_out, epochs=args.epochs, callbacks=[samples], verbose=2)
    return generator


def main(argv=None):
    """Data, network, fit, sample, save."""
    parser = argparse.ArgumentParser(description="Learn to read dates.")
    parser.add_argument("--examples", type=int, default=150_000, help="dates to learn from (%(default)s)")
    parser.add_argument("--epochs", type=int, default=1, help="times through them (%(default)s)")
    parser.add_argument("--units", type=int, default=128, help="of the decoder's LSTM (%(default)s)")
    parser.add_argument("--compare", action="store_true", help="train the same network without attention too")
    parser.add_argument("--seed", type=int, default=0, help="of the dates and the first weights (%(default)s)")
    parser.add_argument("--output", default="dates.keras", help="where the model goes (%(default)s)")
    args = parser.parse_args(argv)

    # Eight million dates could be written; each of these is seen once.
    train = written_dates.drawn(args.examples, held_out=False, seed=args.seed)
    test = written_dates.drawn(3000, held_out=True, seed=args.seed + 1)
    generator = learn(args, train, test, attention=True)
    without = learn(args, train, test, attention=False) if args.compare else None

    # Score, on what was held out: a tenth of all days, and five languages.
    by_babel = [
        written_dates.read_by_babel(written, language) == iso for written, iso, language in zip(*test, strict=True)
    ]
    print(f"\nRight, of {len(test.iso):,} dates on days never seen:")
    print(f"  with attention          {exact(generator, test):.1%}")
    if without:
        print(f"  without                 {exact(without, test):.1%}")
    print(f"  Babel's own parse_date  {sum(by_babel) / len(by_babel):.1%}, which is told the language")
    for code, language in written_dates.LEFT_OUT.items():
        unseen = written_dates.drawn(500, held_out=True, languages=[code], seed=args.seed)
        print(f"  {language}, never seen {exact(generator, unseen):.1%}")

    # Sample. `temperature=0` takes the likeliest character each time.
    print()
    for source, iso in zip(MINE, generator.generate(source=MINE, temperature=0, unknown="unknown"), strict=True):
        print(f"{source} -> {iso}")

    # Save. Both alphabets, encoder and decoder are in the one file.
    generator.save(args.output)
    print(f'Saved. Go on with:  tfgen generate {args.output} --source "{MINE[0]}"')


if __name__ == "__main__":
    main()
