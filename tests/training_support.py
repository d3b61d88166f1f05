"""What tests of training share: compiling is most of what a small training takes, so that it is done once."""

from collections.abc import Callable

from tfgen import TextGenerator
from tfgen.fitting import snapshot


def renewable(generator: TextGenerator) -> Callable[[], TextGenerator]:
    """Give a function that gives a compiled generator as it is now, whatever it has learned since."""
    snapshot.build_variables(generator)
    before = [variable.numpy() for variable in snapshot._variables(generator)]

    def renewed() -> TextGenerator:
        for variable, value in zip(snapshot._variables(generator), before, strict=True):
            variable.assign(value)
        return generator

    return renewed
