"""Handwritten digits, told by the one network that also writes: a picture becomes one character.

One-to-one, the left-hand panel of the figure: no sequence is read and none is written. For tfgen a class is a text of
one character, so nothing here is special; `generate(source=picture)` is the classifier. What is held out are digits by
other writers, and a logistic regression is scored beside it.

    python examples/digits.py      # half a minute

The digits come with scikit-learn (pip install '.[examples]'); nothing is downloaded.
"""

import argparse

import keras
from figure import handwritten_digits

import tfgen

SHADES = " .:*#@"


def show(picture, title):
    """Draw a picture (8, 8, 1) in characters."""
    print(f"\n{title}")
    for row in picture[..., 0]:
        print("   ", "".join(2 * SHADES[round(float(ink) * (len(SHADES) - 1))] for ink in row))


def encoder_of(seed):
    """Build a picture (8, 8, 1) -> 64 features; it is any Keras model, and could be one trained elsewhere."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            # 1,437 pictures are few: while it trains, each is seen a little to the side, turned and grown.
            keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant", seed=seed),
            keras.layers.RandomRotation(0.03, fill_mode="constant", seed=seed + 1),
            keras.layers.RandomZoom(0.1, fill_mode="constant", seed=seed + 2),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.3, seed=seed + 3),
            keras.layers.Dense(64, activation="relu"),
        ]
    )


def main(argv=None):
    """Data, network, fit, sample, save."""
    parser = argparse.ArgumentParser(description="Learn to read digits.")
    parser.add_argument("--epochs", type=int, default=40, help="times through the digits (%(default)s)")
    parser.add_argument("--units", type=int, default=64, help="of the decoder's LSTM (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights and the draws (%(default)s)")
    parser.add_argument("--output", default="digits.keras", help="where the model goes (%(default)s)")
    args = parser.parse_args(argv)
    keras.utils.set_random_seed(args.seed)  # the encoder's first weights

    # Data. The test digits are by other writers; a random tenth would have the same hands in both parts.
    train, test = handwritten_digits.split()
    vocabulary = tfgen.Vocabulary.from_texts(train.digits, ends=True)
    batches, _ = tfgen.datasets.pairs(train.pictures, train.digits, vocabulary, batch_size=32, validation=0)
    held_out, _ = tfgen.datasets.pairs(test.pictures, test.digits, vocabulary, batch_size=120, validation=0)

    # Network, and fit. The decoder begins in a state made of the features, writes a digit, and ends.
    generator = tfgen.TextGenerator.build(vocabulary, units=args.units, encoder=encoder_of(args.seed), seed=args.seed)
    steps = args.epochs * len(batches)
    rate = keras.optimizers.schedules.PolynomialDecay(0.003, decay_steps=steps, end_learning_rate=0)
    generator.compile(
        optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=[tfgen.metrics.ExactMatch()],
    )
    generator.fit(batches, validation_data=held_out, epochs=args.epochs, verbose=2)

    # Score.
    written = generator.generate(source=test.pictures, length=1, temperature=0)
    wrong = [place for place, digit in enumerate(test.digits) if written[place] != digit]
    baseline = handwritten_digits.logistic_regression(train, test)
    print(f"\nRight, of {len(test.digits)} digits by writers never seen:")
    print(f"  the network          {1 - len(wrong) / len(test.digits):.1%}")
    print(f"  logistic regression  {sum(map(str.__eq__, baseline, test.digits)) / len(test.digits):.1%}")

    # Sample. What it takes for something else, people often do too.
    for place in wrong[:3]:
        show(test.pictures[place], f"A {test.digits[place]}, read as {written[place]}:")

    # Save.
    generator.save(args.output)
    again = keras.saving.load_model(args.output)
    print(f"\nSaved and read again: the first digit is a {again.generate(source=test.pictures[:1], temperature=0)[0]}.")


if __name__ == "__main__":
    main()
