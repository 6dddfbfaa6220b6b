"""`forecast store`, `forget`, `backup`, `restore`: what the store holds, and what is done with all of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from forecast.cli.console import console

if TYPE_CHECKING:
    import pandas as pd

    from forecast.store import Contents, Copied, Forgotten

SHOWN = 30
"""So many lines of a long list are shown."""

StoreUrl = Annotated[
    str | None, typer.Option(help="Store: sqlite:///FILE or postgresql+psycopg://... [FORECAST_STORE].")
]


def store(
    store: StoreUrl = None,
    every: Annotated[bool, typer.Option("--all", help="Show every series, not the first ones only.")] = False,
) -> None:
    """Show what the store holds: series, variables, spans, rows, sources and how far they were read, size, revision.

    Example: `forecast store`
    """
    from forecast.store import Store

    with Store.open(store, make=False) as opened:
        held = opened.contents()
        _say(f"{opened.place}: schema {held.revision}, {_size(held.size_bytes)}")
    _say(f"{held.rows:,} values of {len(held.series):,} series, {held.forecasts:,} rows in the ledger")
    if held.forgotten:
        _say(f"forgotten: {held.forgotten}")
    for table in (_series(held, None if every else SHOWN), _values(held, None if every else SHOWN), _sources(held)):
        if table.row_count:
            console.print(table)


def forget(
    series: Annotated[str, typer.Argument(help="Name of the series.")],
    store: StoreUrl = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove one series for good from store, ledger and caches; the audit keeps the SHA-256 of its name.

    What cannot be removed from here is named: backups, runs in MLflow, the source that gave it.

    Example: `forecast forget "meter 17"`
    """
    from forecast.settings import Settings
    from forecast.store import Store

    settings = Settings.read()
    with Store.open(store, settings, make=False) as opened:
        if not yes:
            typer.confirm(f"Remove series '{series}' from {opened.place} for good?", abort=True)
        with console.status("removing"):
            done = opened.forget(series, settings)
    _tell(done)


def backup(
    file: Annotated[Path, typer.Argument(help="File to write; an older backup there is replaced.")],
    store: StoreUrl = None,
) -> None:
    """Write the whole store into one file, as of one moment; others may go on reading and writing.

    Example: `forecast backup store.zip`
    """
    from forecast.store import Store
    from forecast.store import backup as copied

    with Store.open(store, make=False) as opened, console.status("copying"):
        done = copied(opened, file)
    _say(f"{_rows(done)} written to {file} ({_size(file.stat().st_size)})")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that forecast backup wrote.")],
    store: StoreUrl = None,
    replace: Annotated[bool, typer.Option("--replace", help="Give up what the store holds.")] = False,
) -> None:
    """Fill an empty store from a backup, SQLite or PostgreSQL, whichever it came from: all of it or nothing.

    Example: `forecast restore store.zip --store sqlite:///moved.db`
    """
    from forecast.store import restore as restored

    with console.status("restoring"):
        done = restored(file, store, replace=replace)
    _say(f"{_rows(done)} of {done.taken_at[:16]}Z restored")
    if done.forgotten:
        _say(f"{done.forgotten} series left out: the store had forgotten them")


def _say(sentence: str) -> None:
    console.print(sentence, highlight=False, soft_wrap=True, markup=False)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:,.1f} GB"


def _rows(done: Copied) -> str:
    return f"{done.rows['observation']:,} values, {done.rows['forecast']:,} rows of the ledger"


def _tell(done: Forgotten) -> None:
    _say(f"'{done.series}': {done.observations:,} values and {done.forecasts:,} rows of the ledger removed")
    for path in done.caches:
        _say(f"removed {path}")
    if done.children:
        _say(f"without a parent now: {', '.join(done.children)}")
    _say("It may still be in:")
    for place in done.left:
        _say(f"- {place}")


def _table(*columns: str, title: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, justify="right" if name == "values" else "left", overflow="fold")
    return table


def _series(held: Contents, most: int | None) -> Table:
    columns = ("series", "zone", "unit", "step", "delay", "parent", "capacity")
    table = _table(*columns, title=_title("series", held.series, most))
    for one in held.series[:most]:
        capacity = "" if one.capacity is None else f"{one.capacity:g}"
        words = (one.zone, one.unit, _short(one.step), _short(one.delay), one.parent, capacity)
        table.add_row(one.unique_id, *(word or "" for word in words))
    return table


def _values(held: Contents, most: int | None) -> Table:
    table = _table("series", "variable", "role", "from", "to", "values", title=_title("values", held.held, most))
    for one in held.held[:most]:
        role = held.roles[one.variable]
        table.add_row(one.series, one.variable, role, _stamp(one.first), _stamp(one.last), f"{one.rows:,}")
    return table


def _sources(held: Contents) -> Table:
    table = _table("source", "read to its end", "mark", title="sources")
    for one in held.sources:
        mark = "" if one.mark is None else json.dumps(one.mark, ensure_ascii=False)
        table.add_row(one.name, _stamp(one.polled_at) if one.polled_at else "never", _cut(mark))
    return table


def _title(what: str, rows: Any, most: int | None) -> str:
    return what if most is None or len(rows) <= most else f"{what} (the first {most} of {len(rows)}; --all shows them)"


def _short(length: str | None) -> str:
    """ "0 days 00:30:00" as "00:30:00"."""
    return (length or "").removeprefix("0 days ")


def _cut(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:99]}…"


def _stamp(stamp: pd.Timestamp) -> str:
    return f"{stamp:%Y-%m-%dT%H:%MZ}"
