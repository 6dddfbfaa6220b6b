"""Looking back by the local clock: equal to a search in pandas, and never at what the cutoff did not know."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.features import Features, Inputs, fit_features
from forecast.recipe import FeatureConfig
from forecast.tables import Demand
from forecast.windows import origins_at
from tests.builders import long_frame, make_demand, plain, utc


def read(
    demand: Demand, cutoffs: list[pd.Timestamp], horizon: int, context: int = 24, config: FeatureConfig | None = None
) -> tuple[Features, Inputs]:
    features = fit_features(config or FeatureConfig(), demand, context)
    windows = features.window_set(demand, origins_at(demand, cutoffs), horizon)
    return features, features.inputs(windows, features.clock(windows), np.arange(len(windows)))


def value(features: Features, inputs: Inputs, name: str) -> np.ndarray:
    """A column [B, H], NaN where masked; what is masked must be zero."""
    place = features.future_names.index(name)
    plain_BH, mask_BH = inputs.future_BHF[:, :, place], inputs.future_mask_BHF[:, :, place]
    assert (plain_BH[mask_BH == 0] == 0).all()
    return np.where(mask_BH > 0, plain_BH, np.nan)


def then(ds: pd.Timestamp, days: int, zone: str) -> pd.Timestamp:
    """The same wall time some days before, NaT where it did not exist or occurred twice."""
    wall = ds.tz_convert(zone).tz_localize(None) - pd.Timedelta(days=days)
    return wall.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")


def search(y: pd.Series, ds: pd.Timestamp, last: pd.Timestamp, zone: str, multiple: int) -> list[pd.Timestamp] | None:
    """Stamps of the known same-clock values, the newest first; None where a clock change makes one doubtful."""
    found = []
    for days in range(multiple, 60, multiple):
        stamp = then(ds, days, zone)
        if stamp is pd.NaT:
            return None
        if stamp <= last:
            found.append(stamp)
        if len(found) == 7:
            return found
    raise AssertionError


@settings(max_examples=40)
@given(
    st.sampled_from([("Australia/Melbourne", "2024-04-07"), ("Australia/Melbourne", "2024-10-06"),
                     ("Europe/Lisbon", "2024-03-31"), ("Europe/Lisbon", "2024-10-27"), ("UTC", "2024-05-01")]),
    st.integers(-60, 220), st.sampled_from(["1h", "30min"]), st.sampled_from(["0h", "3h", "40h"]),
)  # fmt: skip
def test_same_clock_lags_equal_a_search_by_local_time(
    change: tuple[str, str], shift: int, freq: str, delay: str
) -> None:
    zone, day = change
    cutoff = pd.Timestamp(day, tz=zone).tz_convert("UTC") + shift * pd.Timedelta("1h")
    start = (cutoff - pd.Timedelta("35D")).strftime("%Y-%m-%d")
    demand = make_demand(long_frame(days=45, freq=freq, start=start, names=["a"]), zone=zone, delay=delay)
    y = demand.to_frame().set_index("ds")["y"]
    last = demand.as_of(cutoff).to_frame().set_index("ds")["y"].dropna().index[-1]
    horizon = 48
    features, inputs = read(demand, [cutoff], horizon, config=FeatureConfig(reach_days=25))
    compared = 0
    for h, ds in enumerate(pd.date_range(cutoff, periods=horizon, freq=freq)):
        for names, multiple in (
            ([f"y, same hour, {rank + 1}. day back" for rank in range(7)], 1),
            (["y, same hour, a week back", "y, same hour, two weeks back"], 7),
        ):
            found = search(y, ds, last, zone, multiple)
            if found is None:
                continue
            compared += 1
            got = [value(features, inputs, name)[0, h] for name in names]
            np.testing.assert_array_equal(got, y.loc[found[: len(names)]].to_numpy(), err_msg=f"{ds} {names[0]}")
    assert compared > horizon


def test_the_25th_hour_finds_yesterday_and_the_24th_of_a_short_day_the_day_before() -> None:
    zone = "Australia/Melbourne"
    for day, hours, names in (("2024-04-07", 25, "1."), ("2024-10-06", 24, "1.")):
        midnight = pd.Timestamp(day, tz=zone)
        demand = make_demand(
            long_frame(days=40, start=str((midnight - pd.Timedelta("30D")).date()), zone=zone), zone=zone
        )
        features, inputs = read(demand, [midnight], hours)
        got = value(features, inputs, f"y, same hour, {names} day back")
        assert np.isfinite(got).all()
        stamp = (midnight + pd.Timedelta(hours=hours - 1)).tz_localize(None)
        expected = stamp - pd.Timedelta("1D") if hours == 25 else stamp - pd.Timedelta("2D")
        y = demand.select(["north"]).to_frame().set_index("ds")["y"]
        assert got[0, -1] == y.loc[expected.tz_localize(zone).tz_convert("UTC")]


@pytest.mark.parametrize("freq", ["5min", "7min", "10min", "15min", "30min", "45min", "1h", "2h", "6h", "1D"])
def test_any_step_looks_back_to_the_nearest_period(freq: str) -> None:
    """y is the row's own number, so that a value says where it was read."""
    step = pd.Timedelta(freq)
    rows = int(pd.Timedelta("30D") / step)
    demand = plain(np.arange(rows, dtype=float), freq=freq)
    origin = rows - int(pd.Timedelta("2D") / step)
    cutoff = demand.series[0].start + origin * step
    horizon = max(1, int(pd.Timedelta("30h") / step))
    features, inputs = read(demand, [cutoff], horizon, context=max(1, int(pd.Timedelta("1D") / step)))
    assert np.isfinite(inputs.future_BHF).all()
    row_H = origin + np.arange(horizon)
    for name, days in (("1. day back", 1), ("7. day back", 7), ("a week back", 7), ("two weeks back", 14)):
        got = value(features, inputs, f"y, same hour, {name}")[0]
        back = (row_H - got) * step / pd.Timedelta("1D")
        late = row_H - origin >= pd.Timedelta("1D") / step - 1  # yesterday is not yet known there
        whole = np.where(late & ("day back" in name), np.round(back), days)
        assert np.abs(back - whole).max() <= step / pd.Timedelta("1D") / 2 + 1e-9, name
        assert (got < origin).all()


