"""Several models as one: the mean of each quantile, whoever learned it and wherever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.forecaster import Ensemble, Forecaster
from forecast.recipe import EnsembleModel, Recipe, Task
from forecast.tables import Columns, Demand
from forecast.training import fit
from forecast.training.loop import Loop
from forecast.windows import origins_at
from tests.builders import TINY, TINY_ENSEMBLE, long_frame, make_demand, utc

CUTOFF = utc("2024-03-06")
TASK = Task(horizon=24)
TWINS = Recipe(
    name="twins", context="2d",
    model=EnsembleModel(members=(TINY.model, TINY.model)),  # type: ignore[arg-type]
).seeded(3)  # fmt: skip


@pytest.fixture(scope="module")
def demand() -> Demand:
    frame = long_frame(days=55, names=["north"])
    return make_demand(frame, columns=Columns(known=("temperature",)), zone="Europe/Lisbon")


@pytest.fixture(scope="module")
def forecaster(demand: Demand) -> Forecaster:
    return fit(demand.as_of(CUTOFF), TINY_ENSEMBLE, TASK).forecaster


def test_each_quantile_is_the_mean_of_the_members_and_none_cross(forecaster: Forecaster, demand: Demand) -> None:
    reader, model = forecaster.spec.column_reader, forecaster.model
    assert isinstance(model, Ensemble)
    assert [member.kind for member in model.members] == ["residual", "ridge", "trees"]
    windows = reader.window_set(demand, origins_at(demand, list(pd.date_range(CUTOFF, periods=9, freq="19h"))), 24)
    inputs = reader.inputs(windows, reader.clock(windows), np.arange(len(windows)))
    said = [member.quantiles(inputs).astype(np.float64) for member in model.members]
    together = model.quantiles(inputs)
    np.testing.assert_allclose(together, (said[0] + said[1] + said[2]) / 3, rtol=1e-6)
    assert (np.diff(together, axis=2) >= 0).all()
    assert np.abs(said[0] - said[1]).max() > 1
    assert (np.diff(forecaster.predict(demand, [CUTOFF]).frame.filter(regex=r"^q"), axis=1) >= 0).all()


def test_a_saved_one_says_the_same_bits(forecaster: Forecaster, demand: Demand, tmp_path: Path) -> None:
    forecaster.save(tmp_path / "model")
    again = Forecaster.load(tmp_path / "model")
    assert (again.spec, again.spec.model_kind) == (forecaster.spec, "ensemble")
    assert again.spec.correction is not None
    np.testing.assert_array_equal(again.ranks_DH, forecaster.ranks_DH)
    cutoffs = list(pd.date_range(CUTOFF, periods=4, freq="31h"))
    one, other = (each.predict(demand, cutoffs).frame for each in (forecaster, again))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def bits(forecaster: Forecaster) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in forecaster.arrays().items()}


def test_equal_members_differ_by_their_seeds(demand: Demand) -> None:
    fitted = fit(demand.as_of(CUTOFF), TWINS, TASK)
    assert [training.seed for training in TWINS.trainings] == [3, 4]
    arrays = fitted.forecaster.model.arrays()
    name = next(name for name in arrays if name.startswith("0/") and "encoder" in name and arrays[name].std() > 0)
    assert (arrays[name] != arrays[name.replace("0/", "1/", 1)]).any()
    assert {row["member"] for row in fitted.report.history} == {0, 1}


@pytest.mark.long
def test_members_learned_side_by_side_are_the_same_bits(demand: Demand) -> None:
    told: list[tuple[str, int, int]] = []

    class Progress:
        def epoch(self, stage: str, done: int, until: int, metrics: dict[str, float]) -> None:
            told.append((stage, done, until))

    recipe = TWINS.model_copy(update={"correction": TINY_ENSEMBLE.correction})
    one = fit(demand.as_of(CUTOFF), recipe, TASK)
    two = fit(demand.as_of(CUTOFF), recipe, TASK, processes=2, progress=Progress())
    assert bits(one.forecaster) == bits(two.forecaster)
    assert one.forecaster.spec == two.forecaster.spec
    assert one.report.history == two.report.history
    assert told == [("members", 1, 2), ("members", 2, 2)]


def test_a_killed_ensemble_goes_on_with_the_member_that_was_learning(
    demand: Demand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, honest, epochs = demand.as_of(CUTOFF), Loop._epoch, []
    whole = fit(table, TWINS, TASK).forecaster

    def dying(self: Loop, epoch: int) -> Any:
        if self.config.seed == 4:
            raise KeyboardInterrupt
        return honest(self, epoch)

    with monkeypatch.context() as patched:
        patched.setattr(Loop, "_epoch", dying)
        with pytest.raises(KeyboardInterrupt):
            fit(table, TWINS, TASK, checkpoint=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["member-0"]
    with monkeypatch.context() as patched:
        patched.setattr(Loop, "_epoch", lambda self, epoch: epochs.append(self.config.seed) or honest(self, epoch))
        again = fit(table, TWINS, TASK, checkpoint=tmp_path).forecaster
    assert set(epochs) == {4}, "the first member was learned already"
    assert bits(again) == bits(whole)
