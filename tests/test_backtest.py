"""Walking forward: who learns what when, which periods are reported, and nothing unmeasured is scored."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from forecast.backtest import Plan, Walk, walk
from forecast.errors import DeclarationError, NotEnoughHistory
from forecast.recipe import FeatureConfig, Task
from forecast.recipes import named
from forecast.tables import Columns, Demand
from forecast.training import Fitted, fit
from tests.builders import long_frame, make_demand, utc

ZONE = "Australia/Melbourne"
HOUR = pd.Timedelta("1h")
NAIVE = partial(fit, recipe=named("seasonal_naive_week"), task=Task(horizon=24))
FEW = FeatureConfig(reach_days=8, same_hour_days=2, knots=2)
RIDGE = partial(
    fit, recipe=named("ridge").model_copy(update={"features": FEW}), task=Task(horizon=24, every="1d", clock="+11:00")
)


class Watched:
    """A fit that remembers what it was shown."""

    def __init__(self) -> None:
        self.tables: list[Demand] = []

    def __call__(self, demand: Demand) -> Fitted:
        self.tables.append(demand)
        return NAIVE(demand)


def demand(days: int = 60, **options: object) -> Demand:
    return make_demand(long_frame(days=days, zone=ZONE, **options), zone=ZONE)  # type: ignore[arg-type]


def daily(start: str = "2024-03-01", end: str = "2024-03-06") -> Plan:
    return Plan.of(start, end, "1d", ZONE, HOUR, horizon=24)


def test_never_refitted_learns_once_from_before_the_first_cutoff() -> None:
    watched = Watched()
    said = walk(demand(), {"naive": watched}, daily())
    (table,) = watched.tables
    assert table.known_until == pd.Timestamp("2024-03-01", tz=ZONE)
    assert [len(fold) for fold in said.folds] == [6]
    assert list(said.table.columns[:6]) == ["unique_id", "ds", "cutoff", "y", "model", "mean"]
    assert len(said.table) == 2 * 6 * 24
    assert len(said.fitted["naive"]) == 1


@pytest.mark.parametrize(("refit", "sizes"), [(1, [1] * 6), (4, [4, 2]), ("5", [5, 1]), ("never", [6]), (99, [6])])
def test_refit_after_some_cutoffs(refit: str | int, sizes: list[int]) -> None:
    watched = Watched()
    said = walk(demand(), {"naive": watched}, daily(), refit=refit)
    assert [len(fold) for fold in said.folds] == sizes
    assert [table.known_until for table in watched.tables] == [fold[0] for fold in said.folds]


def test_refit_at_civil_months() -> None:
    watched = Watched()
    said = walk(demand(), {"naive": watched}, daily("2024-02-28", "2024-03-03"), refit="monthly")
    # 1 March in Melbourne is still February in UTC.
    assert [len(fold) for fold in said.folds] == [2, 3]
    assert watched.tables[1].known_until == pd.Timestamp("2024-03-01", tz=ZONE)


@pytest.mark.parametrize("refit", [0, -1, "weekly", "1.5"])
def test_an_unreadable_refit_is_named(refit: str | int) -> None:
    with pytest.raises(DeclarationError, match=f"refit '{refit}'.*never, monthly"):
        walk(demand(), {"naive": NAIVE}, daily(), refit=refit)


def test_a_gap_ends_training_early_and_a_window_slides() -> None:
    watched = Watched()
    walk(demand(), {"naive": watched}, daily(), refit=3, gap=pd.Timedelta("2D"), window=pd.Timedelta("20D"))
    for table, cutoff in zip(watched.tables, ["2024-03-01", "2024-03-04"], strict=True):
        until = pd.Timestamp(cutoff, tz=ZONE) - pd.Timedelta("2D")
        assert table.known_until == until
        assert {one.start for one in table.series} == {until - pd.Timedelta("20D")}


def test_every_forecast_reads_up_to_its_own_cutoff_and_no_further() -> None:
    """A naive day ahead shows its source: yesterday's value, also when nothing was refitted."""
    day = partial(fit, recipe=named("seasonal_naive_day"), task=Task(horizon=24))
    table = walk(demand(), {"day": day}, daily()).table
    y = demand().to_frame().set_index(["unique_id", "ds"])["y"]
    for row in table.iloc[::17].itertuples():
        assert row.mean == pytest.approx(y[row.unique_id, row.ds - pd.Timedelta("1D")], abs=30)
    spoiled = demand().to_frame()
    spoiled.loc[spoiled["ds"] >= pd.Timestamp("2024-03-04", tz=ZONE), ["y", "humidity"]] = 1e9
    other = walk(make_demand(spoiled, zone=ZONE), {"day": day}, daily()).table
    early = table["cutoff"] <= pd.Timestamp("2024-03-04", tz=ZONE)
    assert early.sum() == 2 * 4 * 24
    pd.testing.assert_frame_equal(table.loc[early].drop(columns="y"), other.loc[early].drop(columns="y"))


def test_two_workers_say_exactly_what_one_says() -> None:
    fits = {"ridge": RIDGE}
    told: list[tuple[str, int, int]] = []

    class Progress:
        def fold(self, model: str, done: int, folds: int) -> None:
            told.append((model, done, folds))

    one = walk(demand(), fits, daily(), refit=3)
    two = walk(demand(), fits, daily(), refit=3, workers=2, progress=Progress())
    pd.testing.assert_frame_equal(one.table, two.table, check_exact=True)
    assert told == [("ridge", 1, 2), ("ridge", 2, 2)]
    for name in fits:
        for mine, other in zip(one.fitted[name], two.fitted[name], strict=True):
            assert mine.forecaster.spec == other.forecaster.spec


