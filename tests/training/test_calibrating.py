"""What held-out forecasts teach: intervals that cover what they promise, and nothing where nothing was held out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.backtest import Plan, walk
from forecast.calibration import Calibration
from forecast.forecaster import Forecaster
from forecast.recipe import CorrectionConfig, FeatureConfig, Recipe, RidgeModel, Task
from forecast.tables import Demand
from forecast.training import Fitted, fit
from tests.builders import plain, utc

SMALL = FeatureConfig(reach_days=9, same_hour_days=3, recent=False, knots=0)
RIDGE = Recipe(name="small-ridge", model=RidgeModel(), features=SMALL, context="3d")
CORRECTED = RIDGE.model_copy(update={"correction": CorrectionConfig(days=7)})
BEGIN, SINCE = utc("2022-10-15"), utc("2024-06-01")


def uneven(days: int = 700, *, biased: bool = False) -> Demand:
    """Noise that is three times as wide in the evening as at night; where asked, an error that lasts for days."""
    rng = np.random.default_rng(12)
    hours = np.arange(days * 24)
    spread = 20 + 40 * (hours % 24) / 24
    lasting = np.zeros(days)
    for day in range(1, days):
        lasting[day] = 0.9 * lasting[day - 1] + rng.normal(0, 30)
    y = 1000 + 200 * np.sin(hours / 24 * 2 * np.pi) + spread * rng.normal(0, 1, len(hours))
    return plain(y + biased * lasting.repeat(24), start=str(BEGIN.date()))


def told(recipe: Recipe, demand: Demand) -> tuple[Forecaster, pd.DataFrame]:
    fitted = fit(demand.as_of(SINCE), recipe, Task(horizon=24, every="1d"))
    plan = Plan.of("2024-06-01", "2024-09-10", "1d", "UTC", demand.step, horizon=24)
    table = walk(demand, {"ridge": lambda _: Fitted(fitted.forecaster, fitted.report)}, plan).table
    return fitted.forecaster, table.dropna(subset="y")


@pytest.mark.parametrize("recipe", [RIDGE, CORRECTED], ids=["plain", "corrected"])
def test_eighty_percent_are_inside_at_every_time_of_day(recipe: Recipe) -> None:
    forecaster, table = told(recipe, uneven())
    assert (forecaster.spec.correction is None) == (recipe is RIDGE)
    inside = table["y"].between(table["q0.1"], table["q0.9"])
    assert len(inside) > 2400
    assert 0.76 <= inside.mean() <= 0.84
    by_hour = inside.groupby(table["ds"].dt.hour // 6).mean()
    assert by_hour.between(0.7, 0.9).all(), by_hour
    width = (table["q0.9"] - table["q0.1"]).groupby(table["ds"].dt.hour).mean()
    assert width[22] > 1.6 * width[2], "noise differs by the hour, and so must the intervals"


def test_errors_that_last_are_corrected_and_intervals_shrink_with_them() -> None:
    demand = uneven(biased=True)
    (plainly, before), (corrected, after) = (told(recipe, demand) for recipe in (RIDGE, CORRECTED))
    assert plainly.spec.correction is None
    assert corrected.spec.correction is not None
    assert corrected.spec.correction.day_gain > 0.05
    mae = [(table["q0.5"] - table["y"]).abs().mean() for table in (before, after)]
    assert mae[1] < mae[0]
    assert 0.75 <= after["y"].between(after["q0.1"], after["q0.9"]).mean() <= 0.85


def test_too_short_a_history_teaches_no_lessons() -> None:
    demand = uneven()
    whole = fit(demand.as_of(SINCE), CORRECTED, Task(horizon=24)).forecaster
    assert whole.spec.calibration != Calibration.none(CORRECTED.quantiles)
    assert len(whole.ranks_DH) > 20
    short = fit(demand.as_of(BEGIN + pd.Timedelta("108h")), CORRECTED, Task(horizon=24)).forecaster
    assert short.spec.calibration == Calibration.none(CORRECTED.quantiles)
    assert short.spec.correction is None
    assert short.ranks_DH.shape == (0, 24)


def test_lessons_come_from_the_held_out_part_only() -> None:
    """Wild days that the judged model learned from do not widen; the same days at the end do."""
    y = uneven().to_frame()["y"].to_numpy().copy()
    widths = []
    for wild in (slice(24 * 20, 24 * 120), slice(24 * 480, 24 * 580), slice(0, 0)):
        spoiled = y.copy()
        spoiled[wild] += np.random.default_rng(1).normal(0, 150, len(spoiled[wild]))
        forecaster = fit(
            plain(spoiled, start=str(BEGIN.date())).as_of(SINCE), RIDGE, Task(horizon=24, every="1d")
        ).forecaster
        frame = forecaster.predict(plain(y, start=str(BEGIN.date())), [SINCE]).frame
        widths.append(float((frame["q0.9"] - frame["q0.1"]).mean()))
    early, late, none = widths
    assert late > 1.5 * none
    assert early < 1.2 * none
