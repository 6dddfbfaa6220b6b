"""What training is shown of weather that is forecast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.errors import RecipeError
from forecast.recipe import Recipe, RidgeModel, Task, WeatherShown
from forecast.tables import Columns, Demand
from forecast.training import fit
from forecast.vintages import donors_of
from forecast.windows import RawBatch, WindowSet, origins_every

HOUR = pd.Timedelta("1h")
START = pd.Timestamp("2024-01-01T00:00Z")
DAYS, ARCHIVED = 40, 20
"""The archive of forecasts begins later than the measurements."""


def measured() -> pd.DataFrame:
    stamps = pd.date_range(START, periods=24 * DAYS, freq=HOUR)
    rng = np.random.default_rng(5)
    temperature = 10 + 5 * np.sin(np.arange(len(stamps)) * 2 * np.pi / 24) + rng.normal(size=len(stamps))
    y = 100 + 3 * temperature + rng.normal(size=len(stamps))
    return pd.DataFrame({"ds": stamps, "available_at": stamps + HOUR, "y": y, "temperature": temperature})


def archive(truth: pd.DataFrame) -> pd.DataFrame:
    """A forecast each midnight for two days, whose error grows with the lead."""
    by_stamp = truth.set_index("ds")["temperature"]
    parts = []
    for day in range(ARCHIVED, DAYS):
        at = START + day * 24 * HOUR
        valid = pd.date_range(at, periods=48, freq=HOUR)
        error = np.random.default_rng(day).normal() * np.linspace(0.5, 3, 48)
        value = by_stamp.reindex(valid).fillna(10).to_numpy() + error
        parts.append(pd.DataFrame({"ds": valid, "available_at": at, "temperature": value, "y": np.nan}))
    return pd.concat(parts)


@pytest.fixture(scope="module")
def demand() -> Demand:
    truth = measured()
    frame = pd.concat([truth, archive(truth)], ignore_index=True).assign(unique_id="north")
    return Demand.from_frame(frame, columns=Columns(known=("temperature",))).as_of(START + DAYS * 24 * HOUR)


def gathered(demand: Demand, weather: WeatherShown) -> RawBatch:
    origins = origins_every(demand, context=72, horizon=24, stride=24)
    windows = replace(WindowSet(demand, origins, 72, 24), weather=weather)
    return windows.gather(np.arange(len(windows)))


def test_vintages_are_blind_before_their_archive_begins(demand: Demand) -> None:
    ahead = gathered(demand, "vintages").mask_BWC[:, 72:, 1]
    assert not ahead[: ARCHIVED - 3].any()
    assert ahead[ARCHIVED - 3 :].all()


def test_actuals_are_what_the_table_knows(demand: Demand) -> None:
    batch = gathered(demand, "actuals")
    (series,) = demand.series
    for number, row in enumerate(batch.row_B):
        assert np.array_equal(batch.values_BWC[number, :, 1], series.values_TC[row - 72 : row + 24, 1])


def test_resampled_errors_are_those_of_real_forecasts(demand: Demand) -> None:
    true, drawn = gathered(demand, "actuals"), gathered(demand, "resampled")
    assert drawn.mask_BWC[:, :, 1].all()
    assert np.array_equal(drawn.values_BWC[:, :72, 1], true.values_BWC[:, :72, 1])
    error_BH = drawn.values_BWC[:, 72:, 1] - true.values_BWC[:, 72:, 1]
    donors = donors_of(demand, "temperature", 24)
    midnight = donors.error_SDH[0][donors.phase_SD[0] == 0]
    for one in error_BH:
        assert np.isclose(one, midnight, atol=1e-4).all(1).any()
    assert len(np.unique(error_BH[:, 0].round(4))) > 5
    assert np.abs(error_BH[:, -1]).mean() > np.abs(error_BH[:, 0]).mean()


def test_the_target_is_the_same_however_weather_is_shown(demand: Demand) -> None:
    shown = [gathered(demand, one) for one in ("vintages", "actuals", "resampled")]
    assert len({batch.target_BH.tobytes() for batch in shown}) == 1
    assert len({batch.values_BWC[:, :, 0].tobytes() for batch in shown}) == 1


def test_nothing_beyond_the_table_is_drawn(demand: Demand) -> None:
    early = demand.as_of(START + 30 * 24 * HOUR)
    later = donors_of(early, "temperature", 24)
    assert len(later.error_SDH[0]) < len(donors_of(demand, "temperature", 24).error_SDH[0])
    assert np.array_equal(gathered(early, "resampled").values_BWC, gathered(early, "resampled").values_BWC)


def test_errors_without_vintages_are_refused(demand: Demand) -> None:
    with pytest.raises(RecipeError, match="no forecast of 'temperature' over 24 steps"):
        donors_of(demand.as_of(START + (ARCHIVED - 1) * 24 * HOUR + HOUR), "temperature", 24)


@pytest.mark.parametrize(
    ("weather", "label"),
    [
        ("vintages", "vintages"),
        ("actuals", "vintages, learned from actuals"),
        ("resampled", "vintages, learned from actuals with resampled forecast errors"),
    ],
)
def test_the_run_says_which(demand: Demand, weather: WeatherShown, label: str) -> None:
    recipe = Recipe(name="ridge", model=RidgeModel(), context="3d", weather=weather)
    fitted = fit(demand, recipe, Task(horizon=24))
    assert fitted.forecaster.spec.weather == label
    said = fitted.forecaster.predict(demand, [START + (DAYS - 1) * 24 * HOUR]).frame
    assert np.isfinite(said["mean"]).all()


def test_measured_weather_is_still_called_optimistic() -> None:
    frame = measured().drop(columns="available_at").assign(unique_id="north")
    plain = Demand.from_frame(frame, columns=Columns(known=("temperature",)))
    recipe = Recipe(name="ridge", model=RidgeModel(), context="3d")
    assert fit(plain, recipe, Task(horizon=24)).forecaster.spec.weather == "actual (optimistic)"
