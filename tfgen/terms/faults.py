"""Why no text can be written, in the words that every engine says it in."""

NO_DISTRIBUTION = (
    "the network's output is NaN, or rules out every token: its weights are damaged, or its training diverged."
)
NOTHING_LEFT = (
    "the sampler leaves no token to choose from: put masks and biases before temperature 0 and truncation, "
    "or forbid less."
)
