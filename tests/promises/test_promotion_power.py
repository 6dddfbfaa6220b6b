"""A promotion tells a better model from luck: `benchmarks/power.py` in small, through the real decision."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import power
from forecast import clock
from forecast.comparison import Sheet
from forecast.recipe import Recipe, RidgeModel, TreesModel
from forecast.recipes import named
from forecast.tables import Demand

ZONE, DRAWS = "Europe/Lisbon", 200
BY_HEART = Recipe(
    name="heart", model=TreesModel(iterations=12, rate=0.6, leaves=255, min_leaf=1, levels=(0.1, 0.5, 0.9))
)


@pytest.fixture(scope="module")
def demand() -> Demand:
    """330 days of one meter whose days differ in level."""
    random = np.random.default_rng(8)
    ds = pd.date_range("2024-01-01", periods=24 * 330, freq="1h", tz="UTC")
    drift = np.repeat(random.normal(0, 25, 330), 24)
    y = 1000 + 200 * np.sin(2 * np.pi * np.arange(len(ds)) / 24) - 90 * (ds.weekday >= 5) + drift
    return Demand.from_frame(
        pd.DataFrame({"unique_id": "one", "ds": ds, "y": y + random.normal(0, 15, len(ds))}), zone=ZONE
    )


@pytest.fixture(scope="module")
def pair_of() -> tuple[Recipe, Recipe]:
    """Two ridges, the second without the correction."""
    plain = named("ridge").model_copy(update={"name": "plain", "correction": None, "model": RidgeModel()})
    return plain.model_copy(update={"name": "short", "context": "2d"}), plain


@pytest.fixture(scope="module")
def walked(demand: Demand, pair_of: tuple[Recipe, Recipe]) -> tuple[pd.DataFrame, dict[str, pd.Timestamp]]:
    with clock.using(power.AT):
        return power.walked(demand, pair_of)


@pytest.fixture(scope="module")
def sheet(demand: Demand, walked: tuple[pd.DataFrame, dict[str, pd.Timestamp]]) -> Sheet:
    return power.sheet_from(walked[0], demand)


def test_equal_models_are_seldom_promoted(sheet: Sheet, walked: tuple[pd.DataFrame, dict]) -> None:
    equal = power.at_gain(sheet, 0.0)
    assert equal.losses["champion"].mean() == pytest.approx(equal.losses["challenger"].mean())
    with clock.using(power.AT):
        assert max(power.share(equal, days, DRAWS, walked[1]) for days in (7, 28, 91)) <= 0.05
        assert power.trial_share(equal, DRAWS // 2, walked[1]) <= 0.05


def test_a_better_model_is_found(sheet: Sheet, walked: tuple[pd.DataFrame, dict]) -> None:
    with clock.using(power.AT):
        assert power.share(power.at_gain(sheet, 0.1), 182, DRAWS, walked[1]) >= 0.95
        assert power.share(power.at_gain(sheet, 0.1), 14, DRAWS, walked[1]) == 0


@pytest.mark.parametrize("word", ["coverage", "bias", "peaks"])
def test_a_broken_guard_is_enough(
    demand: Demand, walked: tuple[pd.DataFrame, dict[str, pd.Timestamp]], word: str
) -> None:
    rows, ends = walked
    broken = power.sheet_from(power.breakers(rows)[word], demand)
    with clock.using(power.AT):
        won, alone = power.worst(broken, word, 20, ends)
    assert (won, alone) == (0, 1.0)


@pytest.mark.long
def test_what_learned_by_heart_never_wins(demand: Demand, pair_of: tuple[Recipe, Recipe]) -> None:
    with clock.using(power.AT):
        shown = power.overfitted(demand, pair_of[1], BY_HEART)
        own, ends = shown.pop("shown its own training rows")
        remembered = power.sheet_from(own, demand)
        # It is far better on its own rows, or refusing it would prove nothing.
        assert remembered.losses["challenger"].mean() < 0.8 * remembered.losses["champion"].mean()
        decision = power.decided(remembered, ends)
        assert (decision.outcome, decision.look) == ("refused", 0)
        assert "learned from data up to" in decision.reasons[0]
        for table, until in shown.values():
            assert power.share(power.sheet_from(table, demand), 91, DRAWS // 3, until) == 0
