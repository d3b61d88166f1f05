"""TensorFlow's tutorial "Text generation with an RNN", on Keras 3.

Shakespeare, an embedding, a GRU, and at the end a page of a play that was never written. Everything the tutorial does
is here, in its order. What has become simpler:

- The state is a value. The tutorial's model class takes `states` and `return_state` through every call; here the
  network is a plain Sequential, and tfgen hands the state from step to step outside it.
- The loop is in the graph. The tutorial calls a `OneStep` model from Python a thousand times; `generate` is one call.
- No `from_logits`. The last layer is an honest softmax, which any Keras tool understands; loss and sampling both go
  back to its logits by themselves, so nothing is lost to rounding.
- Unknown and padding are never written, without a mask of one's own, and one `.keras` file holds the vocabulary too.

    python examples/tensorflow_tutorial.py                  # 'shakespeare', downloaded once; about two minutes
    python examples/tensorflow_tutorial.py --units 1024 --epochs 20    # as in the tutorial; wants a GPU
    python examples/tensorflow_tutorial.py --corpus my.txt --prompt "Once "
"""

import argparse
import time

import keras

import tfgen


def load(path):
    """Give Shakespeare, or what was asked for, or what is at hand."""
    try:
        return tfgen.load_corpus(path or "shakespeare")
    except tfgen.InputError as error:
        if path:
            raise
        print(f"No Shakespeare: {error}.\nGoing on with 'python-docs', which ships with Python.\n")
        return tfgen.load_corpus("python-docs")


def main(argv=None):
    """Data, network, fit, sample, save."""
    parser = argparse.ArgumentParser(description="The TensorFlow tutorial on text generation, on Keras 3.")
    parser.add_argument("--corpus", help="a text file (shakespeare)")
    parser.add_argument("--epochs", type=int, default=5, help="times through the text (%(default)s)")
    parser.add_argument("--units", type=int, default=256, help="of the GRU (%(default)s)")
    parser.add_argument("--prompt", default="ROMEO:", help="what the samples begin with (%(default)s)")
    parser.add_argument("--output", default="tutorial.keras", help="where the model goes (%(default)s)")
    args = parser.parse_args(argv)

    # Process the text. The vocabulary is the tutorial's two StringLookup layers in one, and `windows` its pipeline:
    # sequences of 100, each target one character on, shuffled, 64 a batch. It also keeps the last tenth to validate.
    corpus = load(args.corpus)
    vocabulary = tfgen.Vocabulary.from_corpus(corpus)
    train, validation = tfgen.datasets.windows(corpus, vocabulary, batch_size=64, length=100)
    print(f"{corpus}, {vocabulary}: {len(train)} batches an epoch")

    # Build the model, of Keras' own layers. The tutorial's GRU of 1024 units gets further in the end, but has ten times
    # the weights, and a step costs as much more: 256 is what two cores can train while one waits.
    network = keras.Sequential(
        [
            keras.Input(shape=(None,), dtype="int32"),  # (B, T)
            keras.layers.Embedding(len(vocabulary), 256),  # the tutorial's size; (B, T, 256)
            keras.layers.GRU(args.units, return_sequences=True),  # a prediction at each character; (B, T, U)
            keras.layers.Dense(len(vocabulary), activation="softmax"),  # (B, T, V)
        ]
    )
    network.summary()
    generator = tfgen.TextGenerator(vocabulary, network)

    # Train. The tutorial's Adam takes its default rate of 0.001 for 20 epochs; a quarter of them wants a higher one,
    # and that wants its gradients clipped.
    generator.compile(
        optimizer=keras.optimizers.Adam(0.004, global_clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=[tfgen.metrics.BitsPerCharacter()],
    )
    # An untrained network should find all characters about equally likely: the tutorial checks exp(loss), too.
    loss = generator.evaluate(validation.take(1), verbose=0)[0]
    print(f"Before training the mean loss is {loss:.3f} nats: a choice among {keras.ops.exp(loss):.0f} characters.")
    generator.fit(
        train,
        validation_data=validation,
        epochs=args.epochs,
        callbacks=[tfgen.callbacks.SampleText([args.prompt], length=100)],  # a line or two, after each epoch
    )

    # Generate: one text of a thousand characters, then five at once, which takes about as long.
    for copies in 1, 5:
        start = time.perf_counter()
        texts = generator.generate(args.prompt, n=copies, length=1000, temperature=0.8, seed=copies, unknown="skip")
        print(f"\n{texts[0]}\n{'_' * 80}\n{copies} x 1000 characters: {time.perf_counter() - start:.2f} s")

    # Save. The tutorial exports its one-step model, and its loop stays behind in Python; this file writes by itself.
    generator.save(args.output)
    again = keras.saving.load_model(args.output)
    print(f"\nSaved and read again: {again.generate(args.prompt, length=50, temperature=0.5, seed=1, unknown='skip')}")


if __name__ == "__main__":
    main()
