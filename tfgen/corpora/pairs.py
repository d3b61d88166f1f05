"""stub"""

import dataclasses

from tfgen.corpora.corpus import Corpus


@dataclasses.dataclass(frozen=True)
class Pairs:
    sources: Corpus
    texts: Corpus
