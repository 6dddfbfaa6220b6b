"""Peak, peak hour and energy of delivery days: from paths, from a whole forecast, and scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from forecast.calendars import delivery_day, periods
from forecast.errors import DataError, DeclarationError, RequestError
from forecast.paths import (
    HOUR_COLUMNS,
    Daily,
    compare_days,
    daily,
    day_outcomes,
    paths,
    rank_outcomes,
    sample_quantiles,
    score_days,
)
from forecast.tables import LEVELS, Forecast, mean_of_quantiles, quantile_columns

MELBOURNE = "Australia/Melbourne"
NORMAL = norm.ppf(LEVELS)
NO_RANKS = np.empty((0, 24))
PEAKS, ENERGIES = ([f"{side}_{name}" for name in quantile_columns()] for side in ("peak", "energy"))


def said(
    quantiles_NHQ: np.ndarray,
    ds_NH: Sequence[pd.DatetimeIndex],
    *,
    cutoffs: Sequence[pd.Timestamp] | None = None,
    series: str = "a",
    unit: str = "MW",
) -> Forecast:
    """A forecast of some origins, cut off at their first period unless said."""
    cutoff_N = [ds_H[0] for ds_H in ds_NH] if cutoffs is None else list(cutoffs)
    rows = np.concatenate(list(quantiles_NHQ))
    frame = pd.DataFrame(
        {"unique_id": series, "cutoff": pd.DatetimeIndex(cutoff_N).repeat([len(one) for one in ds_NH])}
    )
    frame["ds"] = ds_NH[0].append(list(ds_NH[1:]))
    frame["mean"] = mean_of_quantiles(rows, LEVELS)
    frame[quantile_columns()] = rows
    return Forecast(frame, unit, "test")


def wave(steps: int, size: float = 50.0, width: float = 20.0) -> np.ndarray:
    """Quantiles [H, 9] with their highest hour at three quarters of the day."""
    centre = 500 - size * np.sin(np.arange(steps) / steps * 2 * np.pi)
    return centre[:, None] + width * NORMAL


# ---- one day ------------------------------------------------------------------------------------------------------


def test_reading_of_paths_by_hand() -> None:
    drawn = np.array([[1.0, 4.0, 2.0], [3.0, 2.0, 2.0], [5.0, 5.0, 5.0]])
    read = daily(drawn, np.full((3, 1), -np.inf), [0.5], np.array([0, 0, 1]), step_hours=0.5)
    np.testing.assert_array_equal(read.peak_NQ, [4.0])
    np.testing.assert_array_equal(read.energy_NQ, [3.5])
    np.testing.assert_allclose(read.hour_NK[:3], [1.0, 0.0, 0.0])  # of equal values the first counts


def test_the_guard_lifts_peaks_of_foreign_paths_only() -> None:
    quantiles = wave(24)
    own = paths(quantiles, LEVELS, NO_RANKS, 99)
    np.testing.assert_array_equal(
        daily(own, quantiles, LEVELS, np.arange(24)).peak_NQ, sample_quantiles(own.max(1), LEVELS)
    )
    lifted = daily(own - 100, quantiles, LEVELS, np.arange(24)).peak_NQ
    assert (lifted >= quantiles.max(0)).all()


def test_the_probable_hour_is_the_highest_one() -> None:
    sharp, flat = (
        daily(paths(wave(24, size), LEVELS, NO_RANKS), wave(24, size), LEVELS, np.arange(24)) for size in (400, 0)
    )
    assert sharp.hour_NK.argmax() == 18
    assert sharp.hour_NK.max() > 0.5
    assert flat.hour_NK.max() < 0.3


# ---- a forecast ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "hours"), [("2014-10-05", 23), ("2014-10-06", 24), ("2014-04-06", 25)])
@pytest.mark.parametrize("step", ["1h", "10min"])
def test_days_of_all_lengths(day: str, hours: int, step: str) -> None:
    ds = periods(day, MELBOURNE, step)
    quantiles = wave(len(ds))
    told = Daily.from_forecast(said(quantiles[None], [ds]), np.empty((0, len(ds))), {"a": MELBOURNE})
    row = told.frame.iloc[0]
    assert len(told.frame) == 1
    assert (row["day"], row["hours"]) == (day, pytest.approx(hours))
    assert (row[PEAKS].to_numpy(float) >= quantiles.max(0)).all()
    assert row[ENERGIES].to_numpy(float)[4] == pytest.approx(500 * hours, rel=0.01)
    assert row[HOUR_COLUMNS].sum() == pytest.approx(1)
    skipped = {"2014-10-05": "peak_at_2"}.get(day)
    assert skipped is None or row[skipped] == 0


def test_a_repeated_hour_counts_once() -> None:
    ds = periods("2014-04-06", MELBOURNE, "1h")
    quantiles = np.full((25, 9), 100.0) + NORMAL
    quantiles[[2, 3]] += 100  # both hours that the clock calls 2
    row = Daily.from_forecast(said(quantiles[None], [ds]), NO_RANKS, {"a": MELBOURNE}).frame.iloc[0]
    assert (row["peak_hour"], row["peak_at_2"]) == (2, 1.0)


def test_only_whole_days_unless_asked() -> None:
    ds = pd.date_range("2024-05-01 10:00", periods=48, freq="1h", tz="UTC")
    forecast = said(wave(48)[None], [ds])
    assert Daily.from_forecast(forecast, NO_RANKS).frame["day"].tolist() == ["2024-05-02"]
    told = Daily.from_forecast(forecast, NO_RANKS, whole=False).frame
    assert told["day"].tolist() == ["2024-05-01", "2024-05-02", "2024-05-03"]
    assert told["hours"].tolist() == [14.0, 24.0, 10.0]
    with pytest.raises(RequestError, match="whole delivery day"):
        Daily.from_forecast(said(wave(20)[None], [ds[:20]]), NO_RANKS)


@pytest.mark.parametrize("step", ["1h", "30min", "10min"])
def test_a_day_with_a_missing_period_is_not_whole(step: str) -> None:
    ds = pd.date_range("2024-05-01", "2024-05-03", freq=step, tz="UTC", inclusive="left")
    forecast = said(wave(len(ds))[None], [ds])
    for lost in (len(ds) - 1, len(ds) // 2 + 1):
        holed = replace(forecast, frame=forecast.frame.drop(index=lost))
        assert Daily.from_forecast(holed, NO_RANKS).frame["day"].tolist() == ["2024-05-01"]
        actual = holed.frame.assign(y=1.0)
        assert day_outcomes(actual, "MW")["day"].tolist() == ["2024-05-01"]


def test_a_day_of_half_hours_at_lord_howe_is_whole_in_hours() -> None:
    start, end = delivery_day("2014-10-05", "Australia/Lord_Howe")
    ds = pd.date_range(start, end, freq="1h", inclusive="left")[:23]
    told = Daily.from_forecast(said(wave(23)[None], [ds]), NO_RANKS, {"a": "Australia/Lord_Howe"})
    assert told.frame["hours"].tolist() == [23.0]


def test_the_columns_of_the_history_are_steps_after_the_cutoff() -> None:
    """A gate at 10:00 for the next day: that day's steps are 14 to 37, and only those columns of the ranks matter."""
    rng = np.random.default_rng(0)
    ranks = np.tile(rng.uniform(0.01, 0.99, (300, 1)), (1, 38))
    ranks[:, :14] = rng.uniform(0.01, 0.99, (300, 14))
    cutoff = pd.Timestamp("2024-05-01 10:00", tz="UTC")
    ds = pd.date_range("2024-05-02", periods=24, freq="1h", tz="UTC")
    gated = Daily.from_forecast(said(wave(24)[None], [ds], cutoffs=[cutoff]), ranks)
    together = Daily.added_up(said(wave(24)[None], [ds], cutoffs=[cutoff]))
    first = Daily.from_forecast(said(wave(24)[None], [ds]), ranks)
    spread = [float(np.ptp(told.frame[ENERGIES].to_numpy())) for told in (gated, together, first)]
    assert spread[0] > 0.9 * spread[1]
    assert spread[2] < 0.85 * spread[1]


