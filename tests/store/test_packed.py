"""Forecasts that a service writes many at a time, and series that only a request has named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError, KeyReused, StoreError
from forecast.settings import Settings
from forecast.store import Batch, Packed, Said, Store
from forecast.store.engine import writing
from forecast.store.tokens import tokens
from forecast.tables import SeriesInfo

CUTOFF = 1_719_828_000
HOUR = 3600


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url) as opened:
        yield opened


def said(name: str, seed: int = 0, steps: int = 3) -> Said:
    low_H, high_H = np.sort(np.random.default_rng(seed).normal(1e-3, 1e6, (2, steps)), axis=0)
    ds_H = CUTOFF + HOUR * np.arange(steps)
    return Said.of(name, "Europe/Lisbon", ds_H, (low_H + high_H) / 2, np.stack([low_H, high_H], 1), step_seconds=HOUR)


def packed(id: str, *names: str, unit: str = "kW") -> Packed:
    series = tuple(said(name, seed) for seed, name in enumerate(names))
    return Packed(id, series, CUTOFF, CUTOFF + 5, unit, (0.1, 0.9), "demand", "7", "2024-07-02", "D-1T10:00", ("ñ",))


def metered(name: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"unique_id": name, "ds": pd.date_range("2024-03-01", periods=9, freq="30min", tz="UTC"), "y": 1}
    )


def test_what_is_packed_is_read_back_bit_for_bit(store: Store) -> None:
    store.record_packed([packed("a", "north", "south"), packed("b", "north")])
    frame = store.forecast("a").frame
    for seed, name in enumerate(("north", "south")):
        values = frame[frame["unique_id"] == name][["mean", "q0.1", "q0.9"]].to_numpy(dtype="<f8")
        assert values.tobytes() == said(name, seed).values
    first, second = store.forecasts("north")
    assert (first.id, second.id) == ("a", "b")
    assert (first.forecast.model, first.model_version, first.gate) == ("demand", "7", "D-1T10:00")
    assert (first.forecast.unit, first.forecast.warnings) == ("kW", ("ñ",))


def test_an_id_is_written_once_and_all_or_none(store: Store) -> None:
    store.record_packed([packed("a", "north")])
    with pytest.raises(StoreError):
        store.record_packed([packed("b", "south"), packed("a", "north")])
    with pytest.raises(StoreError, match="no forecast 'b'"):
        store.forecast("b")
    assert set(store.series()) == {"north"}


def test_irregular_periods_are_refused() -> None:
    with pytest.raises(DataError, match="irregular"):
        Said.of("a", None, np.array([0, 10, 30]), np.zeros(3), np.zeros((3, 1)), step_seconds=10)


def test_a_series_that_was_only_asked_for_is_no_part_of_a_table(store: Store) -> None:
    store.record_packed([packed("a", "asked")])
    with pytest.raises(StoreError, match="holds no series"):
        store.demand()
    store.add(Batch(metered("north")), "test")
    assert list(store.demand().by_id) == ["north"]
    assert "asked" in store.series()


def test_who_tells_of_it_first_is_not_bound_by_the_request(store: Store) -> None:
    store.record_packed([packed("a", "north")])
    assert (store.series()["north"].unit, store.series()["north"].step) == ("kW", "0 days 01:00:00")
    store.add(Batch(metered("north"), series=(SeriesInfo(unique_id="north", unit="MW", zone="Europe/Rome"),)), "test")
    info = store.series()["north"]
    assert (info.unit, info.step, info.zone) == ("MW", "0 days 00:30:00", "Europe/Rome")
    with pytest.raises(DataError, match="unit"):
        store.describe(SeriesInfo(unique_id="north", unit="kW"))
    assert len(store.forecasts("north")) == 1


def test_it_is_forgotten_like_any_other(store: Store, tmp_path: object) -> None:
    store.record_packed([packed("a", "north", "south")])
    assert store.forget("north", Settings.read(home=tmp_path)).forecasts == 1
    assert set(store.series()) == {"south"}


def test_every_change_is_another_state_and_a_forecast_is_none(store: Store, tmp_path: object) -> None:
    store.add(Batch(pd.concat([metered("north"), metered("south")])), "test")

    def states() -> tuple[int, tuple[int, int], tuple[int, int]]:
        with store.snapshot() as connection:
            now = tokens(connection, [1, 2])
        return now.any, now.state(1), now.state(2)

    seen = [states()]
    store.record_packed([packed("a", "north")])
    assert states() == seen[0]
    changes = (
        lambda: store.add(Batch(metered("north").assign(y=2.0)), "test"),
        lambda: store.describe(SeriesInfo(unique_id="north", country="PT")),
    )
    for change in changes:
        change()
        seen.append(states())
        assert seen[-1][0] != seen[-2][0]
        assert seen[-1][1] != seen[-2][1]
        assert seen[-1][2] == seen[-2][2]
    store.forget("south", Settings.read(home=tmp_path))
    seen.append(states())
    assert len({one[1] for one in seen}) == len(seen)


def test_a_key_stands_for_one_body_for_a_day(store: Store) -> None:
    from forecast import clock

    def send(key: str, body: bytes) -> bytes:
        return store.add_once(Batch(metered("north")), "api", key, body, lambda done: f"{done.new} new".encode())

    with clock.using("2024-05-01T00:00Z"):
        assert send("k", b"one") == b"9 new"
        assert send("k", b"one") == b"9 new"
        assert send("other", b"one") == b"0 new"
        with pytest.raises(KeyReused):
            send("k", b"two")
    with clock.using("2024-05-02T00:00:01Z"):
        assert send("k", b"two") == b"0 new"


def test_only_commits_that_need_not_wait_for_the_disk_do_not(tmp_path: Path, postgres_url: str) -> None:
    asked = {f"sqlite:///{tmp_path}/store.db": "PRAGMA synchronous", postgres_url: "SHOW synchronous_commit"}
    for url, question in asked.items():
        with Store.open(url) as store:
            told = []
            for flush in (True, False, True):
                with writing(store.engine, flush=flush) as connection:
                    told.append(str(connection.exec_driver_sql(question).scalar()))
            assert told in (["2", "1", "2"], ["on", "off", "on"])
