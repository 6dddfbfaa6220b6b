"""The service and the backtest say the same: both call `Forecaster.predict`, and JSON loses no bit on the way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from forecast.backtest import Plan, walk
from forecast.forecaster import Forecaster
from forecast.recipe import CorrectionConfig, FeatureConfig, Recipe, RidgeModel, Task
from forecast.settings import Settings
from forecast.tables import Demand, quantile_columns
from forecast.training import Fitted, fit
from serving import create_app

FIRST = pd.Timestamp("2014-04-11T00:00Z")
CUTOFFS = pd.date_range(FIRST, periods=54, freq="7h")
NAMES = ["mean", *quantile_columns()]
ZONES = {"north": "Europe/Lisbon"}


def numbers(said: dict[str, Any]) -> pd.DataFrame:
    """An answer as a table."""
    parts = []
    for one in said["forecasts"]:
        columns = {
            "unique_id": one["unique_id"],
            "ds": pd.to_datetime(one["ds"]),
            "mean": one["mean"],
            **one["quantiles"],
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def without_neighbours(demand: Demand, name: str) -> Demand:
    """One series of a table, as if there were no others."""
    return replace(demand.select([name]), beside=())


@pytest.fixture(scope="module")
def answers(client: TestClient, ask: Any) -> list[pd.DataFrame]:
    """What the service says at every cutoff, from forty days of history before it."""
    return [numbers(ask.post(client, ask.body(cutoff, zones=ZONES))) for cutoff in CUTOFFS]


def test_bit_for_bit_from_the_whole_table(answers: list[pd.DataFrame], forecaster: Forecaster, demand: Demand) -> None:
    assert len(CUTOFFS) >= 50
    for cutoff, said in zip(CUTOFFS, answers, strict=True):
        expected = forecaster.predict(demand, [cutoff], horizon=24).frame
        assert expected["unique_id"].tolist() == said["unique_id"].tolist()
        assert (expected["ds"].to_numpy() == said["ds"].to_numpy()).all()
        np.testing.assert_array_equal(expected[NAMES].to_numpy(), said[NAMES].to_numpy(), strict=True)


def test_a_forecast_moves_with_its_cutoff(answers: list[pd.DataFrame]) -> None:
    assert len({float(said["mean"].iloc[0]) for said in answers}) == len(CUTOFFS)


def test_a_mixed_batch_agrees_with_the_walk(
    answers: list[pd.DataFrame], forecaster: Forecaster, demand: Demand
) -> None:
    fitted = Fitted(forecaster, None)  # type: ignore[arg-type]
    table = walk(demand, {"small": lambda _: fitted}, Plan(CUTOFFS, None, 24)).table
    said = pd.concat([one.assign(cutoff=cutoff) for one, cutoff in zip(answers, CUTOFFS, strict=True)])
    both = table.merge(said, on=["unique_id", "cutoff", "ds"], suffixes=("", "_said"), validate="one_to_one")
    assert len(both) == len(said) == 3 * 24 * len(CUTOFFS)
    walked, heard = both[NAMES].to_numpy(), both[[f"{name}_said" for name in NAMES]].to_numpy()
    np.testing.assert_allclose(heard, walked, rtol=1e-5)


def test_one_series_alone_is_forecast_without_its_neighbours_and_says_so(
    client: TestClient, ask: Any, forecaster: Forecaster, demand: Demand
) -> None:
    alone = without_neighbours(demand, "north")
    for cutoff in CUTOFFS[::9]:
        said = ask.post(client, ask.body(cutoff, only="north", zones=ZONES))
        expected = forecaster.predict(alone, [cutoff], horizon=24)
        np.testing.assert_array_equal(expected.frame[NAMES].to_numpy(), numbers(said)[NAMES].to_numpy(), strict=True)
        assert any("learned together" in one for one in expected.warnings)


def test_a_forecast_that_learns_from_its_errors_agrees_bit_for_bit(
    settings: Settings, ask: Any, demand: Demand
) -> None:
    """The history that the service keeps reaches back to the forecasts of the days before."""
    recipe = Recipe(
        name="corrected", model=RidgeModel(), context="2d", features=FeatureConfig(reach_days=9),
        correction=CorrectionConfig(days=5),
    )  # fmt: skip
    corrected = fit(demand.as_of(FIRST), recipe, Task(horizon=24, every="1d", clock="+10:00")).forecaster
    assert corrected.spec.correction is not None
    bare = Forecaster(corrected.spec.model_copy(update={"correction": None}), corrected.model)
    with TestClient(create_app(settings, corrected)) as client:
        for cutoff in CUTOFFS[::9]:
            said = numbers(ask.post(client, ask.body(cutoff, zones=ZONES)))
            expected, without = (one.predict(demand, [cutoff], horizon=24).frame for one in (corrected, bare))
            np.testing.assert_array_equal(expected[NAMES].to_numpy(), said[NAMES].to_numpy(), strict=True)
            assert not np.allclose(expected["mean"], without["mean"])


def test_delivery_days_agree_with_spans(client: TestClient, ask: Any, forecaster: Forecaster, demand: Demand) -> None:
    for day in pd.date_range("2014-04-12", periods=6, freq="3D"):
        begin = pd.Timestamp(day.date(), tz="Australia/Melbourne")
        cutoff = (begin - pd.Timedelta(hours=14)).tz_convert("UTC")
        content = ask.body(cutoff, only="east", horizon=48)
        del content["horizon"]
        said = numbers(ask.post(client, content | {"delivery_day": f"{day:%Y-%m-%d}"}))
        span = (begin.tz_convert("UTC"), (begin + pd.Timedelta(days=1)).tz_convert("UTC"))
        expected = forecaster.predict(without_neighbours(demand, "east"), [cutoff], spans=[span]).frame
        np.testing.assert_array_equal(expected[NAMES].to_numpy(), said[NAMES].to_numpy(), strict=True)
