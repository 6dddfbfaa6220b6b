"""Several questions in one pass: each gets what it would have got alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError, ForecastError, RequestError
from forecast.forecaster import Forecaster, Replies, Wish
from forecast.networks.configs import DirectConfig, NetworkConfig, RecurrentConfig
from forecast.recipe import CorrectionConfig, FeatureConfig, NetworkModel, Recipe, RidgeModel, Task, TrainingConfig
from forecast.tables import Columns, Demand, quantile_columns
from forecast.training import fit

START = pd.Timestamp("2014-03-01T00:00Z")
ZONES = {"east": "Australia/Melbourne", "north": "Europe/Lisbon", "west": "Asia/Kathmandu"}
NAMES = ["mean", *quantile_columns()]
LEARNED_UNTIL = START + pd.Timedelta(days=40)


@pytest.fixture(scope="module")
def demand() -> Demand:
    hours, draw = np.arange(60 * 24), np.random.default_rng(3)
    parts = []
    for place, name in enumerate(ZONES):
        warm = 15 + 8 * np.sin(2 * np.pi * hours / 24) + draw.normal(0, 2, len(hours))
        y = (1 + place) * (10 + 3 * np.sin(2 * np.pi * (hours - 6) / 24) + 0.05 * warm) + draw.normal(
            0, 0.2, len(hours)
        )
        y[draw.integers(0, len(y), 9)] = np.nan
        ds = START + pd.to_timedelta(hours, "h")
        parts.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": y, "warm": warm}))
    return Demand.from_frame(pd.concat(parts), columns=Columns(known=("warm",)), zone=ZONES)


@pytest.fixture(scope="module", params=["network of several", "corrected ridge"])
def forecaster(request: pytest.FixtureRequest, demand: Demand) -> Forecaster:
    features, table = FeatureConfig(reach_days=9), demand.as_of(LEARNED_UNTIL)
    if request.param == "corrected ridge":
        recipe = Recipe(
            name="corrected", model=RidgeModel(), context="2d", features=features, correction=CorrectionConfig(days=3)
        )
        return fit(table, recipe, Task(horizon=24, every="1d")).forecaster
    network = NetworkConfig(encoder=RecurrentConfig(width=8), decoder=DirectConfig(width=8))
    training = TrainingConfig(epochs=1, windows_per_epoch=128, batch=32, final="keep")
    recipe = Recipe(
        name="small", model=NetworkModel(network=network, training=training), context="2d", features=features
    )
    return fit(table, recipe, Task(horizon=24)).forecaster


def wishes(demand: Demand) -> list[Wish]:
    """Horizons and days, of all series and of some, from moments days and months apart."""
    moments = [LEARNED_UNTIL + pd.Timedelta(hours=one) for one in (0, 7, 31, 120)]
    alone = replace(demand.select(["north"]), beside=())
    return [
        *[Wish(demand, moment, horizon=24) for moment in moments],
        Wish(alone, moments[1], horizon=24),
        Wish(demand, moments[1], horizon=5),
        Wish(demand, moments[2], day=f"{moments[2] + pd.Timedelta(days=2):%Y-%m-%d}"),
        Wish(demand.select(["west", "east"]), moments[0]),
        Wish(demand.as_of(moments[1]), moments[1], horizon=24),
        Wish(demand.as_of(moments[2]), moments[1], horizon=24),
        Wish(demand.as_of(moments[1] - pd.Timedelta(hours=5)), moments[1], horizon=24),
    ]


def expected(forecaster: Forecaster, wish: Wish) -> tuple[pd.DataFrame, tuple[str, ...]]:
    if wish.day is not None:
        said = forecaster.predict_days(wish.demand, [wish.day], cutoff=wish.cutoff)
    else:
        said = forecaster.predict(wish.demand, [wish.cutoff], horizon=wish.horizon)
    return said.frame, said.warnings


def as_frame(answer: Replies | ForecastError) -> pd.DataFrame:
    assert isinstance(answer, Replies), answer
    parts = [
        pd.DataFrame(
            {"unique_id": one.unique_id, "ds": pd.to_datetime(one.ds_H, utc=True), "mean": one.mean_H}
            | {name: one.quantiles_HQ[:, place] for place, name in enumerate(quantile_columns())}
        )
        for one in answer.told
    ]
    return pd.concat(parts, ignore_index=True)


def test_one_question_alone_is_answered_bit_for_bit(forecaster: Forecaster, demand: Demand) -> None:
    for wish in wishes(demand):
        said, (frame, warnings) = forecaster.replies([wish])[0], expected(forecaster, wish)
        got = as_frame(said).set_index(["unique_id", "ds"])
        frame = frame.set_index(["unique_id", "ds"])
        assert isinstance(said, Replies)
        assert sorted(said.warnings) == sorted(warnings)
        np.testing.assert_array_equal(got[NAMES].to_numpy(), frame.loc[got.index, NAMES].to_numpy(), strict=True)
        assert len(got) == len(frame)


def test_tables_narrowed_to_their_cutoffs_go_together(
    forecaster: Forecaster, demand: Demand, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    moments = [LEARNED_UNTIL + pd.Timedelta(hours=one) for one in range(4)]
    passes: list[int] = []
    asked = type(forecaster.model).quantiles

    def counted(model: Any, inputs: Any) -> Any:
        passes.append(len(inputs.past_BLP))
        return asked(model, inputs)

    monkeypatch.setattr(type(forecaster.model), "quantiles", counted)
    forecaster.replies([Wish(demand.as_of(moment), moment, horizon=24) for moment in moments])
    assert len(passes) == 1
    forecaster.replies([Wish(demand.as_of(moment), moment + pd.Timedelta("1h"), horizon=24) for moment in moments])
    assert len(passes) == 1 + len(moments)


def test_together_they_are_answered_alike(forecaster: Forecaster, demand: Demand) -> None:
    asked = wishes(demand)
    for wish, said in zip(asked, forecaster.replies(asked), strict=True):
        frame, warnings = expected(forecaster, wish)
        got, frame = as_frame(said).set_index(["unique_id", "ds"]), frame.set_index(["unique_id", "ds"])
        assert isinstance(said, Replies)
        assert sorted(said.warnings) == sorted(warnings)
        assert len(got) == len(frame)
        np.testing.assert_allclose(got[NAMES].to_numpy(), frame.loc[got.index, NAMES].to_numpy(), rtol=1e-5)


def test_a_question_without_an_answer_spoils_no_other(forecaster: Forecaster, demand: Demand) -> None:
    good = Wish(demand, LEARNED_UNTIL, horizon=24)
    too_far = Wish(demand, LEARNED_UNTIL, horizon=24 * 16)
    over = Wish(demand, LEARNED_UNTIL, day="2014-03-02")
    bare = Wish(Demand.from_frame(demand.to_frame()[["unique_id", "ds", "y"]]), LEARNED_UNTIL)
    said = forecaster.replies([too_far, good, over, bare])
    assert [type(one) for one in said] == [RequestError, Replies, RequestError, DataError]
    np.testing.assert_array_equal(
        as_frame(said[1])[NAMES].to_numpy(), as_frame(forecaster.replies([good])[0])[NAMES].to_numpy()
    )
