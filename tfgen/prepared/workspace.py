"""Where a text is prepared: what was done outlasts an interruption or a kill, for the next run of the same."""

import shutil
from pathlib import Path
from typing import ClassVar

from tfgen.support import atomic_files

INPUT, COUNTED, WRITTEN, IDS = "input", "counted.jsonl", "written.jsonl", "ids.bin"
_KEY = "key"
_MARK = ".preparing"


class Workspace(atomic_files.Directory):
    """Where a text is prepared: what lies there outlasts an interruption or a kill, for the next run of the same."""

    _of_this_process: ClassVar[set[Path]] = set()

    def __init__(self, parent: Path) -> None:
        """Say where; the directory is made when the first file is."""
        super().__init__(parent, _MARK)

    def __enter__(self) -> "Workspace":
        """Begin, and clear away what killed runs were about to remove."""
        super().__enter__()
        self._of_this_process.add(self._path)
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *error: object) -> None:
        """Leave nothing behind but what a run that goes on can use."""
        self._of_this_process.discard(self._path)
        noted = any((self._path / name).exists() for name in (COUNTED, WRITTEN))
        if noted and kind is not None and issubclass(kind, KeyboardInterrupt):
            (self._path / INPUT).unlink(missing_ok=True)
        else:
            super().__exit__()

    def take_over(self, key: str) -> None:
        """Take what stopped runs have of the work of that name, and clear away what they have of other work."""
        self.write(_KEY, key.encode())
        for path in atomic_files.left(self._parent, _MARK, self._of_this_process):
            mine = atomic_files.new(self._parent)
            try:
                path.rename(mine)  # which one run can, of several
            except OSError:
                continue
            if (mine / _KEY).is_file() and (mine / _KEY).read_bytes() == key.encode():
                for name in (COUNTED, IDS, WRITTEN):
                    if (mine / name).exists():
                        (mine / name).replace(self.path(name))
            shutil.rmtree(mine, ignore_errors=True)

    def finish(self) -> None:
        """Remove the notes: what is left is what was to be made."""
        for name in (INPUT, _KEY, COUNTED, WRITTEN):
            self.path(name).unlink(missing_ok=True)
