"""`tfgen prepare --list` and `--clean`: the prepared texts in the cache, shown and removed."""

import datetime

import click
from rich.console import Console

from tfgen.cli import terminal
from tfgen.prepared import cache
from tfgen.prepared.cache import Entry
from tfgen.prepared.corpus import cache_directory
from tfgen.support import wording


def show(console: Console, as_json: bool) -> None:
    """List what is in the cache, the least recently used first."""
    entries = cache.entries()
    if as_json:
        texts = [_as_json(entry) for entry in entries]
        click.echo(terminal.as_json({"directory": str(cache_directory()), "texts": texts}))
        return
    for entry in entries:
        console.print(f"{entry.path.name}  {_described(entry)}")
    console.print(f"{_total(entries)}, in {cache_directory()}")


def clean(console: Console, older_than: float | None) -> None:
    """Remove what is not in use, or of that only what was not used for so many days."""
    removed = cache.remove() if older_than is None else cache.remove(older_than * cache.DAY)
    for entry in removed:
        console.print(f"removed {entry.path.name}  {_described(entry)}")
    kept = cache.entries()
    for entry in kept:
        if entry.in_use or entry.damaged:
            console.print(f"kept {entry.path.name}  {_described(entry)}")
    in_use = sum(entry.in_use for entry in kept)
    console.print(f"removed {_total(removed)}; kept {_total(kept)}, {in_use} of them in use, in {cache_directory()}")


def _total(entries: list[Entry]) -> str:
    return f"{wording.number(len(entries), 'prepared text')}, {_size(entries)}"


def _described(entry: Entry) -> str:
    parts = [_source(entry), _size([entry])]
    if entry.tokens is not None:
        parts.append(wording.number(entry.tokens, "token"))
    parts.append(f"last used {_time(entry).astimezone():%Y-%m-%d %H:%M}")
    return ", ".join(parts + ["in use"] * entry.in_use + ["damaged"] * entry.damaged)


def _source(entry: Entry) -> str:
    if entry.source is not None:
        return wording.shorten(entry.source)
    return "an unknown text" if entry.damaged else "a stopped run"


def _size(entries: list[Entry]) -> str:
    return wording.number(sum(entry.size for entry in entries), "byte")


def _time(entry: Entry) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(entry.last_used, datetime.UTC)


def _as_json(entry: Entry) -> dict[str, str | int | bool | None]:
    return {
        "name": entry.path.name,
        "path": str(entry.path),
        "source": entry.source,
        "bytes": entry.size,
        "tokens": entry.tokens,
        "last_used": _time(entry).isoformat(timespec="seconds"),
        "in_use": entry.in_use,
        "damaged": entry.damaged,
    }
