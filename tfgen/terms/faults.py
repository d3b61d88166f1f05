"""Why no text can be written, in the words that every engine says it in."""

NO_DISTRIBUTION = (
    "the network's output is NaN, or rules out every token: its weights are damaged, or its training diverged."
)
NOTHING_LEFT = "the sampler leaves no token to begin with: what it forbids and what it demands contradict; forbid less."
CONTRADICTION = "no text satisfies all constraints of the sampler: patterns, masks and bans contradict; remove one."
