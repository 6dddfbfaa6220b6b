"""What was said stays as it was said, bit for bit, in SQLite and in PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from forecast import clock
from forecast.errors import DataError, StoreError
from forecast.store import Issued, Store
from forecast.store.engine import writing
from forecast.tables import Forecast, SeriesInfo

CUTOFF = pd.Timestamp("2024-07-01T10:00Z")
WARNING = "series 'ñorth': 3 steps of context have no known y"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url) as opened:
        for name in ("south", "ñorth"):
            opened.describe(SeriesInfo(unique_id=name, step="30min"))
        yield opened


def said(
    *cutoffs: pd.Timestamp, names: tuple[str, ...] = ("south", "ñorth"), steps: int = 48, seed: int = 0
) -> Forecast:  # fmt: skip
    """A forecast of some series and cutoffs, with numbers that no decimal text of usual length holds."""
    parts = []
    for number, (name, cutoff) in enumerate((name, cutoff) for name in names for cutoff in cutoffs or (CUTOFF,)):
        low_H, middle_H, high_H = np.sort(np.random.default_rng([seed, number]).normal(1e-3, 1e6, (3, steps)), axis=0)
        ds = pd.date_range(cutoff, periods=steps, freq="30min")
        numbers = {"mean": middle_H / 3, "q0.05": low_H, "q0.5": middle_H, "q0.95": high_H}
        parts.append(pd.DataFrame({"unique_id": name, "cutoff": cutoff.as_unit("ns"), "ds": ds, **numbers}))
    return Forecast(pd.concat(parts, ignore_index=True), "MWh", "lstm", (WARNING, 'it said "no"'))


def in_order(forecast: Forecast) -> pd.DataFrame:
    return forecast.frame.sort_values(["unique_id", "cutoff", "ds"], ignore_index=True)


def test_what_is_read_back_is_what_was_said(store: Store) -> None:
    forecast = said(CUTOFF, CUTOFF + pd.Timedelta("1D"))
    store.record(forecast, id="a")
    again = store.forecast("a")
    pd.testing.assert_frame_equal(again.frame, in_order(forecast), check_exact=True)
    numbers = ["mean", "q0.05", "q0.5", "q0.95"]
    assert again.frame[numbers].to_numpy().tobytes() == in_order(forecast)[numbers].to_numpy().tobytes()
    assert (again.unit, again.model, again.warnings) == ("MWh", "lstm", forecast.warnings)


def test_every_word_about_a_forecast_is_kept(store: Store) -> None:
    words = {
        "model_version": "7", "data_digest": "ab" * 32, "rung": "naive", "reason": "the champion was late",
        "delivery_day": "2024-07-02", "gate": "D-1T10:00",
    }  # fmt: skip
    store.record(said(), id="a", model="demand", issued_at=pd.Timestamp("2024-07-01T12:00:01+02:00"), **words)
    (one,) = store.forecasts("south")
    assert {name: getattr(one, name) for name in words} == words
    assert (one.id, one.forecast.model, one.issued_at) == ("a", "demand", pd.Timestamp("2024-07-01T10:00:01Z"))
    assert set(one.forecast.frame["unique_id"]) == {"south"}


def test_the_same_again_is_no_news(store: Store) -> None:
    with clock.using(CUTOFF):
        store.record(said(), id="a")
    with clock.using(CUTOFF + pd.Timedelta("5min")):
        assert store.record_all([Issued("a", said(), clock.now())]) == 0
    assert store.forecasts("south")[0].issued_at == CUTOFF


OTHERS = {
    "a number": said(seed=1),
    "fewer series": said(names=("south",)),
    "one more cutoff": said(CUTOFF, CUTOFF + pd.Timedelta("1h")),
    "a warning": replace(said(), warnings=()),
    "a unit": replace(said(), unit="MW"),
    "a model": replace(said(), model="gru"),
}


def test_an_id_stands_for_one_content(store: Store) -> None:
    store.record(said(), id="a")
    for other in OTHERS.values():
        with pytest.raises(StoreError, match="'a' stands in the ledger with other content"):
            store.record(other, id="a")
    pd.testing.assert_frame_equal(store.forecast("a").frame, in_order(said()), check_exact=True)


def test_several_are_recorded_together_or_not_at_all(store: Store) -> None:
    several = [Issued(str(number), said(seed=number), CUTOFF) for number in range(5)]
    assert store.record_all(several) == 10
    assert store.record_all([*several, Issued("5", said(seed=5), CUTOFF)]) == 2
    with pytest.raises(StoreError, match="other content"):
        store.record_all([Issued("6", said(), CUTOFF), Issued("0", said(seed=1), CUTOFF)])
    with pytest.raises(StoreError, match="no forecast '6'"):
        store.forecast("6")


def test_an_id_twice_in_one_breath(store: Store) -> None:
    assert store.record_all([Issued("a", said(), CUTOFF), Issued("a", said(), CUTOFF)]) == 2
    with pytest.raises(StoreError, match="other content"):
        store.record_all([Issued("b", said(), CUTOFF), Issued("b", said(seed=1), CUTOFF)])


STATEMENTS = ("UPDATE forecast SET rung = 'x'", "UPDATE forecast SET cutoff = 0", "DELETE FROM forecast")


def test_no_statement_changes_the_ledger(store: Store) -> None:
    store.record(said(), id="a")
    before = store.forecast("a").frame
    for statement in STATEMENTS:
        with pytest.raises(DBAPIError, match=r"never change|are kept"), store.engine.begin() as connection:
            connection.execute(text(statement))
        with pytest.raises(StoreError, match=r"never change|are kept"), writing(store.engine) as connection:
            connection.execute(text(statement))
    pd.testing.assert_frame_equal(store.forecast("a").frame, before, check_exact=True)


def test_forecasts_of_a_series_are_chosen_by_day_period_and_moment(store: Store) -> None:
    moments = [CUTOFF + pd.Timedelta(days=number) for number in range(3)]
    days = ["2024-07-02", "2024-07-03", "2024-07-04"]
    for moment, day in zip(reversed(moments), reversed(days), strict=True):
        store.record(said(moment), id=day, delivery_day=day, issued_at=moment + pd.Timedelta("1min"))

    def ids(**choice: object) -> list[str]:
        return [one.id for one in store.forecasts("south", **choice)]

    assert ids() == days
    assert ids(delivery_day="2024-07-03") == ["2024-07-03"]
    assert ids(as_of=moments[1]) == days[:1]
    assert ids(as_of=moments[1] + pd.Timedelta("1min")) == days[:2]
    # The first one's last period starts half an hour before the second one's first.
    assert ids(first=moments[1]) == days[1:]
    assert ids(first=moments[1] - pd.Timedelta("30min")) == days
    assert ids(last=moments[1]) == days[:2]
    assert ids(last=moments[1] - pd.Timedelta("1s")) == days[:1]
    assert ids(newest=2) == days[1:]
    assert ids(newest=1, as_of=moments[1] + pd.Timedelta("1min")) == days[1:2]


def test_a_single_period_has_the_step_of_its_series(store: Store) -> None:
    store.record(said(steps=1), id="a")
    assert store.forecast("a").frame["ds"].tolist() == [CUTOFF, CUTOFF]


def test_irregular_periods_are_refused(store: Store) -> None:
    holed = replace(said(), frame=said().frame.drop(index=5))
    with pytest.raises(DataError, match="irregular periods"):
        store.record(holed, id="a")


def test_split_seconds_are_refused(store: Store) -> None:
    split = replace(said(), frame=said().frame.assign(cutoff=CUTOFF + pd.Timedelta("5ms")))
    with pytest.raises(DataError, match="no whole seconds"):
        store.record(split, id="a")


def test_an_unknown_series_is_named(store: Store) -> None:
    with pytest.raises(StoreError, match="no series west; expected one of south, ñorth"):
        store.record(said(names=("south", "west")), id="a")
    with pytest.raises(StoreError, match="no series west"):
        store.forecasts("west")


def test_words_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="without an id"):
        Issued("", said(), CUTOFF)
    with pytest.raises(DataError, match="carries no zone"):
        Issued("a", said(), CUTOFF.tz_localize(None))
    with pytest.raises(DataError, match="'tomorrow' is no date"):
        Issued("a", said(), CUTOFF, delivery_day="tomorrow")


def test_many_are_read_as_each_was_said(store: Store) -> None:
    """Of different levels, lengths and words, among each other."""
    told: list[Issued] = []
    for number in range(6):
        forecast = said(CUTOFF + pd.Timedelta(hours=number), steps=3 + number, seed=number)
        frame = forecast.frame.drop(columns="q0.5") if number % 2 else forecast.frame
        told.append(Issued(f"id{number}", replace(forecast, frame=frame, warnings=(f"w{number}",)), CUTOFF))
    assert store.record_all(told) == 12
    found = store.forecasts("south")
    assert [one.id for one in found] == [one.id for one in told]
    for one, first in zip(found, told, strict=True):
        mine = first.forecast.frame[first.forecast.frame["unique_id"] == "south"].reset_index(drop=True)
        pd.testing.assert_frame_equal(one.forecast.frame, mine, check_exact=True)
        assert (one.forecast.warnings, one.forecast.unit) == (first.forecast.warnings, "MWh")
