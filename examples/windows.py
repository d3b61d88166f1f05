"""Running text in windows of 100 characters: the simplest way to train at all.

The text is cut every `nchars` = 100 characters; the pieces come in random order, and the network reads each from a
fresh state. It never looks back further than one window, and needs no bookkeeping. Twice an epoch it shows what it
writes, so that one sees how soon the indentation, the words and the markup of the text appear.

    python examples/windows.py                         # the Python documentation, ships with Python; about two minutes
    python examples/windows.py --corpus war.txt        # a text of your own
    python examples/windows.py --nchars 25             # a network that looks back no further than a few words

`keras_nietzsche.py` does the same with a state that is carried from window to window.
"""

import argparse

import keras

import tfgen

TEMPERATURES = [0.3, 0.8, 1.0, 1.3, 1.8]


def main(argv=None):
    """Data, network, fit, sample, save."""
    parser = argparse.ArgumentParser(description="Learn a text from shuffled windows.")
    parser.add_argument("--corpus", default="python-docs", help="a text file, or a named corpus (%(default)s)")
    parser.add_argument("--nchars", type=int, default=100, help="characters in a window (%(default)s)")
    parser.add_argument("--epochs", type=int, default=6, help="times through the text (%(default)s)")
    parser.add_argument("--units", type=int, default=192, help="of the LSTM (%(default)s)")
    parser.add_argument("--prompt", default="The ", help="what the samples begin with (%(default)r)")
    parser.add_argument("--output", default="windows.keras", help="where the model goes (%(default)s)")
    args = parser.parse_args(argv)

    # Data. A window of 100 gives 100 pairs (this character, the next one). The last target of a window is the first
    # input of the next, so that no pair of neighbours is left out. The order is another one in every epoch.
    corpus = tfgen.load_corpus(args.corpus)
    vocabulary = tfgen.Vocabulary.from_corpus(corpus)
    train, validation = tfgen.datasets.windows(
        corpus,
        vocabulary,
        batch_size=16,  # 1,600 characters a step: hundreds of steps an epoch even in a text this small
        length=args.nchars,
        validation=0.1,  # the last tenth of the text; windows drawn from all over it would overlap the training
        seed=0,  # of the order
    )
    inputs, targets = next(iter(validation))  # int32 (B, T) each
    print(f"{corpus}, {vocabulary}, {len(train)} batches of {inputs.shape[0]} windows an epoch. The first to validate:")
    print(f"  reads    {vocabulary.decode(inputs[0])[:60]!r} ...")
    print(f"  predicts {vocabulary.decode(targets[0])[:60]!r} ...")

    # Network. No `batch_size`, so the LSTM is not stateful: each window starts from zeros, as a prompt will. The price
    # is that the first characters of each window are guessed nearly blind, about one in twenty of them.
    generator = tfgen.TextGenerator.build(
        vocabulary,
        units=args.units,  # enough for words and markup; the time of a step grows with the square
        seed=0,  # the same first weights in every run
    )

    # Fit. Few steps want a high rate; it falls along a cosine, because the last steps are for polishing. Clipping
    # keeps a rare steep batch from undoing the work of many.
    rate = keras.optimizers.schedules.CosineDecay(0.005, decay_steps=args.epochs * len(train))
    generator.compile(
        optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=[tfgen.metrics.BitsPerCharacter()],
    )
    halfway = max(len(train) // 2, 1)  # batches
    generator.fit(
        train,
        validation_data=validation,
        epochs=args.epochs,
        callbacks=[tfgen.callbacks.SampleText([args.prompt], length=150, every=halfway)],
    )

    # Sample. The network may write far beyond its 100 characters: the state simply goes on. One seed for all
    # temperatures: the same luck, spent more and more freely.
    for temperature in TEMPERATURES:
        text = generator.generate(args.prompt, length=300, temperature=temperature, seed=1, unknown="skip")
        print(f"\n--- temperature {temperature} ---\n{text}")

    # Save.
    generator.save(args.output)
    print(f'\nSaved. Go on with:  tfgen generate {args.output} "{args.prompt}" --temperature 0.5')


if __name__ == "__main__":
    main()