@pytest.mark.parametrize(
    ("unit", "factor", "energy"), [("MW", 1.0, "MWh"), ("kW", 1.0, "kWh"), ("MWh", 0.5, "MWh"), ("kWh", 0.5, "kWh")]
)
def test_energy_is_said_in_its_unit_whatever_the_forecasts(unit: str, factor: float, energy: str) -> None:
    """Half-hours of 500 MW are 250 MWh each: the day's energy is 12,000 MWh however the forecast says it."""
    ds = periods("2024-05-01", "UTC", "30min")
    flat = (500 + NORMAL * 1e-6) * factor
    told = Daily.from_forecast(said(np.tile(flat, (1, 48, 1)), [ds], unit=unit), np.empty((0, 48)))
    assert (told.unit, told.energy_unit) == (unit, energy)
    np.testing.assert_allclose(told.frame[ENERGIES].to_numpy(), 12_000, rtol=1e-6)
    np.testing.assert_allclose(told.frame[PEAKS].to_numpy(), 500 * factor, rtol=1e-6)


def test_the_hours_added_up_are_sums_and_maxima_of_quantiles() -> None:
    ds = pd.date_range("2024-05-01", periods=24, freq="1h", tz="UTC")
    quantiles = wave(24) + np.random.default_rng(0).uniform(0, 3, (24, 1))
    row = Daily.added_up(said(quantiles[None], [ds])).frame.iloc[0]
    np.testing.assert_allclose(row[ENERGIES].to_numpy(float), quantiles.sum(0))
    np.testing.assert_array_equal(row[PEAKS].to_numpy(float), quantiles.max(0))


