"""A trained network mixed with counts of what it was trained on."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.errors import InputError, check_instance
from tfgen.networks import mixture
from tfgen.text_generator import TextGenerator
from tfgen.training.counting import Floor
from tfgen.training.jobs import Job
from tfgen.training.settings import Settings
from tfgen.vocabulary.vocabulary import PADDING


def mix(job: Job, floor: Floor) -> tuple[TextGenerator, float]:
    """Mix a network that was trained with the counts of what it was trained on.

    Args:
        job: The network, and its validation part.
        floor: From `floor`.

    Returns:
        The mixture, whose weights are fitted on the validation part, which the counts have not seen and the network was
        not trained on (its best epoch was chosen by it); and nats per token there, each half of its batches weighted as
        the other half wants, so that nothing is scored with weights that were fitted on it.

    Raises:
        InputError: An argument is something else, or the job has no validation part.
    """
    check_instance("job", job, Job, "what tfgen.training.prepare gives")
    check_instance("floor", floor, Floor, "what tfgen.training.floor gives")
    if job.validation is None:
        raise InputError("the weights of a mixture are fitted on the validation part; this job has none.")
    of_network = _log_p(job.generator.writer.model, job.validation, job.settings)
    log_p = np.stack([of_network, floor.log_p])
    nats = -float(mixture.crossed(log_p).mean())
    shares = mixture.fitted(log_p)
    mixed = TextGenerator.mix([job.generator, floor.generator], weights=(shares / shares.sum()).tolist())
    result = {
        "val_nats": round(nats, 4),
        "val_bits": round(job.bits_per_character(nats), 4),
        "unit": f"nats per {job.settings.split}",
    }
    mixed.provenance = {**mixed.provenance, "shares_fitted": True, "result": result}
    return mixed, nats


def _log_p(model: Any, dataset: tf.data.Dataset, settings: Settings) -> np.ndarray:
    """Give the log-probabilities of all targets of some batches, as `counting` does of counts."""

    @tf.function(reduce_retracing=True, autograph=False)
    def read(inputs: tf.Tensor, targets: tf.Tensor, state: Any) -> Any:
        features, after = model.read(inputs, None, state, ())
        log_p = tf.nn.log_softmax(tf.cast(model.logits(features), tf.float64))
        return tf.gather(log_p, targets, batch_dims=2), after

    found, state = [], None
    for inputs, targets in dataset:
        if state is None or settings.cut != "streams":
            state = model.start((), tf.shape(inputs)[0])
        log_p, state = read(inputs, targets, state)
        found.append(log_p.numpy()[targets.numpy() != PADDING])
    return np.concatenate(found)