def test_delivery_days_have_their_own_hours_at_the_gates_leads() -> None:
    whole = make_demand(long_frame(days=280, zone=ZONE, names=["a"]), zone=ZONE)
    for start, end, lengths, last in (
        ("2024-04-06", "2024-04-08", [24, 25, 24], [37, 38, 37]),
        ("2024-10-05", "2024-10-07", [24, 23, 24], [37, 36, 37]),
    ):
        plan = Plan.of(start, end, "delivery-day", ZONE, HOUR, gate="D-1T10:00")
        table = walk(whole, {"naive": NAIVE}, plan).table
        local = table["ds"].dt.tz_convert(ZONE)
        lead = (table["ds"] - table["cutoff"]) / HOUR
        days = table.assign(lead=lead).groupby(local.dt.date)["lead"].agg(["size", "min", "max"])
        assert days["size"].tolist() == lengths
        assert days["max"].tolist() == last
        assert (days["min"] == 14).all()
        assert (table["cutoff"].dt.tz_convert(ZONE).dt.hour == 10).all()
        assert table["y"].notna().all()


def test_contradicting_options_are_refused() -> None:
    with pytest.raises(DeclarationError, match="horizon together with every delivery-day"):
        Plan.of("2024-03-01", "2024-03-02", "delivery-day", ZONE, HOUR, gate="D-1T10:00", horizon=24)
    with pytest.raises(DeclarationError, match="gate"):
        Plan.of("2024-03-01", "2024-03-02", "1d", ZONE, HOUR, gate="D-1T10:00")
    assert Plan.of("2024-03-01", "2024-03-01", "1d", ZONE, HOUR).horizon == 24


def test_what_was_not_measured_is_kept_and_never_scored() -> None:
    frame = long_frame(days=60, zone=ZONE)
    lost = frame["ds"].between(utc("2024-03-02 00:00"), utc("2024-03-02 05:00"))
    frame.loc[lost, "y"] = np.nan
    frame = frame[frame["ds"] < utc("2024-03-05 20:00")]
    table = walk(make_demand(frame, zone=ZONE), {"naive": NAIVE}, daily()).table
    missing = table[table["y"].isna()]
    expected = table["ds"].between(utc("2024-03-02"), utc("2024-03-02 05:00")) | (
        table["ds"] >= utc("2024-03-05 20:00")
    )
    assert missing.index.equals(table.index[expected])
    assert np.isfinite(table["mean"]).all()
    with pytest.raises(NotEnoughHistory, match="no value of y was measured between"):
        walk(make_demand(frame, zone=ZONE), {"naive": NAIVE}, daily("2024-05-01", "2024-05-02"))


def test_the_table_is_in_the_datas_own_unit_and_decimals() -> None:
    frame = long_frame(days=60, freq="30min", names=["a"])[["unique_id", "ds", "y"]]
    frame["y"] = frame["y"].round(1)
    energy = Demand.from_frame(frame.assign(y=frame["y"] / 2), columns=Columns(), unit="kWh")
    power = Demand.from_frame(frame, columns=Columns(), unit="kW")
    plan = Plan.of("2024-03-01", "2024-03-02", "1d", "UTC", pd.Timedelta("30min"), horizon=48)
    tables = [walk(one, {"naive": NAIVE}, plan).table for one in (energy, power)]
    np.testing.assert_allclose(tables[0]["mean"] * 2, tables[1]["mean"], rtol=1e-6)
    truth = frame.set_index("ds")["y"]
    np.testing.assert_array_equal(tables[1]["y"], truth.loc[tables[1]["ds"]].to_numpy())


def test_models_stand_one_below_the_other() -> None:
    said: Walk = walk(demand(), {"ridge": RIDGE, "naive": NAIVE}, daily())
    assert said.table["model"].drop_duplicates().tolist() == ["ridge", "naive"]
    error = (said.table["mean"] - said.table["y"]).abs().groupby(said.table["model"]).mean()
    assert error["ridge"] < error["naive"]
    assert not said.table.duplicated(["model", "unique_id", "cutoff", "ds"]).any()


def test_an_empty_plan_is_named() -> None:
    plan = daily().measured_until(utc("2024-02-01"), HOUR)
    assert len(plan.cutoffs) == 0
    with pytest.raises(NotEnoughHistory, match="no cutoff to forecast from"):
        walk(demand(), {"naive": NAIVE}, plan)


def test_a_plan_ends_with_the_last_whole_horizon_that_was_measured() -> None:
    kept = daily().measured_until(pd.Timestamp("2024-03-05", tz=ZONE), HOUR)
    assert kept.cutoffs[-1] == pd.Timestamp("2024-03-04", tz=ZONE)
    days = Plan.of("2024-03-01", "2024-03-06", "delivery-day", ZONE, HOUR, gate="D-1T10:00")
    kept = days.measured_until(pd.Timestamp("2024-03-05", tz=ZONE), HOUR)
    assert kept.spans is not None
    assert len(kept.spans) == len(kept.cutoffs) == 4
    assert kept.horizon == days.horizon
