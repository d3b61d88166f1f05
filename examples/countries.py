"""Three countries in a list, and the language that writes them so: "Peru, Malta och Tchad" is Swedish.

Many-to-one, a panel of the figure: a text is read and one class is written. For tfgen a class is a text of one word, so
nothing here is special; `generate(source=text)` is the classifier, and `score` would say how sure it is of each
language. What reads is a network of the example's own, which tfgen gives texts: convolutions that look for two to five
characters in a row. All twenty languages are written in Latin letters, and no test list has a country that was seen in
training. Counts of one to four characters in a row (naive Bayes) are scored beside it, and are hard to beat.

    python examples/countries.py                              # two minutes
    tfgen generate countries.keras --source "Perù, Malta e Ciad"

The lists are written by Babel, the counts by scikit-learn (pip install '.[examples]'); nothing is downloaded.
"""

import argparse
import collections

import keras
from figure import country_lists

import tfgen

MINE = ["Perù, Malta e Ciad", "Pérou, Malte et Tchad", "Perú, Malta y Chad", "Peru, Malta och Tchad"]


def share(written, languages):
    """Give the share that is right."""
    return sum(one == other for one, other in zip(written, languages, strict=True)) / len(languages)


def encoder_of(letters):
    """Build a list, as ids (B, S) -> 512 features: how much 128 patterns of each width look like some place in it."""
    ids = keras.Input((None,), dtype="int32")
    there = keras.ops.expand_dims(keras.ops.cast(ids != 0, "float32"), -1)  # short lists are padded with 0
    characters = keras.layers.Embedding(len(letters), 32)(ids) * there
    found = [
        keras.layers.GlobalMaxPooling1D()(
            keras.layers.Conv1D(128, width, padding="same", activation="relu")(characters) * there
        )
        for width in (2, 3, 4, 5)
    ]
    # Names are soon known by heart, and these will not come again: a language is to be told by many patterns.
    features = keras.layers.Dropout(0.5)(keras.layers.Concatenate()(found))
    return tfgen.networks.TextReader(letters, keras.Model(ids, features))


def main(argv=None):
    """Data, network, fit, sample, save."""
    parser = argparse.ArgumentParser(description="Learn to tell languages.")
    parser.add_argument("--examples", type=int, default=100_000, help="lists to learn from (%(default)s)")
    parser.add_argument("--epochs", type=int, default=1, help="times through them (%(default)s)")
    parser.add_argument("--units", type=int, default=64, help="of the decoder's LSTM (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the lists and the first weights (%(default)s)")
    parser.add_argument("--output", default="countries.keras", help="where the model goes (%(default)s)")
    args = parser.parse_args(argv)

    # Data. A class is a word, so the vocabulary is one of words.
    train = country_lists.drawn(args.examples, held_out=False, seed=args.seed)
    test = country_lists.drawn(4000, held_out=True, seed=args.seed + 1)
    letters = tfgen.Vocabulary.from_texts(train.written, ends=True)
    vocabulary = tfgen.Vocabulary.from_texts(train.languages, split="word", ends=True)
    pairs = {"vocabulary": vocabulary, "source_vocabulary": letters, "validation": 0}
    batches, _ = tfgen.datasets.pairs(train.written, train.languages, batch_size=64, **pairs)
    held_out, _ = tfgen.datasets.pairs(test.written, test.languages, batch_size=256, unknown="unknown", **pairs)

    # Network.
    keras.utils.set_random_seed(args.seed)  # the encoder's first weights
    generator = tfgen.TextGenerator.build(vocabulary, units=args.units, encoder=encoder_of(letters), seed=args.seed)

    # Fit.
    steps = args.epochs * len(batches)
    rate = keras.optimizers.schedules.PolynomialDecay(0.003, decay_steps=steps, end_learning_rate=0)
    generator.compile(
        optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=[tfgen.metrics.ExactMatch()],
    )
    generator.fit(batches, validation_data=held_out, epochs=args.epochs, verbose=2)

    # Score, and say what it takes for what.
    written = generator.generate(source=test.written, length=1, temperature=0, unknown="unknown")
    baseline = country_lists.naive_bayes(train, test)
    print(f"\nRight, of {len(test.written):,} lists of countries never seen in any language:")
    print(f"  the network  {share(written, test.languages):.1%}")
    print(f"  naive Bayes  {share(baseline, test.languages):.1%}")
    mistakes = collections.Counter(pair for pair in zip(test.languages, written, strict=True) if pair[0] != pair[1])
    for (language, other), count in mistakes.most_common(3):
        print(f"  {language} taken for {other}: {count} times")

    # Sample.
    print()
    for source, language in zip(MINE, generator.generate(source=MINE, temperature=0, unknown="unknown"), strict=True):
        print(f"{source} -> {language}")

    # Save.
    generator.save(args.output)
    print(f'Saved. Go on with:  tfgen generate {args.output} --source "{MINE[0]}"')


if __name__ == "__main__":
    main()
