"""What a source costs while a text is written from it: the same decoder without, with a first state, with attention.

An untrained decoder of UNITS units draws LENGTH one-hot characters at temperature 0.8, one row, in the plain graph and
compiled by XLA. The source is a text of S characters; reading it, which is done once, is not in the figures.

Usage: python benchmarks/sources.py [LENGTH [ROUNDS]]
"""

import sys
from collections.abc import Callable
from typing import Any

import turns

V = 65
UNITS = 256
PLACES = (30, 100, 400)


def write(jit_compile: str, kind: str, places: str, length: str) -> Callable[[], Any]:
    """Give the loop over a decoder, with no encoder or one."""
    turns.use_threads()
    import tfgen

    letters = "".join(map(chr, range(65, 65 + V - 3)))
    vocabulary = tfgen.Vocabulary.from_texts([letters], ends=True)
    encoder = tfgen.networks.text_encoder(vocabulary, units=UNITS // 2, seed=0) if kind != "nothing" else None
    generator = tfgen.TextGenerator.build(
        vocabulary, units=UNITS, seed=0, encoder=encoder, attention=kind == "attention"
    )
    session = generator.start(source=(letters * 10)[: int(places)] if encoder else None, seed=0)
    settings = {"min_length": int(length), "temperature": 0.8, "jit_compile": jit_compile == "xla"}
    return lambda: session.fork(seed=0).generate(int(length), **settings)


def main() -> None:
    """Print a table."""
    length, rounds = (int(given) for given in (*sys.argv[1:], *("2000", "5")[len(sys.argv) - 1 :]))
    kinds = [("nothing", 0), ("a first state", 30), *(("attention", places) for places in PLACES)]
    print(f"{UNITS} units, one row, one thread: microseconds a character, medians of {rounds} rounds in turns")
    for graph in ("plain", "xla"):
        peers = {
            f"{kind}, {places} places" if places else kind: ("write", graph, kind, places, length)
            for kind, places in kinds
        }
        times = turns.take_turns(peers, rounds)
        for name, seconds in times.items():
            each = turns.spread(seconds, 1e-6 * length, 1)
            print(f"{graph:6} {name:24} {each:24} {turns.ratio(seconds, times['nothing']):6.2f}")


if __name__ == "__main__":
    if turns.PEER in sys.argv:
        turns.become({"write": write}, sys.argv[2:])
    else:
        main()
