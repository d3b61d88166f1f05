"""Ray Data reads and writes tables wherever it can; actors over a model write on from each row, and score it.

Usage: python examples/machines/many.py model.keras prompts.parquet texts [actors]

The table has a column `prompt`; `texts` becomes a directory of Parquet files with the same rows, in their order.
"""

import sys
from pathlib import Path

import ray

import tfgen


def main(model: str, prompts: str, texts: str, actors: str = "2", length: str = "200") -> None:
    """Write, keep what was written, and tell how likely the model finds it."""
    ray.init()
    read = ray.data.read_parquet(str(Path(prompts).absolute()))
    written = tfgen.bulk.generate(read, model, length=int(length), temperature=0.8, seed=1, workers=int(actors))
    # A Dataset is a plan: what is kept is not written twice where two things are made of it.
    written = written.materialize()
    written.write_parquet(str(Path(texts).absolute()))
    scores = tfgen.bulk.score(written, model, workers=int(actors))
    print(f"{written.count()} texts, {scores.mean('bits_per_character'):.2f} bits a character")


if __name__ == "__main__":
    main(*sys.argv[1:])
