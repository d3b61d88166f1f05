"""Pictures for people, drawn with matplotlib (the extra `plot`) and without its pyplot.

| module | its one idea |
|---|---|
| `pictures` | where a picture goes, what it is, how a token is shown in it |
| `curves` | losses while a network learns, and what they are compared with |
| `sizes` | how good models are against how large they are |
| `attending` | what each token attended to |
| `tokens` | what may come next, and what a network read and wrote |
"""

from tfgen.plots.attending import attention
from tfgen.plots.curves import compressed_bits, learning_curve
from tfgen.plots.pictures import check_installed, check_path
from tfgen.plots.sizes import bits_against_size
from tfgen.plots.tokens import next_token, unrolled

__all__ = [
    "attention",
    "bits_against_size",
    "check_installed",
    "check_path",
    "compressed_bits",
    "learning_curve",
    "next_token",
    "unrolled",
]


def __dir__() -> list[str]:
    return __all__
