"""A network on a ridge: it adds to the ridge's forecast, and where nothing is known the ridge is not heard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.features import Inputs
from forecast.forecaster import Forecaster
from forecast.forecaster.residual import Residual, with_base
from forecast.networks.runtime import NetworkRuntime
from forecast.recipe import Task
from forecast.tables import Demand
from forecast.training import fit
from forecast.training.loop import Loop
from forecast.training.ridge import BasedFeatures
from forecast.windows import origins_at
from tests.builders import TINY_ON_RIDGE, long_frame, make_demand, utc

CUTOFF = utc("2024-03-15")


@pytest.fixture(scope="module")
def demand() -> Demand:
    return make_demand(long_frame(days=70, gaps=0.02), zone="Europe/Lisbon")


@pytest.fixture(scope="module")
def forecaster(demand: Demand) -> Forecaster:
    return fit(demand.as_of(CUTOFF), TINY_ON_RIDGE, Task(horizon=24)).forecaster


def asked(forecaster: Forecaster, demand: Demand, cutoffs: list[pd.Timestamp]) -> Inputs:
    reader = forecaster.spec.column_reader
    windows = reader.window_set(demand, origins_at(demand, cutoffs), 24)
    return reader.inputs(windows, reader.clock(windows), np.arange(len(windows)))


def silenced(model: Residual) -> Residual:
    """The same with all that the network learned set to zero; its scaling stays."""
    arrays = {
        name: array if name.startswith("scaling.") else np.zeros_like(array)
        for name, array in model.network.arrays().items()
    }
    return Residual(model.base, NetworkRuntime.restore(model.network.settings(), arrays))


def test_a_network_that_learned_nothing_says_what_the_ridge_says(forecaster: Forecaster, demand: Demand) -> None:
    model = forecaster.model
    assert isinstance(model, Residual)
    inputs = asked(forecaster, demand, list(pd.date_range(CUTOFF, periods=5, freq="31h")))
    middle = forecaster.spec.recipe.quantiles.index(0.5)
    base_BH = model.base.point(inputs)
    np.testing.assert_allclose(silenced(model).quantiles(inputs)[..., middle], base_BH, rtol=2e-6)
    assert np.abs(model.quantiles(inputs)[..., middle] - base_BH).max() > 0.5


def test_a_window_without_known_load_does_not_hear_the_ridge(forecaster: Forecaster, demand: Demand) -> None:
    inputs = asked(forecaster, demand, [utc("2023-12-01"), CUTOFF])
    heard = with_base(inputs, np.full((4, 24), 777.0, dtype=np.float32))
    silent_B = np.array([True, False, True, False])  # each series at both cutoffs
    assert (heard.future_BHF[silent_B, :, -1] == 0).all()
    assert (heard.future_mask_BHF[silent_B, :, -1] == 0).all()
    assert (heard.future_BHF[~silent_B, :, -1] == 777).all()
    assert (heard.future_mask_BHF[~silent_B, :, -1] == 1).all()
    np.testing.assert_array_equal(heard.future_BHF[:, :, :-1], inputs.future_BHF)


def test_a_saved_one_says_the_same_bits(forecaster: Forecaster, demand: Demand, tmp_path: Path) -> None:
    forecaster.save(tmp_path / "model")
    again = Forecaster.load(tmp_path / "model")
    assert again.spec.model_kind == "residual"
    cutoffs = list(pd.date_range(CUTOFF, periods=4, freq="31h"))
    one, other = (each.predict(demand, cutoffs).frame for each in (forecaster, again))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.long
@pytest.mark.parametrize("stopping", ["early", "never"])
def test_it_learns_on_weeks_that_its_ridge_has_not_seen(
    stopping: str, demand: Demand, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, seen = Loop.__init__, []

    def watched(self: Loop, network: Any, feed: Any, config: Any, validation: Any, *rest: Any, **named: Any) -> None:
        seen.append((feed.features, None if validation is None else validation.features))
        made(self, network, feed, config, validation, *rest, **named)

    monkeypatch.setattr(Loop, "__init__", watched)
    model = TINY_ON_RIDGE.model
    training = model.training.model_copy(update={"stopping": stopping})  # type: ignore[union-attr]
    recipe = TINY_ON_RIDGE.model_copy(update={"model": model.model_copy(update={"training": training})})
    fit(demand.as_of(CUTOFF), recipe, Task(horizon=24))
    (learned, judged), (again, nobody) = seen
    assert isinstance(learned, BasedFeatures)
    assert isinstance(again, BasedFeatures)
    assert learned.out_of_fold
    assert again.out_of_fold
    assert nobody is None
    # The held-out windows come after all that the ridge saw: they hear all of it.
    assert (judged is None) == (stopping == "never")
    assert judged is None or not judged.out_of_fold
