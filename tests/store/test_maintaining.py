"""Retention removes what is too old and nothing else; a database is tended while others use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import delete, func, select

from forecast import clock
from forecast.errors import StoreError
from forecast.settings import Settings
from forecast.store import Batch, Packed, Said, Store
from forecast.store.engine import writing
from forecast.store.newest import newest
from forecast.store.retaining import RETAIN, Removed, retain
from forecast.store.schema import AUDIT, FORECAST, OBSERVATION
from forecast.store.tending import tend
from forecast.store.tokens import tokens
from forecast.tables import SeriesInfo

FIRST = pd.Timestamp("2024-01-01T00:00Z")
MIDDLE = FIRST + pd.Timedelta(days=5)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Ten days of two meters, a forecast of each day, and a third meter that begins after the middle."""
    hasty = Settings.read(store_patience_s=0.5)
    with Store.open(store_url, hasty) as opened, clock.using("2024-06-01T00:00Z"):
        for name, days in (("north", range(10)), ("south", range(10)), ("young", range(6, 10))):
            ds = pd.DatetimeIndex([FIRST + pd.Timedelta(days=day, hours=hour) for day in days for hour in range(24)])
            frame = pd.DataFrame({"unique_id": name, "ds": ds, "y": np.arange(len(ds), dtype=float)})
            opened.add(Batch(frame, series=(SeriesInfo(unique_id=name, zone="UTC", step="1h"),)), "meters")
            for day in days:
                first = int((FIRST + pd.Timedelta(days=day)).timestamp())
                ds_H = first + 3600 * np.arange(24)
                said = Said.of(name, "UTC", ds_H, np.ones(24), np.ones((24, 1)), step_seconds=3600)
                opened.record_packed([Packed(f"{name}-{day}", (said,), first, first, "MW", (0.5,), "m")])
        yield opened


def counted(store: Store) -> tuple[int, int]:
    """Values and forecasts in the store."""
    with store.snapshot() as connection:
        every = [connection.execute(select(func.count()).select_from(one)).scalar() for one in (OBSERVATION, FORECAST)]
    return int(every[0] or 0), int(every[1] or 0)


def test_without_a_limit_nothing_goes(store: Store) -> None:
    before = counted(store)
    assert retain(store.engine, None, None) == Removed()
    assert counted(store) == before == (24 * 24, 24)


def test_what_is_older_goes_and_the_rest_is_as_it_was(store: Store) -> None:
    expected = Removed(2 * 5 * 24, 2 * 5, 2)
    whole = store.demand(since=MIDDLE).to_frame()
    assert retain(store.engine, MIDDLE, MIDDLE, dry_run=True) == expected
    assert counted(store) == (24 * 24, 24)
    with store.snapshot() as connection:
        seen = tokens(connection).any
    assert retain(store.engine, MIDDLE, MIDDLE) == expected
    assert counted(store) == (24 * 24 - 240, 14)
    pd.testing.assert_frame_equal(store.demand().to_frame(), whole)
    with store.snapshot() as connection:
        lines = connection.execute(select(AUDIT).where(AUDIT.c.action == RETAIN)).all()
        # Whoever remembers values asks again.
        assert tokens(connection).any != seen
    assert len(lines) == 1
    assert retain(store.engine, MIDDLE, MIDDLE) == Removed()


def test_forecasts_may_be_kept_longer_than_values(store: Store) -> None:
    assert retain(store.engine, MIDDLE, None) == Removed(240, 0, 2)
    assert counted(store)[1] == 24


def test_what_is_retained_is_guarded_again(store: Store) -> None:
    retain(store.engine, MIDDLE, MIDDLE)
    with pytest.raises(StoreError, match="are kept"), writing(store.engine) as connection:
        connection.execute(delete(OBSERVATION))


def test_it_is_tended_while_others_read(store: Store) -> None:
    retain(store.engine, FIRST + pd.Timedelta(days=10), FIRST + pd.Timedelta(days=10))
    planned = tend(store.engine, dry_run=True)
    with store.snapshot() as connection:
        connection.execute(select(func.count()).select_from(OBSERVATION)).scalar()
        done = tend(store.engine)
    assert set(done.did) <= set(planned.did)
    if store.engine.dialect.name == "postgresql":
        assert done.did == planned.did
    else:
        assert any("log" in text for text in done.left)
    assert tend(store.engine).left == ()
    assert counted(store) == (0, 0)


def test_a_file_with_much_room_in_it_is_written_anew(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/store.db", Settings.read(home=tmp_path)) as store:
        ds = pd.date_range(FIRST, periods=24 * 400, freq="1h")
        frame = pd.DataFrame({"unique_id": "north", "ds": ds, "y": np.arange(len(ds), dtype=float)})
        with clock.using("2026-01-01T00:00Z"):
            store.add(Batch(frame, series=(SeriesInfo(unique_id="north", zone="UTC", step="1h"),)), "meters")
        retain(store.engine, pd.Timestamp("2025-01-01T00:00Z"), None)
        done = tend(store.engine)
        assert "the file is written anew" in done.did
        assert done.after < 0.7 * done.before


def test_the_longest_overdue_series_comes_first(store: Store) -> None:
    late = pd.DataFrame({"unique_id": "south", "ds": [FIRST + pd.Timedelta(days=10)], "y": [1.0]})
    with clock.using("2024-06-01T00:00Z"):
        store.add(Batch(late), "meters")
    with store.snapshot() as connection:
        found = newest(connection, FIRST + pd.Timedelta(days=10, hours=4))
    told = {one.unique_id: (one.end, one.overdue_s) for one in found}
    assert [one.unique_id for one in found] == ["north", "young", "south"]
    assert told["north"] == (FIRST + pd.Timedelta(days=10), 3 * 3600)
    assert told["south"] == (FIRST + pd.Timedelta(days=10, hours=1), 2 * 3600)
