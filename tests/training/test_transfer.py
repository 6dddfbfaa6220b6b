"""Fine-tuning a trained network for newer data and for series that it never saw."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError, RecipeError
from forecast.forecaster import Forecaster
from forecast.metrics import mae
from forecast.recipe import NetworkModel, Recipe, Task
from forecast.recipes import named
from forecast.tables import Columns, Demand
from forecast.training import fit
from forecast.training.transfer import Part, fine_tune
from tests.builders import EVERYTHING, TINY, long_frame, make_demand, utc

TASK = Task(horizon=12)


def small(recipe: Recipe = TINY, **training: object) -> Recipe:
    assert isinstance(recipe.model, NetworkModel)
    config = recipe.model.training.model_copy(update={"epochs": 3, "windows_per_epoch": 128, **training})
    features = recipe.features.model_copy(update={"reach_days": 8, "same_hour_days": 2})
    model = recipe.model.model_copy(update={"training": config})
    return recipe.model_copy(update={"model": model, "features": features})


def meter(name: str, size: float, *, days: float = 40, start: str = "2024-03-01", phase: float = 0.0) -> Demand:
    """A meter of `size`, its day shifted by some hours against the trained ones."""
    frame = long_frame(days=days, names=(name,), start=start, seed=3)
    hours = np.arange(len(frame))
    frame["y"] = size * (5 + np.sin((hours - 6 - phase) / 24 * 2 * np.pi) + 0.02 * frame["temperature"])
    return make_demand(frame)


@pytest.fixture(scope="module")
def trained() -> Forecaster:
    return fit(make_demand(long_frame(days=40)), small(), TASK).forecaster


def arrays(forecaster: Forecaster) -> dict[str, np.ndarray]:
    return forecaster.model.arrays()


def test_newer_data_of_its_own_series_keeps_the_scaling(trained: Forecaster) -> None:
    newer = make_demand(long_frame(days=40, start="2024-02-20", seed=9))
    tuned = fine_tune(trained, newer, epochs=2, rate=1e-3).forecaster
    before, after = arrays(trained), arrays(tuned)
    same = {name for name in after if np.array_equal(before[name], after[name])}
    assert {name for name in after if name.startswith("scaling.")} <= same
    assert any(name not in same for name in after)
    assert tuned.spec.features == trained.spec.features
    assert tuned.spec.series == trained.spec.series
    assert tuned.spec.trained_from == trained.spec.trained_from
    assert utc(tuned.spec.trained_until[:19]) == newer.last_known_end()
    assert tuned.spec.data_digest == newer.digest


def test_a_new_series_refits_its_level_and_is_forecast_better(trained: Forecaster, tmp_path: Path) -> None:
    new = meter("harbour", 4000.0, phase=9)
    cutoff = utc("2024-04-05")
    fitted = fine_tune(trained, new.as_of(cutoff), epochs=6, rate=5e-3)
    tuned = fitted.forecaster
    level = arrays(tuned)["scaling.level"][0]
    assert level == pytest.approx(20_000, rel=0.1)
    for name, array in arrays(trained).items():
        assert not name.startswith(("scaling.past", "scaling.future", "scaling.static")) or np.array_equal(
            array, arrays(tuned)[name]
        ), name
    assert tuned.spec.series == (*trained.spec.series, "harbour")
    assert tuned.spec.seasonal_scale.keys() == {"north", "south", "harbour"}
    cutoffs = pd.date_range(cutoff, periods=3, freq="1D")
    truth = new.to_frame().set_index("ds")["y"]
    errors = []
    for one in (trained, tuned):
        said = one.predict(new, cutoffs).frame
        errors.append(mae(truth.reindex(said["ds"]).to_numpy(), said["q0.5"].to_numpy()))
    assert errors[1] < 0.7 * errors[0]
    assert {row["stage"] for row in fitted.report.history} == {"fine-tune", "refit"}
    tuned.save(tmp_path / "tuned")
    again = Forecaster.load(tmp_path / "tuned").predict(new, cutoffs).frame
    pd.testing.assert_frame_equal(again, tuned.predict(new, cutoffs).frame)


def test_the_scaling_can_be_chosen(trained: Forecaster) -> None:
    new = meter("harbour", 4000.0, days=20)
    kept = fine_tune(trained, new, epochs=1, rate=1e-3, scaling="keep").forecaster
    assert arrays(kept)["scaling.level"] == arrays(trained)["scaling.level"]
    own = make_demand(long_frame(days=20, seed=9))
    refitted = fine_tune(trained, own, epochs=1, rate=1e-3, scaling="refit").forecaster
    assert arrays(refitted)["scaling.level"] != arrays(trained)["scaling.level"]


@pytest.mark.parametrize("freeze", [("encoder",), ("encoder", "decoder", "head"), ("highway",)])
def test_frozen_parts_keep_their_bits(trained: Forecaster, freeze: tuple[str, ...]) -> None:
    new = meter("harbour", 300.0, days=20, phase=9)
    tuned = fine_tune(trained, new, epochs=2, rate=1e-3, freeze=freeze).forecaster  # type: ignore[arg-type]
    before, after = arrays(trained), arrays(tuned)
    moved = {name.split(".")[0] for name in after if after[name].tobytes() != before[name].tobytes()}
    assert moved & set(freeze) == set()
    # A series that was not among the learned ones hears all of them alike: only how they are mixed can move.
    assert moved - {"scaling"} >= {"encoder", "decoder", "highway", "head"} - set(freeze)


def test_weights_that_no_epoch_beats_are_kept(trained: Forecaster) -> None:
    own = make_demand(long_frame(days=40))
    fitted = fine_tune(trained, own, epochs=2, rate=30.0)
    assert fitted.report.best_epoch == 0
    assert all(np.array_equal(array, arrays(trained)[name]) for name, array in arrays(fitted.forecaster).items())


def test_a_few_days_are_enough(trained: Forecaster) -> None:
    few = meter("harbour", 300.0, days=3)
    fitted = fine_tune(trained, few, epochs=1, rate=1e-3)
    assert fitted.forecaster.spec.calibration == trained.spec.calibration
    assert np.isfinite(fitted.forecaster.predict(few, [utc("2024-03-03T12:00")]).frame["mean"]).all()


def test_killed_between_its_stages_it_ends_with_the_same_bits(trained: Forecaster, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    class Kill:
        def epoch(self, stage: str, epoch: int, epochs: int, metrics: dict[str, float]) -> None:
            if (stage, epoch) == ("fine-tune", 2):
                raise Stop

    new = meter("harbour", 300.0, days=20)
    whole = fine_tune(trained, new, epochs=3, rate=1e-2)
    with pytest.raises(Stop):
        fine_tune(trained, new, epochs=3, rate=1e-2, checkpoint=tmp_path, progress=Kill())
    resumed = fine_tune(trained, new, epochs=3, rate=1e-2, checkpoint=tmp_path)
    assert resumed.report.history == whole.report.history
    assert all(
        array.tobytes() == arrays(whole.forecaster)[name].tobytes()
        for name, array in arrays(resumed.forecaster).items()
    )


def test_other_columns_and_other_models_are_refused_by_name(trained: Forecaster) -> None:
    fewer = make_demand(long_frame(days=20), columns=Columns(known=("temperature",)))
    with pytest.raises(DataError, match=r"covariates past \(\), known \('temperature',\).*Declare the same columns"):
        fine_tune(trained, fewer, epochs=1, rate=1e-3)
    half_hours = make_demand(long_frame(days=20, freq="30min"), columns=EVERYTHING)
    with pytest.raises(DataError, match="a step of 0 days 00:30:00; expected the 0 days 01:00:00"):
        fine_tune(trained, half_hours, epochs=1, rate=1e-3)
    own = make_demand(long_frame(days=20))
    naive = fit(own, named("seasonal_naive_day"), TASK).forecaster
    with pytest.raises(RecipeError, match="fine-tuning of 'seasonal_naive_day'"):
        fine_tune(naive, own, epochs=1, rate=1e-3)


def test_impossible_wishes_are_refused_by_name(trained: Forecaster) -> None:
    own = make_demand(long_frame(days=20))
    with pytest.raises(RecipeError, match="freeze of 'tail'; expected parts of this network: encoder, decoder"):
        fine_tune(trained, own, epochs=1, rate=1e-3, freeze=("tail",))  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="at least one part that learns"):
        fine_tune(trained, own, epochs=1, rate=1e-3, freeze=get_args(Part))
    for wrong in ({"epochs": 0, "rate": 1e-3}, {"epochs": 1, "rate": 0.0}, {"epochs": 1, "rate": np.inf}):
        with pytest.raises(RecipeError, match="epochs from 1 and a finite rate above 0"):
            fine_tune(trained, own, **wrong)  # type: ignore[arg-type]
