"""What a table knows of its series at a cutoff, and how well."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.fallback import Health, Known, doubts, examined, plausible, unable, widening, without_stuck
from forecast.tables import Columns, Demand
from tests.builders import long_frame, make_demand, plain, utc

HOUR = pd.Timedelta("1h")
CUTOFF = utc("2024-02-20T00:00")
WEATHER = Columns(known=("temperature",))


def wave(hours: int, seed: int = 0) -> np.ndarray:
    hour = np.arange(hours)
    noise = np.random.default_rng(seed).normal(0, 5, hours)
    return 500 + 80 * np.sin(hour / 24 * 2 * np.pi) + 20 * (hour // 24 % 7 < 5) + noise


def health(demand: Demand, cutoff: pd.Timestamp = CUTOFF, context: int = 168) -> Health:
    return Health.of(demand, cutoff, context=context, horizon=24)


def meter(y: np.ndarray) -> Demand:
    """One series that ends at the cutoff."""
    start = CUTOFF - len(y) * HOUR
    return plain(y, start=f"{start:%Y-%m-%dT%H:%M}")


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("delay", ["0h", "5h"])
def test_the_same_as_the_table_shows(late: bool, delay: str) -> None:
    demand = make_demand(long_frame(gaps=0.1, late=late), delay=delay)
    cutoff = utc("2024-02-20T07:30")
    known, narrowed = Known.of(demand, cutoff, 100), demand.as_of(cutoff)
    assert known.names == ("north", "south")
    for row, one in enumerate(demand.series):
        end = -int((one.start - cutoff) // HOUR)
        assert pd.Timestamp(known.first_S[row], tz="UTC") == utc("2024-02-20T08:00")
        assert np.array_equal(known.y_SL[row], narrowed.observed(narrowed.series[row])[end - 100 : end], equal_nan=True)
        assert 100 - known.due_S[row] == (pd.Timedelta(delay) + pd.Timedelta("30min")).ceil("1h") / HOUR


def test_a_narrowed_table_knows_no_more() -> None:
    demand = make_demand(long_frame())
    assert np.isnan(Known.of(demand.as_of(CUTOFF - 3 * HOUR), CUTOFF, 10).y_SL[:, -3:]).all()


def test_a_history_shorter_or_older_than_the_context() -> None:
    short, old = Known.of(meter(wave(5)), CUTOFF, 10), Known.of(meter(wave(5)), CUTOFF + 20 * HOUR, 10)
    assert np.isfinite(short.y_SL[0]).tolist() == [False] * 5 + [True] * 5
    assert np.isnan(old.y_SL).all()


def test_nothing_is_wrong() -> None:
    told = health(meter(wave(24 * 30)))
    assert told.well
    assert (told.late_S[0], told.context_S[0], told.day_S[0]) == (0, 1, 1)
    assert not unable(told)
    assert not doubts(told)
    assert widening(told).tolist() == [1]


@pytest.mark.parametrize("hours", [1, 6, 24, 48, 72])
def test_late_load(hours: int) -> None:
    y = wave(24 * 30)
    y[-hours:] = np.nan
    told = health(meter(y))
    assert told.late_S[0] == hours
    assert told.context_S[0] == pytest.approx(1 - hours / 168)
    assert told.day_S[0] == pytest.approx(max(0, 1 - hours / 24))
    assert not unable(told), "a model that sees the rest of its context is better than last week"
    assert (widening(told)[0] > 1.05) == (hours >= 24)


def test_a_declared_delay_is_not_late() -> None:
    frame = long_frame(names=("one",))
    frame.loc[frame["ds"] >= CUTOFF - 30 * HOUR, "y"] = np.nan
    told = health(make_demand(frame, delay="30h", columns=WEATHER))
    assert (told.late_S[0], told.context_S[0]) == (0, 1)


def test_too_little_is_known() -> None:
    stale, holed = wave(24 * 30), wave(24 * 30)
    stale[-160:] = np.nan
    holed[np.arange(len(holed)) % 12 != 5] = np.nan
    assert unable(health(meter(stale))) == {"a": "stale"}
    assert unable(health(meter(holed))) == {"a": "incomplete"}
    assert not unable(health(meter(stale)), starts_from_static=True)
    assert unable(health(meter(stale)), learned=("a",)) == {"a": "stale"}, "no network knows a level by heart"


@pytest.mark.parametrize(("known", "asked"), [(24, False), (120, False), (132, True)])
def test_a_network_speaks_of_strangers_where_most_of_their_context_is_known(known: int, asked: bool) -> None:
    told = health(meter(wave(known)))
    assert unable(told, learned=("b",)) == ({} if asked else {"a": "incomplete"})
    assert not unable(told, learned=("a", "b"))
    assert not unable(told), "a ridge"


def test_what_can_be_believed() -> None:
    """Two spans beyond what is known, where a day of it is known and not all of it is zero."""
    y_SL = np.full((5, 168), np.nan)
    y_SL[0, -24:] = np.linspace(23, 35, 24)
    y_SL[1, -6:] = np.linspace(23, 35, 6)
    y_SL[2] = 40
    y_SL[3] = 0
    least_S, most_S = plausible(y_SL, 24)
    assert least_S.tolist() == [-1, -np.inf, 32, -np.inf, -np.inf]
    assert most_S.tolist() == [59, np.inf, 48, np.inf, np.inf]
    told = health(meter(np.linspace(23, 35, 24)))
    assert (told.least_S[0], told.most_S[0]) == (-1, 59)


def test_weather_ahead() -> None:
    frame = long_frame(names=("one", "two"))
    gone = (frame["unique_id"] == "one") & (frame["ds"] >= CUTOFF + 6 * HOUR)
    frame.loc[gone, "temperature"] = np.nan
    told = health(make_demand(frame, columns=WEATHER))
    assert told.ahead_S.tolist() == [0.25, 1]
    assert doubts(told) == {"one": "weather"}
    assert widening(told)[0] > 1.4
    assert widening(told)[1] == 1


@pytest.mark.parametrize("value", [42.0, 0.0])
@pytest.mark.parametrize("hours", [6, 24, 72])
def test_a_stuck_meter(hours: int, value: float) -> None:
    y = wave(24 * 30)
    y[-hours:] = value
    demand = meter(y)
    told = health(demand)
    assert told.stuck == {"a": hours}
    hidden = without_stuck(demand, CUTOFF, told.stuck)
    y_T = hidden.observed(hidden.series[0])
    assert np.isnan(y_T[-hours:]).all()
    assert np.array_equal(y_T[:-hours], demand.observed(demand.series[0])[:-hours])
    assert health(hidden).late_S[0] == hours
    assert not health(hidden).stuck


def test_a_meter_that_stands_still_through_gaps_is_stuck() -> None:
    y = wave(24 * 30)
    y[-12:] = 42
    y[-7:-4] = np.nan
    assert health(meter(y)).stuck == {"a": 9}


def test_what_happens_after_the_cutoff_is_not_looked_at() -> None:
    y = wave(24 * 30)
    y[-48:] = 42
    assert not health(meter(y), CUTOFF - 48 * HOUR).stuck
    demand = meter(y)
    hidden = without_stuck(demand, CUTOFF - 24 * HOUR, {"a": 24})
    assert np.isfinite(hidden.observed(hidden.series[0])[-24:]).all()


def test_habits_are_no_defects() -> None:
    """A workshop that is off every weekend, a meter that is rounded to tens, and one that has always said the same."""
    weekend = wave(24 * 28)
    weekend[(np.arange(len(weekend)) // 24) % 7 >= 5] = 0
    rounded = np.round(wave(24 * 28) / 50) * 50
    for y in (weekend, rounded, np.full(200, 42.0)):
        assert not health(meter(y)).stuck


def test_one_bad_meter_beside_a_good_one() -> None:
    frame = long_frame(names=("good", "bad"))
    frame.loc[(frame["unique_id"] == "bad") & (frame["ds"] >= CUTOFF - 24 * HOUR), "y"] = 42.0
    demand = make_demand(frame, columns=WEATHER)
    told = health(demand)
    assert told.stuck == {"bad": 24}
    hidden = without_stuck(demand, CUTOFF, told.stuck)
    assert np.array_equal(hidden.by_id["good"].values_TC, demand.by_id["good"].values_TC)


@pytest.mark.parametrize("value", [9e11, -9e11, 500_000.0])
@pytest.mark.parametrize("hours", [1, 5])
def test_a_reading_that_cannot_be_true(hours: int, value: float) -> None:
    y = wave(24 * 30)
    y[-hours:] = value * np.linspace(1, 1.1, hours)
    y[-60] = value
    demand = meter(y)
    told = health(demand)
    assert told.absurd == {"a": hours + 1}
    assert not told.well
    hidden, rest = examined(demand, CUTOFF, context=168, horizon=24)
    assert np.flatnonzero(np.isnan(hidden.observed(hidden.series[0]))).tolist() == [
        len(y) - 60, *range(len(y) - hours, len(y))
    ]  # fmt: skip
    assert (rest.absurd, rest.late_S[0]) == ({"a": hours + 1}, hours)
    assert doubts(rest) == {"a": "absurd"}
    assert rest.most_S[0] < 1500, "its span is that of the others"
    assert not examined(demand, CUTOFF - 80 * HOUR, context=168, horizon=24)[1].absurd


@pytest.mark.parametrize(
    ("before", "after", "hours"),
    [(500.0, 1000.0, 1), (500.0, 20_000.0, 3), (0.0, 900.0, 1), (0.06, 5.9, 1), (2.0, 1000.0, 30)],
)
def test_a_step_that_can_be_true(before: float, after: float, hours: int) -> None:
    """A factory that doubles, a meter that wakes up, a house after holidays; and what lasts is believed."""
    y = np.full(24 * 30, before)
    y[-hours:] = after * np.linspace(1, 1.01, hours)
    demand = meter(y)
    assert not health(demand).absurd
    assert examined(demand, CUTOFF, context=168, horizon=24)[0] is demand


def test_a_revised_reading_is_judged_by_what_was_known_of_it() -> None:
    frame = long_frame(names=("one",))
    last = frame["ds"] == CUTOFF - HOUR
    frame["available_at"] = frame["ds"] + HOUR
    slip = frame[last].assign(y=9e11)
    right = frame[last].assign(available_at=CUTOFF + 5 * HOUR)
    demand = make_demand(pd.concat([frame[~last], slip, right]).sort_values("ds"), columns=WEATHER)
    hidden, told = examined(demand, CUTOFF, context=168, horizon=24)
    assert told.absurd == {"one": 1}
    assert np.isnan(hidden.as_of(CUTOFF).observed(hidden.as_of(CUTOFF).series[0])[-1 - 24 :]).any()
    assert not examined(demand, CUTOFF + 6 * HOUR, context=168, horizon=24)[1].absurd


def test_two_series_one_of_which_slips() -> None:
    frame = long_frame()
    frame.loc[(frame["unique_id"] == "south") & (frame["ds"] == CUTOFF - HOUR), "y"] *= 1000
    hidden, told = examined(make_demand(frame, columns=WEATHER), CUTOFF, context=168, horizon=24)
    assert told.absurd == {"south": 1}
    seen = Known.of(hidden, CUTOFF, 168).y_SL
    assert np.isnan(seen).sum(1).tolist() == [0, 1]
