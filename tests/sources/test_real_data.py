"""The three real tables, with the few options that a user declares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast import clock
from forecast.errors import DataError
from forecast.sources import Declaration, check, read

VICTORIA = "victoria_2012_2014_halfhourly.parquet"
TETOUAN = "tetouan_2017_10min.parquet"
EIA = "eia930_2015_2019_hourly.parquet"


def test_victoria(shared_data: Path) -> None:
    declared = Declaration(zone="Australia/Melbourne", known="temperature,holiday", country="AU-VIC")
    demand = read(shared_data / VICTORIA, declared)
    assert (len(demand.series[0]), demand.step) == (52_608, pd.Timedelta("30min"))
    report = check(shared_data / VICTORIA, declared)
    assert report.findings == ()
    assert [day.isoformat() for day in report.series[0].long_days] == ["2012-04-01", "2013-04-07", "2014-04-06"]


@pytest.mark.parametrize("stamp_zone", ["Australia/Melbourne", "+10:00"])
def test_victoria_as_a_local_csv_comes_back(shared_data: Path, tmp_path: Path, stamp_zone: str) -> None:
    table = pd.read_parquet(shared_data / VICTORIA)
    local = table["timestamp"].dt.tz_convert(clock.zone(stamp_zone)).dt.tz_localize(None)
    table.assign(timestamp=local).to_csv(tmp_path / "v.csv", index=False, sep=";", decimal=",")
    declared = Declaration(zone="Australia/Melbourne", known="temperature,holiday")
    told = declared.model_copy(update={"stamp_zone": stamp_zone, "decimal": ","})
    assert read(tmp_path / "v.csv", told).digest == read(shared_data / VICTORIA, declared).digest


def test_tetouan(shared_data: Path) -> None:
    declared = Declaration(series="series_id", unit="kW", zone="+01:00", past="temperature,humidity")
    demand = read(shared_data / TETOUAN, declared)
    assert [(one.unique_id, len(one)) for one in demand.series] == [(f"zone{n}", 52_416) for n in (1, 2, 3)]
    assert demand.step == pd.Timedelta("10min")
    assert demand.series[0].start == pd.Timestamp("2016-12-31T23:00Z")
    with pytest.raises(DataError, match=r"never occurred in Africa/Casablanca.*--stamp-zone"):
        read(shared_data / TETOUAN, declared.model_copy(update={"zone": "Africa/Casablanca"}))


def test_a_city_of_the_eia(shared_data: Path) -> None:
    declared = Declaration(series="series_id", only="SCL", stamp="end", zone="America/Los_Angeles")
    demand = read(shared_data / EIA, declared)
    table = pd.read_parquet(shared_data / EIA)
    city = table[table["series_id"] == "SCL"]
    (one,) = demand.series
    assert one.start == city["timestamp"].iloc[0] - pd.Timedelta("1h")
    np.testing.assert_array_equal(one.values_TC[:, 0], city["demand"].to_numpy())
    assert check(shared_data / EIA, declared).ok
