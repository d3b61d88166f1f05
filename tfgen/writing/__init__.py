"""The one loop, and texts while they are written.

| module | its one idea |
|---|---|
| `loop` | choose tokens and feed each back |
| `strategies` | how they are chosen: drawn, or searched for |
| `traces` | the texts of beams |
| `given` | texts as they are given |
| `like_lengths` | texts put into batches of about one length |
| `prefill` | texts read by a model, in pieces |
| `compiled` | the loop compiled over one model |
| `texts` | texts while they are written, and the numbers behind them |
| `batch` | texts that are written together, which join and leave one by one |
| `session` | a text that is written on, forked, saved and resumed |
| `session_file` | a session on disk |
| `scoring` | how likely a text is |
| `writer` | a vocabulary and a model that do all of this |
"""

import keras  # noqa: F401 - first, see tfgen.layers

from tfgen.terms.scores import Score
from tfgen.writing.batch import Batch, Piece, Row, Token
from tfgen.writing.session import Session
from tfgen.writing.texts import Generated
from tfgen.writing.writer import Writer

__all__ = ["Batch", "Generated", "Piece", "Row", "Score", "Session", "Token", "Writer"]


def __dir__() -> list[str]:
    return __all__
