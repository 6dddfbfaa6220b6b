"""`fit` with masked pre-training: its stages, and a run that is stopped in any of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from forecast.recipe import NetworkModel, Recipe, Task
from forecast.training import Fitted, fit
from forecast.training.progress import Progress, Silent
from tests.builders import TINY, long_frame, make_demand

DEMAND = make_demand(long_frame(days=20))


def recipe(pretrain: bool = True) -> Recipe:
    assert isinstance(TINY.model, NetworkModel)
    told = {"epochs": 2, "pretrain": {"epochs": 3, "span": 6} if pretrain else None}
    training = TINY.model.training.model_validate({**TINY.model.training.model_dump(), **told})
    features = TINY.features.model_copy(update={"reach_days": 3, "same_hour_days": 2})
    model = TINY.model.model_copy(update={"training": training})
    return TINY.model_copy(update={"model": model, "features": features})


def learn(checkpoint: Path | None = None, progress: Progress | None = None, pretrain: bool = True) -> Fitted:
    return fit(DEMAND, recipe(pretrain), Task(horizon=6), checkpoint=checkpoint, progress=progress or Silent())


@pytest.fixture(scope="module")
def undisturbed() -> Fitted:
    return learn()


def test_the_history_tells_every_stage(undisturbed: Fitted) -> None:
    stages = [row["stage"] for row in undisturbed.report.history]
    assert list(dict.fromkeys(stages)) == ["pretrain", "learn", "pretrain refit", "refit"]
    assert stages.count("pretrain") == stages.count("pretrain refit") == 3


def test_it_changes_what_is_learned(undisturbed: Fitted) -> None:
    plain = learn(pretrain=False).forecaster.model.arrays()
    ours = undisturbed.forecaster.model.arrays()
    assert plain.keys() == ours.keys()
    assert any(plain[name].tobytes() != ours[name].tobytes() for name in ours)


@pytest.mark.parametrize("stage", ["pretrain", "learn", "pretrain refit", "refit"])
def test_stopped_in_any_stage_it_ends_with_the_same_bits(stage: str, undisturbed: Fitted, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    class Kill:
        def epoch(self, name: str, epoch: int, epochs: int, metrics: dict[str, float]) -> None:
            if name == stage:
                raise Stop

    with pytest.raises(Stop):
        learn(tmp_path, Kill())
    resumed = learn(tmp_path)
    assert resumed.report.history == undisturbed.report.history
    ours, theirs = resumed.forecaster.model.arrays(), undisturbed.forecaster.model.arrays()
    assert all(ours[name].tobytes() == theirs[name].tobytes() for name in theirs)
