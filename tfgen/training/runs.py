"""The run that trains a job, and keeps its best epoch."""

from collections.abc import Sequence

import keras

from tfgen.errors import check_instance
from tfgen.training.jobs import Job
from tfgen.training.provenance import Result


def run(job: Job, callbacks: Sequence[keras.callbacks.Callback] = ()) -> keras.callbacks.History:
    """Train, keep the best weights of all epochs, and write into the model's provenance how it went.

    Args:
        job: From `prepare`.
        callbacks: Keras callbacks, for example those of `tfgen.callbacks`.

    Returns:
        What `fit` gives. Losses are in nats per token, see `tfgen.metrics`.

    Raises:
        InputError: It is no `Job`, or a callback is none of Keras'.
    """
    check_instance("job", job, Job, "what tfgen.training.prepare gives")
    check_instance("callbacks", callbacks, Sequence, "a list of Keras callbacks")
    for callback in callbacks:
        check_instance("each callback", callback, keras.callbacks.Callback, "a keras.callbacks.Callback")
    settings = job.settings
    early = None
    if job.validation is not None:
        patience = settings.epochs if settings.patience is None else settings.patience
        early = keras.callbacks.EarlyStopping("val_nats", mode="min", patience=patience, restore_best_weights=True)
    return job.generator.fit(
        job.train,
        validation_data=job.validation,
        epochs=settings.epochs,
        callbacks=[*([early] if early else []), Result(job.generator.vocabulary.split, early), *callbacks],
        verbose=0,
    )
