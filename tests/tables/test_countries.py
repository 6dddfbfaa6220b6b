"""Series with a country of their own: kept, counted in the digest, and nothing changed for tables without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from forecast.tables import SeriesInfo, load_demand, save_demand
from forecast.tables.cells import cells_of_frame, demand_of_cells
from tests.builders import EVERYTHING, long_frame, make_demand, plain


def test_a_stored_table_keeps_the_countries_of_its_series(tmp_path: Path) -> None:
    demand = make_demand(long_frame(days=3), country="DE").with_countries({"south": "PT"})
    save_demand(demand, tmp_path / "table.parquet")
    again = load_demand(tmp_path / "table.parquet")
    assert [one.country for one in again.series] == [None, "PT"]
    assert (again.country, again.digest) == ("DE", demand.digest)
    assert [one.country for one in again.as_of("2024-01-21T00:00Z").select(["south"]).series] == ["PT"]
    assert [one.country for one in again.since(pd.Timestamp("2024-01-21T00:00Z")).series] == [None, "PT"]


def test_the_digest_covers_countries_and_stays_where_there_are_none() -> None:
    demand = make_demand(long_frame(days=3), country="DE")
    digests = {demand.with_countries(told).digest for told in ({}, {"south": "PT"}, {"south": "ES"}, {"north": "PT"})}
    assert len(digests) == 4
    assert demand.digest in digests
    # Written down before series could have a country.
    assert plain(np.arange(24.0), country="DE").digest == (
        "62bbd3e72b3ba3ecc80f5c30a5305f459522262ccef01784dead3c89195c2346"
    )


def test_naming_no_country_makes_no_new_table() -> None:
    demand = make_demand(long_frame(days=3)).with_countries({"south": "PT"})
    assert demand.with_countries({}) is demand
    assert demand.with_countries({"south": "PT", "elsewhere": "FR"}) is demand
    moved = demand.with_countries({"north": "ES"})
    assert [one.country for one in moved.series] == ["ES", "PT"]


def test_what_is_known_of_a_series_tells_its_country() -> None:
    frame = long_frame(days=3)
    frame["available_at"] = pd.Series(pd.NaT, index=frame.index).dt.tz_localize("UTC")
    step = pd.Timedelta("1h")
    cells = cells_of_frame(frame, EVERYTHING, ["north", "south"], step)
    infos = [
        SeriesInfo(unique_id=name, country=code, static={"customers": 1.0})
        for name, code in (("north", "FR"), ("south", None))
    ]
    made = demand_of_cells(infos, cells, columns=EVERYTHING, step=step, unit="MW", delay=pd.Timedelta(0))
    assert [one.country for one in made.series] == ["FR", None]
