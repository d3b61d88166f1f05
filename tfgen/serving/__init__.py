"""Models behind HTTP, by the completions protocol of OpenAI, which every client speaks.

| module | its one idea |
|---|---|
| `bounds` | how much one request may ask for, and how much may be asked for at once |
| `refusals` | what is refused, in the shape that clients expect |
| `gate` | who may ask |
| `protocol` | what a request says, and what an answer looks like |
| `preparing` | from a request to rows and a batch |
| `turns` | whose turn it is |
| `measures` | what was done, for Prometheus |
| `pages` | the page of a model, with a switch between browser and server |
| `index` | the page at the server's address, and what opens those of its models |
| `service` | what answers |
| `asgi` | models as an application for any ASGI server |
| `patience` | connections that end where a client takes too long |
| `running` | a server that runs until a signal ends it |

`measures`, `service`, `patience` and `running` need the packages of the extra `serve`, the others none.
"""

import keras  # noqa: F401 - first, see tfgen.layers

from tfgen.serving.asgi import application
from tfgen.serving.bounds import Bounds

__all__ = ["Bounds", "application"]


def __dir__() -> list[str]:
    return __all__
