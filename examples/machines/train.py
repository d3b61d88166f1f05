"""Ray Train places the workers, tfgen trains in them what one process would, and goes on where one has died.

Usage: python examples/machines/train.py corpus.txt model.keras [workers]

Ray is started here, unless RAY_ADDRESS names one that is there; all its machines must see both files under these paths.
"""

import sys
from pathlib import Path
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.tensorflow import TensorflowTrainer

import tfgen


def train(given: dict[str, Any]) -> None:
    """Train as one of the workers."""
    together = tfgen.workers.join()  # before TensorFlow computes anything
    corpus = tfgen.load_corpus(given["corpus"])
    job = tfgen.training.prepare(corpus, tfgen.training.Settings(**given["settings"]))
    job.generator.workers = together
    # Checkpoints are the chief's; all begin at the last of them, however many they are then.
    tfgen.training.run(job, [tfgen.callbacks.Resume(f"{given['model']}.checkpoints")])
    if together.is_chief:
        job.generator.save(given["model"])


def main(corpus: str, model: str, workers: str = "2", units: str = "256", epochs: str = "10") -> None:
    """Train with so many workers."""
    model = str(Path(model).absolute())
    given = {"corpus": str(Path(corpus).absolute()), "model": model}
    given["settings"] = {"units": int(units), "epochs": int(epochs), "batch_size": 32}
    ray.init()
    TensorflowTrainer(
        train,
        train_loop_config=given,
        # With num_workers=(1, 4) a machine that is lost is not waited for: 1e-5 is kept then, and not every bit.
        scaling_config=ScalingConfig(num_workers=int(workers)),
        run_config=RunConfig(storage_path=f"{model}.ray", failure_config=FailureConfig(max_failures=3)),
    ).fit()
    print(f"The model is {model}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
