"""What quality finds is neither learned nor scored where that is wanted, and nothing later says what is wrong."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.audit import audit
from forecast.backtest import Plan, walk
from forecast.errors import DataError
from forecast.quality import cleaned, examine
from forecast.recipe import Recipe, RidgeModel, Task
from forecast.recipes import treated
from forecast.tables import Demand, save_demand
from forecast.training import fit
from forecast.windows import WindowSet, origins_every

START = pd.Timestamp("2024-01-01T00:00Z")
DAYS = 120
STUCK, SLIPPED = slice(24 * 60 + 5, 24 * 61 + 17), slice(24 * 80, 24 * 80 + 30)
LATE_STUCK = slice(24 * 115 + 3, 24 * 116 + 8)
RIDGE = Recipe(name="ridge", model=RidgeModel(), context="3d")
TASK = Task(horizon=24)


@pytest.fixture(scope="module")
def dirty() -> Demand:
    """Hourly demand with a meter that sticks, a stretch in another unit, and a meter that sticks in the last days."""
    hours, rng = np.arange(24 * DAYS), np.random.default_rng(2)
    y = 300 + 60 * np.sin((hours - 6) * 2 * np.pi / 24) - 25 * (hours // 24 % 7 >= 5) + rng.normal(0, 4, len(hours))
    y[STUCK], y[LATE_STUCK] = y[STUCK.start], y[LATE_STUCK.start]
    y[SLIPPED] *= 1000
    stamps = pd.date_range(START, periods=len(hours), freq="1h")
    return Demand.from_frame(pd.DataFrame({"unique_id": "north", "ds": stamps, "y": y}), zone="Europe/Lisbon")


def test_the_faults_are_found(dirty: Demand) -> None:
    assert {"stuck meter", "unit slip"} <= {one.rule for one in examine(dirty).findings}


def test_what_is_doubted_is_context_and_never_a_target(dirty: Demand) -> None:
    clean = cleaned(dirty)
    windows = WindowSet(clean, origins_every(clean, context=72, horizon=24), 72, 24)
    batch = windows.gather(np.arange(len(windows)))
    ahead_BH = batch.row_B[:, None] + np.arange(24)
    back_BR = batch.row_B[:, None] + np.arange(-72, 0)
    for span in (STUCK, SLIPPED):
        inside_BH = (ahead_BH > span.start) & (ahead_BH < span.stop)
        assert inside_BH.any()
        assert not batch.target_mask_BH[inside_BH].any()
    slipped_BR = (back_BR >= SLIPPED.start) & (back_BR < SLIPPED.stop)
    past_BR = batch.values_BWC[:, :72, 0]
    assert batch.mask_BWC[:, :72, 0][slipped_BR].all()
    assert past_BR[slipped_BR].max() < 500
    stuck_BR = (back_BR > STUCK.start) & (back_BR < STUCK.stop)
    assert not batch.mask_BWC[:, :72, 0][stuck_BR].any()


@pytest.mark.long
def test_training_learns_another_model_without_it(dirty: Demand) -> None:
    raw, masked = (fit(dirty, treated(RIDGE, how), TASK).forecaster for how in ("keep", "mask"))  # type: ignore[arg-type]
    assert raw.spec.recipe.quality == "keep"
    assert masked.spec.recipe.quality == "mask"
    cutoff = START + pd.Timedelta(days=100)
    usual = dirty.series[0].values_TC[24 * 93 : 24 * 94, 0]
    errors = [np.abs(one.predict(dirty, [cutoff]).frame["q0.5"].to_numpy() - usual).mean() for one in (raw, masked)]
    assert errors[1] < errors[0]
    assert errors[1] < 15


def test_the_walk_scores_no_wrong_value(dirty: Demand) -> None:
    plan = Plan.of("2024-04-20", "2024-04-27", "1d", "Europe/Lisbon", dirty.step, horizon=24)
    learn = {"ridge": partial(fit, recipe=treated(RIDGE, "mask"), task=TASK)}
    table = walk(dirty, learn, plan, truth=cleaned(dirty)).table
    row_N = ((table["ds"] - START) // dirty.step).to_numpy()
    inside_N = (row_N > LATE_STUCK.start) & (row_N < LATE_STUCK.stop)
    assert inside_N.any()
    assert table["y"].isna()[inside_N].all()
    assert table["y"].notna()[row_N < LATE_STUCK.start - 24].all()


def test_nothing_known_later_says_what_is_wrong(dirty: Demand) -> None:
    cutoff = START + pd.Timedelta(days=115, hours=6)
    assert audit(dirty, treated(RIDGE, "mask"), TASK, cutoff).clean


def test_a_repaired_table_is_not_stored_as_measured(dirty: Demand, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="repaired values"):
        save_demand(cleaned(dirty), tmp_path / "table.parquet")
    assert cleaned(dirty).digest != replace(cleaned(dirty), doubted_R=None).digest
