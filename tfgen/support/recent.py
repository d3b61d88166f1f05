"""What was asked for most recently is kept, and nothing else: for what is dear to make and large to hold."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any


class Recent:
    """The values that were asked for most recently, made when they are not there; for any number of threads."""

    def __init__(self, most: int) -> None:
        """Say how many are kept."""
        self._most = most
        self._entries: OrderedDict[Any, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        """Give the value of a key; two threads that ask for a new one get the same."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            if len(self._entries) > self._most:
                self._entries.popitem(last=False)
        with entry.lock:  # which holds up nobody who wants another one
            if entry.value is None:
                entry.value = make()
            return entry.value

    def kept(self) -> list[Any]:
        """Give the keys of all, the one that was asked for last at the end."""
        with self._lock:
            return list(self._entries)


class _Entry:
    """A value, None before it is made."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value: Any = None
