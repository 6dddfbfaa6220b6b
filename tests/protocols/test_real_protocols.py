"""The protocols on the real tables: row counts and check figures by plain arithmetic, not by the product's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast import protocols
from forecast.errors import DataError
from forecast.protocols.eia import OPERATOR, ZONES, operator_mape
from forecast.tables import Demand

VICTORIA = "victoria_2012_2014_halfhourly.parquet"
TETOUAN = "tetouan_2017_10min.parquet"
EIA = "eia930_2015_2019_hourly.parquet"


def hours(table: pd.DataFrame) -> dict[int, float]:
    """Unix hour -> mean of its two half-hours."""
    seconds = table["timestamp"].astype("int64").to_numpy() // 10**9
    number, places = np.unique(seconds // 3600, return_inverse=True)
    sums = np.bincount(places, weights=table["demand"].to_numpy())
    assert (np.bincount(places) == 2).all()
    return dict(zip(number.tolist(), (sums / 2).tolist(), strict=True))


def error(load: dict[int, float], wanted: list[int], back: int) -> float:
    return float(np.mean([abs(load[hour] - load[hour - back]) for hour in wanted]))


@pytest.mark.parametrize("protocol", [protocols.VIC_A, protocols.VIC_B])
def test_half_a_year_of_victoria(protocol: protocols.Protocol, shared_data: Path) -> None:
    load = hours(pd.read_parquet(shared_data / VICTORIA))
    # Midnight in Melbourne is 14:00 UTC, and 13:00 UTC from 5 October (the first day after is the 6th).
    first = int(pd.Timestamp("2014-06-30T14:00Z").timestamp()) // 3600
    cutoffs = [first + 24 * day - (day > 96) for day in range(184)]
    wanted = [cutoff + lead for cutoff in cutoffs for lead in range(24)]
    assert len(wanted) == protocol.scored == 4416
    assert round(error(load, wanted, 24), 1) == 323.7
    assert round(error(load, wanted, 168), 1) == 252.1

    demand = protocol.read(shared_data / VICTORIA)
    plan = protocol.plan(demand)
    assert [cutoff.value // 3600 // 10**9 for cutoff in plan.cutoffs] == cutoffs
    assert plan.horizon == 24
    (one,) = demand.series
    start = one.start.value // 3600 // 10**9
    np.testing.assert_allclose(one.values_TC[:, 0], [load[start + row] for row in range(len(one))], rtol=1e-6)
    proved = protocols.prove(protocol, demand)
    assert proved["mae"].round(1).to_dict() == {"day": 323.7, "week": 252.1}
    assert ("temperature" in demand.columns.known) == (protocol is protocols.VIC_A)


def test_the_december_that_skforecast_publishes(shared_data: Path) -> None:
    table = pd.read_parquet(shared_data / VICTORIA).set_index("timestamp")["demand"]
    published = table.resample("1h", closed="left", label="right").mean()
    stamps = pd.date_range("2014-12-01T00:00Z", "2014-12-30T23:00Z", freq="1h")
    day_before = published.reindex(stamps - pd.Timedelta("24h")).to_numpy()
    assert len(stamps) == protocols.VIC_DEC.scored == 720
    assert round(float(np.abs(published.reindex(stamps).to_numpy() - day_before).mean()), 1) == 308.4

    demand = protocols.VIC_DEC.read(shared_data / VICTORIA)
    plan = protocols.VIC_DEC.plan(demand)
    assert len(plan.cutoffs) == 30
    ends = (plan.cutoffs[0], plan.cutoffs[-1] + (plan.horizon - 1) * demand.step)
    assert [f"{stamp:%Y-%m-%dT%H:%MZ}" for stamp in ends] == ["2014-11-30T23:00Z", "2014-12-30T22:00Z"]
    (one,) = demand.series
    ours = pd.Series(one.values_TC[:, 0], demand.stamps(one) + demand.step)
    # The stamp says the end of the hour: 00:00 is the mean of the half-hours that start at 23:00 and 23:30.
    half = table[["2014-11-30T23:00Z", "2014-11-30T23:30Z"]]
    assert ours["2014-12-01T00:00Z"] == pytest.approx(half.mean(), rel=1e-6)
    np.testing.assert_allclose(ours.reindex(stamps), published.reindex(stamps), rtol=1e-6)
    assert round(float(protocols.prove(protocols.VIC_DEC, demand).loc["day", "mae"]), 1) == 308.4


def test_tetouan(shared_data: Path) -> None:
    table = pd.read_parquet(shared_data / TETOUAN)
    found = {}
    for name, part in table.groupby("series_id"):
        y = part["demand"].to_numpy(dtype=float)
        wanted = np.flatnonzero(part["timestamp"].between("2017-11-01 00:00", "2017-12-29 23:50"))
        assert len(wanted) == 59 * 144
        found[name] = [round(float(np.abs(y[wanted] - y[wanted - back]).mean()), 1) for back in (144, 7 * 144)]
    assert found == {"zone1": [975.2, 892.1], "zone2": [1141.4, 992.0], "zone3": [701.6, 1298.9]}

    demand = protocols.TET.read(shared_data / TETOUAN)
    plan = protocols.TET.plan(demand)
    assert (f"{plan.cutoffs[0]:%Y-%m-%dT%H:%MZ}", len(plan.cutoffs), plan.horizon) == ("2017-10-31T23:00Z", 59, 144)
    assert demand.columns.known == ()
    assert demand.unit == "kW"
    proved = protocols.prove(protocols.TET, demand)
    assert proved.loc["day", "mae_zone3"] == pytest.approx(701.6, abs=0.05)


@pytest.fixture(scope="module")
def table(shared_data: Path) -> pd.DataFrame:
    table = pd.read_parquet(shared_data / EIA)
    return table.assign(series_id=table["series_id"].astype(str))


@pytest.fixture(scope="module")
def demand(shared_data: Path) -> Demand:
    return protocols.EIA_33_PLUS.read(shared_data / EIA)


def test_the_33_series_are_those_of_the_list(shared_data: Path) -> None:
    listed = pd.read_csv(shared_data / "eia930_series.csv")
    chosen = listed[listed["recommended"] & listed["forecast_usable"]]["series_id"]
    assert sorted(chosen) == sorted(ZONES)
    assert len(ZONES) == 33
    assert "PJM" not in ZONES


def test_rows_and_figures(table: pd.DataFrame, demand: Demand, shared_data: Path) -> None:
    stamps = pd.date_range("2019-07-01T07:00Z", "2019-12-31T06:00Z", freq="1h")
    assert len(stamps) == 183 * 24
    errors, operators, rows = {}, {}, 0
    for name in ZONES:
        part = table[table["series_id"] == name].set_index("timestamp")
        test = part.reindex(stamps)
        y = test["demand"].where(test["screen_flag"].astype(str) == "OKAY").to_numpy(dtype=float)
        rows += int(np.isfinite(y).sum())
        before = part["demand"].reindex(stamps - pd.Timedelta("24h")).to_numpy(dtype=float)
        errors[name] = 100 * np.nanmean(np.abs(before - y) / y)
        operators[name] = 100 * np.nanmean(np.abs(test["tso_forecast"].to_numpy(dtype=float) - y) / y)
    assert rows == protocols.EIA_33.scored == 143_850
    assert round(float(np.median(list(operators.values()))), 2) == 3.22
    assert round(float(np.mean(list(operators.values()))), 2) == 3.63
    # Uncleaned, a few wild readings stand among the day-before values.
    assert np.median(list(errors.values())) == pytest.approx(5.55, abs=0.005)

    truth = protocols.EIA_33.truth(shared_data / EIA)  # type: ignore[misc]
    span = truth["ds"].between("2019-07-01T06:00Z", "2019-12-31T05:00Z")
    assert operator_mape(truth[span]).to_dict() == pytest.approx(operators, rel=1e-4)
    proved = protocols.prove(protocols.EIA_33, demand, truth)
    assert round(float(proved.loc["day", "mape_median"]), 2) == 5.52
    assert float(proved.loc["day", "mape_mean"]) == pytest.approx(5.73, abs=0.06)
    assert float(proved.loc["week", "mape_median"]) == pytest.approx(8.34, abs=0.06)


def test_stamps_are_moved_to_the_start_and_few_readings_are_cleaned(table: pd.DataFrame, demand: Demand) -> None:
    assert demand.columns.known == (OPERATOR,)
    assert demand.zones == ZONES
    removed = total = 0
    for one in demand.series:
        raw = table[table["series_id"] == one.unique_id]
        assert one.start == raw["timestamp"].iloc[0] - pd.Timedelta("1h")
        reported, ours = raw["demand"].to_numpy(), one.values_TC[:, 0]
        kept = np.isfinite(ours)
        np.testing.assert_array_equal(ours[kept], reported[kept])
        removed, total = removed + int((np.isfinite(reported) & ~kept).sum()), total + len(raw)
    assert 0.0005 < removed / total < 0.005


def test_civil_zones_put_the_night_where_it_is(demand: Demand) -> None:
    for one in demand.series:
        local = demand.stamps(one).tz_convert(one.zone)
        by_hour = pd.Series(one.values_TC[:, 0]).groupby(local.hour).mean()
        assert by_hour.idxmin() in (1, 2, 3, 4), one.unique_id


def test_the_list_must_lie_beside_the_table(tmp_path: Path, shared_data: Path) -> None:
    (tmp_path / EIA).symlink_to(shared_data / EIA)
    with pytest.raises(DataError, match=r"the list of series .*eia930_series\.csv cannot be read"):
        protocols.EIA_33.read(tmp_path / EIA)
