"""Pictures of letters, and their names in Unicode: é becomes "LATIN SMALL LETTER E WITH ACUTE".

One-to-many, the figure's captioning: a convolutional network looks at a picture, and the decoder, which begins in a
state made of what was seen, says what it is, word by word; for each word attention looks at the parts of the picture. A
name is put together of parts too, so a letter can be named that has never been seen. That is why the encoder is trained
by itself first, to tell each word that a name has, whatever the others are: a decoder alone would rather learn by heart
which words follow one another. Two things are held out: a whole face, and a tenth of the letters in every face. As
baselines serve the most frequent name and the name of the training picture that is nearest; and because A, Α and А look
alike, not even a perfect reader would be right each time: that is the ceiling.

    python examples/glyphs.py      # four minutes

The faces come with matplotlib (pip install '.[examples]'), the names with Python; nothing is downloaded.
"""

import argparse
import collections
import math

import keras
import numpy as np
from figure import letters

import tfgen

SHADES = " .:*#@"


def show(picture, title):
    """Draw a picture (24, 24, 1) in characters."""
    print(f"\n{title}")
    for row in picture[..., 0]:
        if row.any():
            print("   ", "".join(2 * SHADES[round(float(ink) * (len(SHADES) - 1))] for ink in row))


def networks_of(words):
    """Build what looks at a picture (24, 24, 1).

    Returns:
        A network that tells which of so many words its name has, and the encoder, which has all layers of the first: 37
        places of 128 features, the words as they were told, and 6 x 6 parts for attention to look at.
    """

    def convolution(x, filters, size, strides):
        x = keras.layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(x)
        return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))

    picture = keras.Input((24, 24, 1))
    strokes = convolution(convolution(picture, 32, 5, strides=2), 64, 3, strides=2)
    # Beside what is seen at a place, how far down and across it lies: a dot above is no dot below.
    ones = keras.ops.ones_like(strokes[..., :1])
    where = [keras.ops.cumsum(ones, axis=axis) / 6 for axis in (1, 2)]
    parts = convolution(keras.layers.Concatenate()([strokes, *where]), 128, 3, strides=1)
    whole = keras.layers.Flatten()(keras.layers.MaxPooling2D()(parts))
    whole = keras.layers.Dense(128, activation="relu")(keras.layers.Dropout(0.2)(whole))
    told = keras.layers.Dense(words, activation="sigmoid")(whole)
    places = [keras.layers.Reshape((1, 128))(keras.layers.Dense(128)(told)), keras.layers.Reshape((36, 128))(parts)]
    return keras.Model(picture, told), keras.Model(picture, keras.layers.Concatenate(axis=1)(places))


def adam(steps):
    """Three times Adam's default rate, clipped, and falling to nothing."""
    rate = keras.optimizers.schedules.PolynomialDecay(0.003, decay_steps=steps, end_learning_rate=0)
    return keras.optimizers.Adam(rate, global_clipnorm=1.0)


def smoothed(targets, probabilities):
    """Give the cross-entropy with a tenth of each target spread over all words: no name is to be known by heart."""
    right = keras.losses.sparse_categorical_crossentropy(targets, probabilities)
    every = -keras.ops.mean(keras.ops.log(probabilities + keras.config.epsilon()), axis=-1)
    return 0.9 * right + 0.1 * every


def most_shared(names):
    """Give that of many names of one picture which has most words, each at its place, in common with the others."""

    def in_common(name):
        pairs = [(zip(name.split(), other.split(), strict=False), other.count(" ") + 1) for other in names]
        return sum(sum(one == two for one, two in both) / length for both, length in pairs)

    return max(dict.fromkeys(names), key=in_common)


