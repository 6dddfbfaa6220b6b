"""When a walk learns again, and who shares the cores."""

from __future__ import annotations

import pickle

import pytest

from forecast.cli.refitting import Refitting
from forecast.recipe import EnsembleModel, Recipe, RidgeModel
from forecast.recipes import named

ENSEMBLE = Recipe(name="both", model=EnsembleModel(members=(RidgeModel(), RidgeModel(alphas=(3.0,)))))


@pytest.mark.parametrize(
    ("refit", "warm", "shared"), [("never", False, (1, 4)), ("monthly", False, (4, 1)), ("monthly", True, (1, 4))]
)
def test_members_share_the_cores_where_folds_cannot(refit: str, warm: bool, shared: tuple[int, int]) -> None:
    refitting = Refitting.of(refit, warm)
    assert refitting.sharing([ENSEMBLE, named("ridge")], 4) == shared
    assert refitting.sharing([named("ridge")], 4) == (4, 1)


def test_a_warm_refit_can_be_sent_to_a_worker() -> None:
    assert Refitting.of("monthly", False).refresh is None
    refresh = Refitting.of("7", True).refresh
    assert pickle.loads(pickle.dumps(refresh)) is refresh is not None


def test_titles_say_how() -> None:
    assert [str(Refitting.of(*each)) for each in (("monthly", True), ("3", False))] == ["monthly, warm", "3"]