def test_shuffled_rows_and_company_change_nothing() -> None:
    ds = [pd.date_range(f"2024-05-0{day}", periods=24, freq="1h", tz="UTC") for day in (1, 2, 3)]
    alone = Daily.from_forecast(said(wave(24)[None], ds[1:2]), NO_RANKS, {"a": MELBOURNE}, whole=False)
    frames = [said(np.stack([wave(24)] * 3), ds, series=name).frame for name in ("b", "a")]
    mixed = pd.concat(frames).sample(frac=1, random_state=0).reset_index(drop=True)
    zones = {"a": MELBOURNE, "b": "UTC"}
    told = Daily.from_forecast(Forecast(mixed, "MW", "test"), NO_RANKS, zones, whole=False).frame
    own = told[(told["unique_id"] == "a") & (told["cutoff"] == ds[1][0])].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, alone.frame)
    assert (told["unique_id"] == "b").sum() == 3  # days of their own zone


def test_seeds_and_ranks_by_series() -> None:
    ds = [pd.date_range("2024-05-01", periods=24, freq="1h", tz="UTC")]
    forecast = said(wave(24)[None], ds)
    ranks = np.random.default_rng(0).uniform(0.01, 0.99, (200, 24))
    first, again, other = (Daily.from_forecast(forecast, ranks, seed=seed).frame for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    pd.testing.assert_frame_equal(Daily.from_forecast(forecast, {"a": ranks}).frame, first)
    with pytest.raises(DataError, match=r"'a'.*no history of ranks"):
        Daily.from_forecast(forecast, {"b": ranks})


def test_what_cannot_be_read_is_refused() -> None:
    ds = [pd.date_range("2024-05-01", periods=24, freq="1h", tz="UTC")]
    forecast = said(wave(24)[None], ds)
    median = replace(forecast, frame=forecast.frame[["unique_id", "cutoff", "ds", "mean", "q0.5"]])
    with pytest.raises(RequestError, match=r"single level 0\.5"):
        Daily.from_forecast(median, NO_RANKS)
    with pytest.raises(RequestError, match="5 paths"):
        Daily.from_forecast(forecast, NO_RANKS, count=5)
    with pytest.raises(DeclarationError, match="zone"):
        Daily.from_forecast(forecast, NO_RANKS, {"b": "UTC"})
    with pytest.raises(RequestError, match="single period"):
        Daily.from_forecast(said(wave(24)[None, :1], [ds[0][:1]]), NO_RANKS)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"peak_q0.9": -1.0}, "cross"),
        ({"energy_q0.5": np.nan}, "not finite"),
        ({"peak_at_3": 0.7}, "add up to 1"),
        ({"cutoff": pd.Timestamp("2024-05-01")}, "no zone"),
        ({"day": "2024-05-01"}, "twice"),
    ],
)
def test_the_table_is_checked_at_birth(change: dict[str, object], text: str) -> None:
    ds = pd.date_range("2024-05-01", periods=48, freq="1h", tz="UTC")
    told = Daily.from_forecast(said(wave(48)[None], [ds]), NO_RANKS)
    with pytest.raises(DataError, match=text):
        replace(told, frame=told.frame.assign(**change))
    with pytest.raises(DataError, match="peak_hour"):
        replace(told, frame=told.frame.drop(columns="peak_hour"))


