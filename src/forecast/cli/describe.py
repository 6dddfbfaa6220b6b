"""`forecast describe`: what the store should know of series apart from their values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast.cli.console import console
from forecast.cli.store import StoreUrl


def describe(
    file: Annotated[Path, typer.Argument(help="CSV: unique_id, and any of zone, unit, step, delay, latitude, ...")],
    store: StoreUrl = None,
) -> None:
    """Tell the store of series: zone, unit, step, delay, latitude, longitude, parent, capacity, country.

    Every further column is a static covariate. What a line leaves empty stays as it is.

    Example: `forecast describe series.csv`
    """
    from forecast.sources.series_file import read_series
    from forecast.store import Store

    told = read_series(file)
    with Store.open(store) as opened:
        known = opened.series()
        opened.describe(*told)
        now = opened.series()
    new = [one.unique_id for one in told if one.unique_id not in known]
    changed = [one.unique_id for one in told if known.get(one.unique_id) not in (None, now[one.unique_id])]
    before = len(told) - len(new) - len(changed)
    text = f"{len(told):,} series: {len(new):,} new, {len(changed):,} changed, {before:,} as before"
    console.print(text, highlight=False)