@pytest.mark.parametrize(("zone", "day"), [("Pacific/Auckland", "2024-04-08"), ("Pacific/Auckland", "2024-10-01")])
def test_days_do_not_slip_where_the_clock_changes(zone: str, day: str) -> None:
    demand = plain(np.arange(400.0), start="2023-12-01", freq="1D", zone=zone)
    cutoff = utc(day)
    row = int((cutoff - demand.series[0].start) / demand.step)
    features, inputs = read(demand, [cutoff], 1, context=7)
    for rank in range(7):
        assert value(features, inputs, f"y, same hour, {rank + 1}. day back")[0, 0] == row - 1 - rank


def test_gaps_and_silence_are_masked() -> None:
    y = np.arange(30 * 24.0)
    y[28 * 24 + 5] = np.nan
    features, inputs = read(plain(y), [utc("2024-01-30")], 24)
    lag = value(features, inputs, "y, same hour, 1. day back")[0]
    assert np.isnan(lag[5])
    assert np.isfinite(np.delete(lag, 5)).all()
    features, inputs = read(plain(y), [utc("2023-12-25")], 24)
    load = np.array(features.future_load_columns)
    assert not inputs.future_mask_BHF[:, :, load].any()
    assert not inputs.past_mask_BLP[:, :, 0].any()


def test_similar_days_weigh_recent_days_of_the_same_type() -> None:
    demand = make_demand(long_frame(days=40, names=["a"], gaps=0.1).assign(holiday=0.0))
    cutoff = utc("2024-02-20")
    features, inputs = read(demand, [cutoff], 72)
    got = value(features, inputs, "y, similar days")[0]
    y = demand.as_of(cutoff).to_frame().set_index("ds")["y"]
    newest = y.dropna().index[-1]
    for h, ds in enumerate(pd.date_range(cutoff, periods=72, freq="1h")):
        kind = max(ds.weekday() - 4, 0)
        first = next(days for days in range(1, 9) if ds - pd.Timedelta(days=days) <= newest)
        total = weight = 0.0
        for rank in range(14):
            stamp = ds - pd.Timedelta(days=first + rank)
            if max(stamp.weekday() - 4, 0) == kind and np.isfinite(y[stamp]):
                total, weight = total + 0.85**rank * y[stamp], weight + 0.85**rank
        assert got[h] == pytest.approx(total / weight, rel=1e-5)


def test_recent_columns_end_at_the_last_known_value() -> None:
    demand = make_demand(long_frame(start="2023-01-20", days=405, names=["a"]), delay="5h")
    cutoff = utc("2024-02-20 07:00")
    features, inputs = read(demand, [cutoff], 3)
    y = demand.as_of(cutoff).to_frame()["y"].dropna().to_numpy()
    expected = {f"y, {back + 1}. hour back": y[-1 - back] for back in range(24)} | {
        "y, mean of the last day": y[-24:].mean(), "y, mean of the day before": y[-48:-24].mean(),
        "y, lowest of the last day": y[-24:].min(), "y, highest of the last day": y[-24:].max(),
        "y, mean of the last 14 days": y[-336:].mean(), "y, hour a week before the last": y[-169],
    }  # fmt: skip
    for name, told in expected.items():
        np.testing.assert_allclose(value(features, inputs, name), told, rtol=1e-6, err_msg=name)
    humidity = demand.as_of(cutoff).to_frame()["humidity"].dropna().to_numpy()
    for hours in (1, 6, 24, 168):
        got = value(features, inputs, f"humidity, mean of the last {hours} h")
        np.testing.assert_allclose(got, humidity[-hours:].mean(), rtol=1e-5)


