"""The plan of a retraining: which recipes, and which days are walked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.retrain import plan_of
from forecast.errors import DeclarationError, NotEnoughHistory, RecipeError
from forecast.retraining import RetrainingPlan, count_windows
from forecast.tables import Demand, save_demand
from forecast.training import fit

ZONE = "Europe/Lisbon"


def _demand(first: str, last: str) -> Demand:
    ds = pd.date_range(first, last, freq="1h", tz=ZONE, inclusive="left").tz_convert("UTC")
    y = 100 + np.random.default_rng(1).normal(0, 5, len(ds))
    return Demand.from_frame(pd.DataFrame({"unique_id": "a", "ds": ds, "y": y}), zone=ZONE)


@pytest.mark.parametrize("last", ["2024-03-31", "2024-04-01", "2024-04-10", "2024-10-28", "2024-11-05"])
def test_four_weeks_are_28_civil_days_also_where_clocks_change(last: str) -> None:
    plan = RetrainingPlan(recipes=("ridge",), weeks=4)
    local = plan.walk_plan(_demand("2024-01-01", last)).cutoffs.tz_convert(ZONE)
    assert (local.hour == 0).all()
    # A day of 23 hours at the very end has no 24th step that was measured.
    assert len(local) == (27 if last == "2024-04-01" else 28)


def test_counted_windows_are_those_that_training_finds(tmp_path: Path) -> None:
    demand = _demand("2024-01-01", "2024-03-15")
    save_demand(demand, tmp_path / "table.parquet")
    for every in (None, "any", "6h"):
        plan = RetrainingPlan(recipes=("ridge",), weeks=2, train_every=every)
        counts = count_windows(tmp_path / "table.parquet", plan)
        known = demand.as_of(plan.walk_plan(demand).cutoffs[0])
        for name, recipe in plan.chosen.items():
            assert counts[name] == fit(known, recipe, plan.task(demand)).report.windows > 0


def test_walk_longer_than_the_data_is_refused(tmp_path: Path) -> None:
    save_demand(_demand("2024-01-01", "2024-01-12"), tmp_path / "table.parquet")
    with pytest.raises(NotEnoughHistory):
        count_windows(tmp_path / "table.parquet", RetrainingPlan(recipes=("ridge",), weeks=1, horizon=24 * 20))


def test_two_recipes_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "ridge"\n[model]\nkind = "ridge"\nalphas = [3.0]\n', encoding="utf-8")
    with pytest.raises(RecipeError, match="one name"):
        _ = RetrainingPlan(recipes=("ridge", str(path))).chosen
    assert list(RetrainingPlan(recipes=(str(path),)).chosen) == ["ridge", "seasonal_naive_week"]


@pytest.mark.parametrize("fields", [{"weeks": 0}, {"horizon": 0}, {"week": 4}, {"recipes": "ridge"}, {"warm": True}])
def test_plan_that_does_not_fit_is_a_mistake(fields: dict[str, object]) -> None:
    with pytest.raises(DeclarationError, match=next(iter(fields))):
        plan_of(fields)