def report(title, part, train, likeliest, shared):
    """Print how much is right, and the baselines."""
    usual = collections.Counter(train.names).most_common(1)[0][0]
    print(f"\n{title}, {len(part.names):,} pictures:            names     words")
    for who, names in [
        ("the network, its likeliest name", likeliest),
        ("the network, most words shared", shared),
        ("nearest training picture", letters.nearest(train, part.pictures)),
        ("most frequent name", [usual] * len(part.names)),
    ]:
        right = sum(map(str.__eq__, names, part.names)) / len(names)
        print(f"  {who:40} {right:8.1%}  {letters.words_right(part.names, names):8.1%}")
    print(f"  {'at best, as many look alike':40} {letters.ceiling(part):8.1%}")


def main(argv=None):
    """Data, network, fit, sample, save."""
    parser = argparse.ArgumentParser(description="Learn to name letters.")
    parser.add_argument("--epochs", type=int, default=7, help="of the encoder, and of the whole (%(default)s)")
    parser.add_argument("--units", type=int, default=128, help="of the decoder's LSTM (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights (%(default)s)")
    parser.add_argument("--output", default="glyphs.keras", help="where the model goes (%(default)s)")
    args = parser.parse_args(argv)
    keras.utils.set_random_seed(args.seed)  # the encoder's first weights

    # Data. Names in words: six of them where there would be thirty characters, and none can be misspelled.
    parts = letters.split()
    vocabulary = tfgen.Vocabulary.from_texts(parts.train.names, split="word", ends=True)
    train, _ = tfgen.datasets.pairs(parts.train.pictures, parts.train.names, vocabulary, batch_size=32, validation=0)
    face = parts.unseen_face
    held_out, _ = tfgen.datasets.pairs(face.pictures, face.names, vocabulary, batch_size=256, validation=0)

    # Networks, and fit: first what tells the words, whatever their order, for which a picture takes half the time.
    telling, encoder = networks_of(len(vocabulary))
    has = np.zeros((len(parts.train.names), len(vocabulary)), np.float32)
    for row, name in zip(has, parts.train.names, strict=True):
        row[vocabulary.encode(name)] = 1
    telling.compile(optimizer=adam(args.epochs * math.ceil(len(has) / 64)), loss="binary_crossentropy")
    telling.fit(parts.train.pictures, has, batch_size=64, epochs=args.epochs, verbose=2)

    # Then all of it. What the encoder has learned is not frozen, and goes on learning.
    generator = tfgen.TextGenerator.build(vocabulary, units=args.units, encoder=encoder, attention=True, seed=args.seed)
    generator.compile(adam(args.epochs * len(train)), smoothed, metrics=[tfgen.metrics.ExactMatch()])
    few = slice(0, None, len(face.names) // 5)
    samples = tfgen.callbacks.SampleText(sources=face.pictures[few], texts=face.names[few], temperatures=[0], length=15)
    generator.fit(train, validation_data=held_out, epochs=args.epochs, callbacks=[samples], verbose=2)

    # Score. How to read depends on what counts. For whole names four beginnings are followed, for the likeliest name
    # need not begin with the likeliest word. For words many names are drawn, and the one in their middle is taken: it
    # may well be wrong, but seldom by much.
    for title, part in (
        ("Letters of a face never seen", face),
        ("Letters never seen, in faces seen", parts.unseen_letters),
    ):
        likeliest = generator.generate(source=part.pictures, length=15, num_beams=4)
        drawn = generator.generate(source=part.pictures, length=15, n=24, temperature=0.7, seed=args.seed)
        report(title, part, parts.train, likeliest, [most_shared(names) for names in drawn])

    # Sample.
    for place in range(0, len(part.names), len(part.names) // 4):
        show(part.pictures[place], f"{part.names[place]}\nis read as {likeliest[place]}")

    # Save, without the loss that only this program knows.
    generator.compile(
        optimizer=generator.optimizer, loss="sparse_categorical_crossentropy", metrics=[tfgen.metrics.ExactMatch()]
    )
    generator.save(args.output)
    print(f"\nSaved in {args.output}: keras.saving.load_model and generate(source=pictures) go on with it.")


if __name__ == "__main__":
    main()