def test_weather_columns_equal_their_words() -> None:
    demand = make_demand(long_frame(days=40, names=["a"]))
    cutoff = utc("2024-02-20")
    features, inputs = read(demand, [cutoff], 30)
    t = demand.to_frame().set_index("ds")["temperature"]
    knot = features.state.knots["temperature"][4]
    for h, ds in enumerate(pd.date_range(cutoff, periods=30, freq="1h")):
        day = t[ds - pd.Timedelta("23h") : ds].mean()
        expected = {
            "temperature": t[ds], "temperature, 3 h before": t[ds - pd.Timedelta("3h")],
            "temperature, 3 h after": t[ds + pd.Timedelta("3h")] if h < 27 else np.nan,
            "temperature, 1 days before": t[ds - pd.Timedelta("1D")],
            "temperature, 7 days before": t[ds - pd.Timedelta("7D")],
            "temperature, lowest of 24 h": t[ds - pd.Timedelta("23h") : ds].min(),
            "temperature, highest of 24 h": t[ds - pd.Timedelta("23h") : ds].max(),
            f"temperature, highest of 24 h above {knot:.12g}": max(t[ds - pd.Timedelta("23h") : ds].max() - knot, 0),
            "temperature, mean of 24 h": day, "temperature, mean of 72 h": t[ds - pd.Timedelta("71h") : ds].mean(),
            f"temperature above {knot:.12g}": max(t[ds] - knot, 0),
            f"temperature, mean of 24 h above {knot:.12g}": max(day - knot, 0),
            "temperature, highest of the first day ahead": t[cutoff : cutoff + pd.Timedelta("23h")].max(),
            "holiday, 7 days back": demand.to_frame().set_index("ds")["holiday"][ds - pd.Timedelta("7D")],
        }  # fmt: skip
        for name, told in expected.items():
            assert value(features, inputs, name)[0, h] == pytest.approx(told, rel=1e-4, abs=1e-4, nan_ok=True), name


@pytest.mark.parametrize("poison", [1e9, np.nan])
@pytest.mark.parametrize(
    ("freq", "delay", "late", "zone"),
    [("1h", "0h", False, "Australia/Melbourne"), ("1h", "30h", False, "Europe/Lisbon"), ("30min", "1h", True, "UTC"),
     ("10min", "0h", True, "Africa/Casablanca"), ("1D", "2D", False, "UTC")],
)  # fmt: skip
def test_nothing_unknown_at_the_cutoff_moves_a_bit(freq: str, delay: str, late: bool, zone: str, poison: float) -> None:
    frame = long_frame(days=60 if freq == "1D" else 35, freq=freq, start="2024-03-10", late=late, gaps=0.05)

    demand = make_demand(frame, zone=zone, delay=delay)
    cutoff = utc("2024-04-08 09:17")
    narrowed = demand.as_of(cutoff)
    spoiled = frame.copy()
    for one in demand.series:
        hidden = frame.index[frame["unique_id"] == one.unique_id][~narrowed.known_rows(one)]
        assert len(hidden)
        spoiled.loc[hidden, ["y", "humidity"]] = poison
    answers = []
    for table in (frame, spoiled):
        whole = make_demand(table, zone=zone, delay=delay)
        features = fit_features(FeatureConfig(), whole.as_of(cutoff), 7)
        windows = features.window_set(whole, origins_at(whole, [cutoff]), 10)
        inputs = features.inputs(windows, features.clock(windows), np.arange(2))
        names = ("past_BLP", "past_mask_BLP", "future_BHF", "future_mask_BHF", "static_BS")
        answers.append((features.state, [getattr(inputs, name).tobytes() for name in names]))
    assert answers[0] == answers[1]


def test_a_window_reads_the_same_in_any_batch() -> None:
    demand = make_demand(long_frame(days=60, gaps=0.1), delay="2h", zone="Europe/Lisbon")
    features = fit_features(FeatureConfig(), demand, 48)
    cutoffs = list(pd.date_range(utc("2024-02-20"), utc("2024-03-10"), freq="17h"))
    windows = features.window_set(demand, origins_at(demand, cutoffs), 24)
    calendar = features.clock(windows)
    together = features.inputs(windows, calendar, np.arange(len(windows)))
    for number in range(0, len(windows), 7):
        alone = features.inputs(windows, calendar, np.array([number]))
        for name, array in vars(alone).items():
            np.testing.assert_array_equal(array[0], getattr(together, name)[number], err_msg=name)
