"""A book, word by word.

The tokens are words and punctuation marks instead of characters, so that every word written is a real one, and a
sentence is a dozen steps long. The price: the vocabulary is large, each word is rare, and the rarest cannot be learned
at all. One sees first what the vocabulary covers and what it leaves out, then the loss falling, and rising again on the
pages held out once the network begins to know the book by heart (training stops there), then samples.

    python examples/book_words.py                                       # 'alice', downloaded once; two minutes
    python examples/book_words.py --corpus dracula.txt --strip-gutenberg
    python examples/book_words.py --min-count 1                         # every word, however rare

Without a network connection it learns the Python documentation, which ships with Python.
"""

import argparse

import keras

import tfgen

TEMPERATURES = [0.3, 0.7, 1.0]  # words bear less heat than letters: the tail of a thousand rare ones is long
STREAMS = 16  # a short book has some 40,000 words: many short streams would leave few steps an epoch


def load(args):
    """Give the book, and prompts that suit it; a prompt ends in a word, for a space belongs to the word after it."""
    if args.corpus:
        return tfgen.load_corpus(args.corpus, strip_gutenberg=args.strip_gutenberg), ["The", "It was"]
    try:
        # Project Gutenberg's header and licence are no part of the story.
        return tfgen.load_corpus("alice", strip_gutenberg=True), ["Alice", "The Queen", "It was"]
    except tfgen.InputError as error:
        print(f"No Alice: {error}.\nGoing on with 'python-docs', which ships with Python.\n")
        return tfgen.load_corpus("python-docs"), ["The", "If the", "A class"]


def main(argv=None):
    """Data, network, fit, sample, save."""
    parser = argparse.ArgumentParser(description="Learn a book, word by word.")
    parser.add_argument("--corpus", metavar="PATH", help="a text file (alice)")
    parser.add_argument("--strip-gutenberg", action="store_true", help="cut off Project Gutenberg's header and licence")
    parser.add_argument("--min-count", type=int, default=2, help="rarer words are left out (%(default)s)")
    parser.add_argument("--epochs", type=int, default=30, help="times through the book, at most (%(default)s)")
    parser.add_argument("--units", type=int, default=256, help="of the LSTM (%(default)s)")
    parser.add_argument("--output", default="book.keras", help="where the model goes (%(default)s)")
    args = parser.parse_args(argv)

    # Data. A word keeps the space before it and a line's end is a token, so that a text can be put together again
    # exactly. A word that occurs once has no second place to be learned from: it is read as "unknown", never written.
    corpus, prompts = load(args)
    vocabulary = tfgen.Vocabulary.from_corpus(corpus, split="word", min_count=args.min_count, max_tokens=10_000)
    print(f"{corpus}, {vocabulary}\nThe vocabulary {vocabulary.coverage()}")
    train, validation = tfgen.datasets.streams(
        corpus,
        vocabulary,
        batch_size=STREAMS,
        length=32,  # words: about as far back as 150 characters, two or three sentences
        validation=0.1,  # the last chapter
    )

    # Network. An embedding, because one-hot rows of thousands of words would say nothing of which are alike.
    generator = tfgen.TextGenerator.build(
        vocabulary,
        embedding=128,  # numbers that describe a word; a tenth of the vocabulary or less
        units=args.units,  # most of the weights are in the softmax anyway: units times words
        dropout=0.5,  # the book is tiny and the network large: this is what keeps it from reciting
        batch_size=STREAMS,  # stateful: each stream remembers its page
        seed=0,  # the same first weights in every run
    )

    # Fit, until the held-out pages have not become likelier for three epochs; then go back to the best weights.
    generator.compile(
        optimizer=keras.optimizers.Adam(0.003, global_clipnorm=1.0),  # clipped, as always with recurrent networks
        loss="sparse_categorical_crossentropy",
        metrics=[tfgen.metrics.Perplexity()],  # among how many words it hesitates
    )
    generator.fit(
        train,
        validation_data=validation,
        epochs=args.epochs,
        callbacks=[
            keras.callbacks.EarlyStopping("val_perplexity", mode="min", patience=3, restore_best_weights=True),
            tfgen.callbacks.SampleText(prompts[:1], length=40),  # words
        ],
    )

    # Sample.
    for temperature in TEMPERATURES:
        print(f"\n--- temperature {temperature} ---")
        for text in generator.generate(prompts, length=60, temperature=temperature, seed=1, unknown="skip"):
            print(f"{text}\n")

    # Save.
    generator.save(args.output)
    print(f'Saved. Go on with:  tfgen generate {args.output} "{prompts[0]}" --length 100')


if __name__ == "__main__":
    main()
