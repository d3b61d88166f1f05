"""Keras' example "character-level text generation with LSTM", on a stateful network.

Nietzsche, an LSTM of 128 units, and samples at 0.2, 0.5, 1.0 and 1.2 after every epoch: all as in the Keras example.
What differs is how the text reaches the network. There, a window of 40 characters is cut out at every third character
and laid out as one-hot rows of 57 booleans: 40 x 57 / 3 = 760 bytes for each character of the text, half a gigabyte for
a book. Each window is read whole to learn one character, and two characters of three are never learned.

Here the text stays one byte a character and runs past the network in parallel streams. A stateful LSTM remembers where
each stream was, so that every character is read once an epoch and learned once an epoch, after all that stands before
it. The network is the same; an epoch takes a fraction of the time and teaches three times as much.

    python examples/keras_nietzsche.py                        # 'nietzsche', downloaded once; about two minutes
    python examples/keras_nietzsche.py --corpus kant.txt      # another philosopher

Without a network connection it learns the Python documentation, which ships with Python.
"""

import argparse

import keras

import tfgen

TEMPERATURES = [0.2, 0.5, 1.0, 1.2]
STREAMS = 32  # some 17,000 characters each of Nietzsche: with more streams, an epoch has fewer steps to learn in


def load(path):
    """Give Nietzsche, or what was asked for, or what is at hand."""
    try:
        return tfgen.load_corpus(path or "nietzsche")
    except tfgen.InputError as error:
        if path:
            raise
        print(f"No Nietzsche: {error}.\nGoing on with 'python-docs', which ships with Python.\n")
        return tfgen.load_corpus("python-docs")


def main(argv=None):
    """Data, network, fit, sample, save."""
    parser = argparse.ArgumentParser(description="Keras' character-level example, on streams.")
    parser.add_argument("--corpus", help="a text file (nietzsche)")
    parser.add_argument("--epochs", type=int, default=8, help="times through the text (%(default)s)")
    parser.add_argument("--units", type=int, default=128, help="of the LSTM (%(default)s)")
    parser.add_argument("--output", default="nietzsche.keras", help="where the model goes (%(default)s)")
    args = parser.parse_args(argv)

    # Data. The Keras example lowers all letters, to spare the network some symbols; here it learns sentences whole.
    corpus = load(args.corpus)
    vocabulary = tfgen.Vocabulary.from_corpus(corpus)
    train, validation = tfgen.datasets.streams(
        corpus,
        vocabulary,
        batch_size=STREAMS,
        length=40,  # gradients flow back as far as in the Keras example; the state reaches back further than they do
        validation=0.1,  # the end of the book
    )
    print(f"{corpus}, {vocabulary}: {STREAMS} streams, {len(train)} batches an epoch")

    # Network. `batch_size` makes the LSTM stateful: row 7 of a batch goes on where row 7 of the last one stopped. fit
    # starts each epoch at zero, and now and then a single row, for a prompt will start there too.
    generator = tfgen.TextGenerator.build(vocabulary, units=args.units, batch_size=STREAMS, seed=0)

    # Fit. The Keras example takes RMSprop at 0.01; Adam at half of it is as quick and calmer. The clipping is for the
    # rare line that is all surprise (a quotation in Greek, a table of contents).
    generator.compile(
        optimizer=keras.optimizers.Adam(0.005, global_clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=[tfgen.metrics.BitsPerCharacter()],
    )
    # The Keras example begins its samples with 40 characters of the book. Ours come from the part that is held out, so
    # that what follows is made up and not remembered; and from its plainest prose, for a table gives no clue.
    held_out = corpus.documents[0][-(len(corpus.documents[0]) // 10) :]
    pieces = [held_out[begin : begin + 40] for begin in range(0, len(held_out) - 40, 40)]
    prompt = max(pieces, key=lambda piece: sum(map(str.isalpha, piece)))
    generator.fit(
        train,
        validation_data=validation,
        epochs=args.epochs,
        callbacks=[tfgen.callbacks.SampleText([prompt], temperatures=TEMPERATURES, length=200)],
    )

    # Sample. The Keras example reads its last 40 characters again for each one that it writes; here the state has read
    # them already. Trained on 32 streams, the network writes one text, or ten, just as well.
    print(f"\nAs it is written:\n{prompt}", end="")
    for piece in generator.stream(prompt, length=400, temperature=0.5, seed=1):
        print(piece, end="", flush=True)
    print()

    # Save. The batch size of training stays behind: the model goes on at any other.
    generator.save(args.output)
    again = keras.saving.load_model(args.output)
    nats = again.score(prompt).nats_per_character
    print(f"\nSaved and read again. The prompt costs it {nats:.2f} nats a character.")


if __name__ == "__main__":
    main()
