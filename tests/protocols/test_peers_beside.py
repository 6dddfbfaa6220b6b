"""The peers that run beside: they learn, they are calibrated by our code, and they come back from arrays."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.backtest import Plan
from forecast.errors import DeclarationError
from forecast.forecaster import Forecaster
from forecast.protocols import beside
from forecast.protocols.beside import BESIDE, fit_beside, walk_beside
from forecast.recipe import Task, TreesModel
from forecast.tables import Demand
from forecast.training import fit
from tests.builders import long_frame, make_demand, utc

pytestmark = pytest.mark.long
TASK = Task(horizon=24)
CUTOFF = utc("2024-03-14")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rounds and few windows."""
    monkeypatch.setattr(beside, "LEARNED", 300)
    for name, recipe in BESIDE.items():
        if isinstance(recipe.model, TreesModel):
            pytest.importorskip("lightgbm", reason="needs the extra 'bench'")
            few = recipe.model.model_copy(update={"iterations": 30, "rate": 0.2})
            monkeypatch.setitem(BESIDE, name, recipe.model_copy(update={"model": few}))


def table() -> Demand:
    return make_demand(long_frame(gaps=0.01))


@pytest.mark.parametrize("name", list(BESIDE))
def test_a_peer_learns_is_calibrated_and_comes_back(name: str) -> None:
    demand = table()
    fitted = fit_beside(demand.as_of(CUTOFF), name=name, task=TASK, seed=1).forecaster
    said = fitted.predict(demand, [CUTOFF]).frame
    y = demand.to_frame().merge(said, on=["unique_id", "ds"])
    day_before = demand.to_frame().assign(ds=lambda frame: frame["ds"] + np.timedelta64(24, "h"))
    naive = day_before.merge(y[["unique_id", "ds"]], on=["unique_id", "ds"])["y"]
    error = (y["y"] - y["q0.5"]).abs().mean()
    assert error < (y["y"] - naive).abs().mean()
    assert fitted.spec.calibration.shift_KQ != fitted.spec.calibration.none(fitted.spec.recipe.quantiles).shift_KQ
    assert fitted.spec.recipe.name == name
    assert (said["q0.1"] <= said["q0.5"]).all()
    again = type(fitted.model).restore(fitted.model.settings(), fitted.model.arrays())
    other = Forecaster(fitted.spec, again).predict(demand, [CUTOFF]).frame
    np.testing.assert_allclose(other["q0.9"], said["q0.9"], rtol=1e-6)


@pytest.mark.parametrize("name", list(BESIDE))
def test_nothing_after_the_cutoff_touches_a_peer(name: str) -> None:
    frame = long_frame()
    poisoned = frame.copy()
    late = poisoned["ds"] >= CUTOFF
    poisoned.loc[late, ["y", "humidity"]] = 1e9
    said = []
    for demand in (make_demand(frame), make_demand(poisoned)):
        fitted = fit_beside(demand.as_of(CUTOFF), name=name, task=TASK, seed=1).forecaster
        said.append(fitted.predict(demand, [CUTOFF]).frame)
    assert said[0].equals(said[1])


def test_a_ridge_per_step_learns_every_series_alone() -> None:
    demand, plan = table(), Plan.of("2024-03-14", "2024-03-15", "1d", "UTC", table().step, horizon=24)
    both = walk_beside("ridge_step", demand, plan, TASK)
    alone = walk_beside("ridge_step", demand.select(["south"]), plan, TASK)
    mine = both[both["unique_id"] == "south"].reset_index(drop=True)
    assert len(both) == 2 * len(alone)
    assert mine.equals(alone)


def test_an_unknown_peer_is_named() -> None:
    with pytest.raises(DeclarationError, match=r"no peer 'xgboost'; expected one of lightgbm"):
        walk_beside("xgboost", table(), Plan.of("2024-03-14", "2024-03-14", "1d", "UTC", table().step), TASK)


def test_a_spec_is_that_of_our_own_fit_but_for_the_model() -> None:
    demand = table().as_of(CUTOFF)
    ours = fit(demand, BESIDE["ridge_step"].model_copy(update={"name": "ours"}), TASK).forecaster.spec
    peer = fit_beside(demand, name="ridge_step", task=TASK).forecaster.spec
    for name in ("features", "seasonal_scale", "trained_until", "data_digest", "series", "weather"):
        assert getattr(peer, name) == getattr(ours, name), name


def test_weeks_without_a_reading_do_not_drown_the_others() -> None:
    frame = long_frame(days=80)
    lost = frame["ds"].between(utc("2024-02-10"), utc("2024-02-19"))
    demand = make_demand(frame.assign(y=frame["y"].where(~lost) * 1000))
    fitted = fit_beside(demand.as_of(CUTOFF), name="ridge_step", task=TASK).forecaster
    y = demand.to_frame().merge(fitted.predict(demand, [CUTOFF]).frame, on=["unique_id", "ds"])
    assert ((y["y"] - y["q0.5"]).abs() / y["y"]).mean() < 0.05
