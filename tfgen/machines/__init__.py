"""Ray: processes on this machine or on several, started, watched and ended.

| module | its one idea |
|---|---|
| `cluster` | a Ray of one's own for the time of a block, or one that is there already |
| `addresses` | each process is said who the others are |
| `voices` | what the processes say, heard where the command was given |
| `group` | one function in several processes that train together |

Nothing of Ray is imported before it is asked for.
"""

from tfgen.machines.cluster import connected
from tfgen.machines.group import train_together

__all__ = ["connected", "train_together"]


def __dir__() -> list[str]:
    return __all__
