"""stub"""

import dataclasses

from tfgen.prepared.corpus import Prepared


@dataclasses.dataclass(frozen=True)
class PreparedPairs:
    sources: Prepared
    texts: Prepared
