"""Figures from a walk's table: one row per model, slices by clock and lead, several series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import metrics
from forecast.calendars import cutoffs, delivery_day
from forecast.clock import zone
from forecast.errors import DataError, DeclarationError

MELBOURNE = "Australia/Melbourne"
LEVELS = [round(0.1 * k, 1) for k in range(1, 10)]
QUANTILES = [f"q{level:g}" for level in LEVELS]
HOUR = pd.Timedelta(hours=1)


def walk(
    model: str,
    days: pd.DatetimeIndex,
    *,
    series: str = "north",
    size: float = 100.0,
    seed: int = 0,
    quantiles: bool = True,
    horizon: int = 24,
) -> pd.DataFrame:
    """A walk of hourly forecasts with normal errors around a daily wave."""
    rows = pd.DataFrame(
        [(series, cutoff + lead * HOUR, cutoff) for cutoff in days for lead in range(horizon)],
        columns=["unique_id", "ds", "cutoff"],
    )
    hours = ((rows["ds"] - pd.Timestamp("2014-01-01", tz="UTC")) / HOUR).to_numpy()
    rows["y"] = size * (10 + np.sin(hours / 24 * 2 * np.pi) + 0.01 * np.sin(hours))
    centre = rows["y"] + np.random.default_rng(seed).normal(0, size / 5, len(rows))
    rows = rows.assign(model=model, mean=centre + size / 50)
    spread = np.linspace(-0.26, 0.26, 9) * size
    for name, shift in zip(QUANTILES, spread, strict=True):
        rows[name] = centre + shift if quantiles else np.nan
    return rows


DAYS = cutoffs("2014-10-01", "2014-10-14", "1d", MELBOURNE)
ZONES = {"north": MELBOURNE, "south": MELBOURNE}


def test_a_score_of_one_series_is_the_array_functions_over_its_rows() -> None:
    table = walk("lstm", DAYS)
    table.loc[[3, 40], "y"] = np.nan
    figures = metrics.score(table, scales={"north": 50.0}, zones=ZONES).loc["lstm"]
    y, low, high = table["y"], table["q0.1"], table["q0.9"]
    assert figures["mae"] == pytest.approx(metrics.mae(y, table["q0.5"]))
    assert figures["rmse"] == pytest.approx(metrics.rmse(y, table["mean"]))
    assert figures["mape"] == pytest.approx(metrics.mape(y, table["q0.5"]))
    assert figures["wape"] == pytest.approx(metrics.wape(y, table["q0.5"]))
    assert figures["mase"] == pytest.approx(figures["mae"] / 50)
    assert figures["bias"] == pytest.approx(metrics.bias(y, table["mean"]))
    assert figures["pinball"] == pytest.approx(metrics.mean_pinball(y, table[QUANTILES], LEVELS))
    assert figures["scaled_pinball"] == pytest.approx(figures["pinball"] / 50)
    assert figures["coverage_80"] == pytest.approx(metrics.coverage(y, low, high))
    assert figures["width_80"] == pytest.approx(0.52 * 100)
    assert figures["winkler_80"] == pytest.approx(metrics.winkler(y, low, high, 0.2))
    assert figures["n"] == 14 * 24 - 2
    assert tuple(figures.index) == (*metrics.FIGURES, "n")


def test_several_series_count_alike_whatever_their_size() -> None:
    small, large = walk("lstm", DAYS), walk("lstm", DAYS[:5], series="south", size=1e5, seed=1)
    table = pd.concat([small, large])
    figures = metrics.score(table, scales={"north": 50.0, "south": float("nan")}, zones=ZONES).loc["lstm"]
    apart = [metrics.score(one, scales={"north": 50.0}, zones=ZONES).loc["lstm"] for one in (small, large)]
    assert figures["mape"] == pytest.approx((apart[0]["mape"] + apart[1]["mape"]) / 2)
    assert figures["mae"] == pytest.approx((apart[0]["mae"] + apart[1]["mae"]) / 2)
    assert figures["mase"] == pytest.approx(apart[0]["mase"])
    assert figures["n"] == len(table)
    by_series = metrics.score_by_series(table, zones=ZONES)
    assert by_series[["model", "unique_id"]].to_numpy().tolist() == [["lstm", "north"], ["lstm", "south"]]


def test_a_model_without_quantiles_is_judged_by_its_only_forecast() -> None:
    table = pd.concat([walk("gru", DAYS), walk("naive", DAYS, seed=2, quantiles=False)])
    figures = metrics.score(table, zones=ZONES)
    assert list(figures.index) == ["gru", "naive"]
    naive = table[table["model"] == "naive"]
    assert figures.loc["naive", "mae"] == pytest.approx(metrics.mae(naive["y"], naive["mean"]))
    assert figures.loc["naive", ["pinball", "coverage_80", "width_80", "winkler_80", "mase"]].isna().all()
    assert figures.loc["naive", "n"] == 14 * 24
    alone = metrics.score(naive.drop(columns=QUANTILES), zones=ZONES).loc["naive"]
    pd.testing.assert_series_equal(alone, figures.loc["naive"])


def test_a_median_missing_in_one_row_is_missing_and_not_replaced_by_the_mean() -> None:
    table = walk("gru", DAYS)
    table.loc[0, "q0.5"] = np.nan
    table.loc[0, "mean"] = 1e9
    assert metrics.score(table).loc["gru", "mae"] < 100
    assert metrics.score(table).loc["gru", "n"] == 14 * 24 - 1


def test_peaks_are_those_of_the_civil_day_in_the_series_zone() -> None:
    table = walk("lstm", DAYS)
    expected, moved = [], []
    for day in pd.date_range("2014-10-01", "2014-10-14"):
        start, end = delivery_day(day.date(), MELBOURNE)
        civil = table[(table["ds"] >= start) & (table["ds"] < end) & (table["cutoff"] == start)]
        assert len(civil) == (23 if day.day == 5 else 24)
        peak = civil.loc[civil["y"].idxmax()]
        expected.append(abs(peak["y"] - peak["q0.5"]))
        moved.append(abs((civil.loc[civil["q0.5"].idxmax(), "ds"] - peak["ds"]) / HOUR))
    figures = metrics.score(table, zones=ZONES).loc["lstm"]
    assert figures["peak_mae"] == pytest.approx(np.mean(expected))
    assert figures["peak_time_hours"] == pytest.approx(np.mean(moved))
    by_clock = metrics.score(table, zones={"north": zone(MELBOURNE)}).loc["lstm"]
    pd.testing.assert_series_equal(by_clock, figures)
    assert metrics.score(table).loc["lstm", "peak_mae"] != figures["peak_mae"]


def test_no_peak_is_judged_on_a_part_of_a_day() -> None:
    figures = metrics.score(walk("lstm", DAYS, horizon=12), zones=ZONES).loc["lstm"]
    assert np.isnan(figures["peak_mae"])
    assert np.isnan(figures["peak_time_hours"])
    assert figures["mae"] > 0


def test_a_constant_series_has_missing_scaled_figures() -> None:
    table = walk("lstm", DAYS).assign(y=0.0)
    figures = metrics.score(table, scales={"north": metrics.seasonal_scale(np.zeros(500), 24)}).loc["lstm"]
    assert figures[["mase", "scaled_pinball", "mape", "wape"]].isna().all()
    assert np.isfinite(figures["mae"])


def test_categories_and_other_stamp_units_change_nothing() -> None:
    table = walk("lstm", DAYS)
    other = table.astype({"model": "category", "unique_id": "category"})
    for name in ("ds", "cutoff"):
        other[name] = other[name].dt.as_unit("us")
    pd.testing.assert_frame_equal(metrics.score(other, zones=ZONES), metrics.score(table, zones=ZONES))
    pd.testing.assert_frame_equal(
        metrics.sliced(other, "hour", zones=ZONES), metrics.sliced(table, "hour", zones=ZONES)
    )


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda table: table.drop(columns=["y", "cutoff"]), "no column cutoff, y"),
        (lambda table: table.iloc[:0], "no rows"),
        (lambda table: table.assign(ds=table["ds"].dt.tz_localize(None)), "not aware times"),
        (lambda table: pd.concat([table, table.iloc[:2]]), "2 rows repeat"),
    ],
)
def test_a_table_that_cannot_be_scored_is_refused(spoil, text: str) -> None:
    for judge in (metrics.score, metrics.row_losses):
        with pytest.raises(DataError, match=text):
            judge(spoil(walk("lstm", DAYS)))


def test_a_series_without_a_zone_is_refused() -> None:
    with pytest.raises(DeclarationError, match="no zone is declared for series north"):
        metrics.score(walk("lstm", DAYS), zones={"south": "UTC"})


def test_slices_by_lead() -> None:
    table = pd.concat([walk("gru", DAYS), walk("lstm", DAYS, seed=3)])
    slices = metrics.sliced(table, "lead")
    assert list(slices.columns) == ["model", "slice", "mae", "bias", "coverage_80", "pinball", "n"]
    assert slices["model"].tolist() == ["gru"] * 24 + ["lstm"] * 24
    assert slices["slice"].tolist() == [*range(24)] * 2
    part = table[(table["model"] == "lstm") & (table["ds"] - table["cutoff"] == 7 * HOUR)]
    row = slices[(slices["model"] == "lstm") & (slices["slice"] == 7)].iloc[0]
    assert row["mae"] == pytest.approx(metrics.mae(part["y"], part["q0.5"]))
    assert row["bias"] == pytest.approx(metrics.bias(part["y"], part["mean"]))
    assert row["coverage_80"] == pytest.approx(metrics.coverage(part["y"], part["q0.1"], part["q0.9"]))
    assert row["pinball"] == pytest.approx(metrics.mean_pinball(part["y"], part[QUANTILES], LEVELS))
    assert row["n"] == 14


def test_slices_by_hour_follow_the_local_clock_across_its_change() -> None:
    slices = metrics.sliced(walk("gru", DAYS), "hour", zones=ZONES).set_index("slice")
    counts = dict.fromkeys(range(24), 14)
    counts.update({2: 13, 0: 15})  # 5 October has no hour 2; its 24th hour is the first of the 6th
    assert slices["n"].to_dict() == counts
    elsewhere = metrics.sliced(walk("gru", DAYS), "hour", zones={"north": "+05:30"})
    assert elsewhere["n"].sum() == 14 * 24


def test_slices_by_day_type_and_season_read_the_local_date() -> None:
    kinds = metrics.sliced(walk("gru", DAYS), "day_type", zones=ZONES).set_index("slice")["n"]
    assert kinds.to_dict() == {"weekday": 10 * 24 + 1, "Saturday": 48, "Sunday": 47}
    assert kinds.index.tolist() == ["weekday", "Saturday", "Sunday"]
    turn = cutoffs("2014-11-30", "2014-12-01", "1d", MELBOURNE)
    seasons = metrics.sliced(walk("gru", turn), "season", zones=ZONES).set_index("slice")["n"]
    assert seasons.to_dict() == {"Dec-Feb": 24, "Sep-Nov": 24}
    in_utc = metrics.sliced(walk("gru", turn), "season").set_index("slice")["n"]
    assert in_utc.to_dict() == {"Dec-Feb": 13, "Sep-Nov": 35}


def test_slices_by_temperature_stand_in_their_order() -> None:
    table = walk("gru", DAYS[:1])
    degrees = np.linspace(-6, 12, 24)
    degrees[5] = np.nan
    slices = metrics.sliced(table, "temperature_band", temperature=degrees)
    assert slices["slice"].tolist() == ["-10 to -5", "-5 to 0", "0 to 5", "5 to 10", "10 to 15", "unknown"]
    assert slices["n"].tolist() == [2, 5, 7, 6, 3, 1]
    with pytest.raises(DeclarationError, match="without temperatures"):
        metrics.sliced(table, "temperature_band")
    with pytest.raises(DataError, match="beside 24 rows"):
        metrics.sliced(table, "temperature_band", temperature=[1.0])


def test_slices_average_the_series_and_name_them() -> None:
    table = pd.concat([walk("gru", DAYS), walk("gru", DAYS[:5], series="south", size=1e4, seed=5)])
    by_series = metrics.sliced(table, "series").set_index("slice")
    assert by_series["n"].to_dict() == {"north": 336, "south": 120}
    lead = metrics.sliced(table, "lead").set_index("slice").loc[3]
    parts = [metrics.sliced(part, "lead").set_index("slice").loc[3] for _, part in table.groupby("unique_id")]
    assert lead["mae"] == pytest.approx((parts[0]["mae"] + parts[1]["mae"]) / 2)


def test_an_unknown_slice_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DeclarationError, match="'moon' are not known; expected one of lead, hour"):
        metrics.sliced(walk("gru", DAYS), "moon")