# ---- scores -------------------------------------------------------------------------------------------------------


def test_outcomes_of_whole_days_by_hand() -> None:
    ds = pd.date_range("2024-05-01", periods=96, freq="30min", tz="UTC")
    y = np.full(96, 10.0)
    y[37], y[60] = 30.0, np.nan
    actual = pd.DataFrame({"unique_id": "a", "ds": ds, "y": y})
    told = day_outcomes(pd.concat([actual, actual]), "MW")
    assert told.to_dict("records") == [
        {"unique_id": "a", "day": "2024-05-01", "hours": 24.0, "peak": 30.0, "energy": 250.0, "peak_hour": 18}
    ]
    assert day_outcomes(actual, "MWh")["energy"].tolist() == [500.0]
    with pytest.raises(DataError, match="measured as a whole"):
        day_outcomes(actual.iloc[60:].assign(y=np.nan), "MW")


def test_outcomes_follow_the_zone() -> None:
    start, end = delivery_day("2014-10-05", MELBOURNE)
    ds = pd.date_range(start, end, freq="1h", inclusive="left")
    actual = pd.DataFrame({"unique_id": "a", "ds": ds, "y": np.arange(23.0)})
    assert day_outcomes(actual, "MW", {"a": MELBOURNE})[["hours", "peak_hour"]].to_numpy().tolist() == [[23.0, 23.0]]


def test_nothing_in_common_cannot_be_scored() -> None:
    ds = pd.date_range("2024-05-01", periods=24, freq="1h", tz="UTC")
    told = Daily.from_forecast(said(wave(24)[None], [ds]), NO_RANKS)
    actual = pd.DataFrame({"unique_id": "a", "ds": ds + pd.Timedelta(days=1), "y": 1.0})
    with pytest.raises(DataError, match="both forecast and measured"):
        score_days(told, day_outcomes(actual, "MW"))


def drifting(rng: np.random.Generator, days: int, persistence: float) -> np.ndarray:
    """Hourly demand around `wave(24)`: errors of a first-order autoregression."""
    error = rng.normal(size=(days, 24))
    for step in range(1, 24):
        error[:, step] = persistence * error[:, step - 1] + np.sqrt(1 - persistence**2) * error[:, step]
    return wave(24)[:, 4] + 20 * error


def test_paths_are_calibrated_where_the_hours_added_up_are_not() -> None:
    rng = np.random.default_rng(0)
    past, future = drifting(rng, 600, 0.7), drifting(rng, 2000, 0.7)
    ranks = rank_outcomes(np.broadcast_to(wave(24), (600, 24, 9)), LEVELS, past, np.ones(past.shape, bool))
    clock = pd.date_range("2019-01-01", periods=2000 * 24, freq="1h", tz="UTC")
    ds = [clock[begin : begin + 24] for begin in range(0, len(clock), 24)]
    actual = pd.DataFrame({"unique_id": "a", "ds": clock, "y": future.ravel()})
    forecast = said(np.broadcast_to(wave(24), (2000, 24, 9)), ds)
    figures = compare_days(forecast, actual, ranks)
    coherent, naive = figures.loc["coherent paths"], figures.loc["hours added up"]
    assert coherent["n"] == naive["n"] == 2000
    assert 0.76 <= coherent["energy_coverage_80"] <= 0.84
    assert naive["energy_coverage_80"] > 0.93
    assert 0.76 <= coherent["peak_coverage_80"] <= 0.84
    assert 0.07 <= coherent["peak_below_80"] <= 0.13
    assert 0.07 <= coherent["peak_above_80"] <= 0.13
    # The naive peak is too low as a whole; that its two mistakes nearly add up to 20 % is an accident.
    assert naive["peak_below_80"] < 0.03
    assert naive["peak_above_80"] > 0.18
    assert coherent["energy_pinball"] < 0.97 * naive["energy_pinball"]
    assert coherent["peak_pinball"] < 0.95 * naive["peak_pinball"]
