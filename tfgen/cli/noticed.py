"""What was changed or passed over while a text was read, said once, with the option that has it otherwise."""

from collections.abc import Iterator, Mapping

from tfgen.support import wording

# What was noticed: how it is counted, and what is said of it.
_SAID = {
    "line_ends_changed": ("line end", "written \\r\\n or \\r became \\n; keep them with --keep-line-ends"),
    "bytes_replaced": ("byte", "not of the encoding became U+FFFD"),
    "bytes_ignored": ("byte", "not of the encoding left out"),
    "marks_within": ("byte order mark", "(U+FEFF) within the text, as where files were joined, stays; remove it"),
    "blank_rows": ("row", "left out, for a cell was blank"),
    "hidden_files": ("hidden file or folder", "passed over"),
    "binary_files": ("binary file", "passed over; name files by a glob such as 'folder/*.txt' to choose"),
    "special_files": ("special file", "(a pipe, a socket, a device) passed over"),
    "own_folders": ("folder", "that tfgen has written passed over"),
    "empty_files": ("empty file", "passed over"),
    "dangling_links": ("link", "to nothing passed over"),
    "repeated_folders": ("folder", "linked once more, and read once"),
}


def described(noticed: Mapping[str, int]) -> Iterator[str]:
    """Give a line of text for each thing that was noticed, in the order of the table above.

    >>> list(described({"line_ends_changed": 2}))
    ['2 line ends written \\\\r\\\\n or \\\\r became \\\\n; keep them with --keep-line-ends.']
    """
    for name, (thing, what) in _SAID.items():
        if isinstance(number := noticed.get(name, 0), int) and number:
            yield f"{wording.number(number, thing)} {what}."
