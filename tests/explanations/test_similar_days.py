"""Similar days: the encoder's own cosine, the true outcome, and nothing that was not over at the cutoff."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from forecast.explanations import explain
from forecast.explanations.past import inputs_at, same_clock
from forecast.forecaster import Forecaster
from forecast.networks.embedding import look_inside
from forecast.networks.runtime import NetworkRuntime
from forecast.tables import Demand
from tests.builders import long_frame, make_demand, utc
from tests.explanations.toys import CUTOFF, RECIPES, Mean, Shifted, nothing, step_at, with_model

DAY = pd.Timedelta(days=1)


@pytest.mark.parametrize("name", RECIPES)
def test_days_are_sorted_over_and_told_with_what_happened(
    name: str, fitted: dict[str, Forecaster], north: Demand
) -> None:
    similar = explain(fitted[name], north, CUTOFF).similar
    cosines = [day.similarity for day in similar.days]
    assert cosines == sorted(cosines, reverse=True)
    assert len({day.cutoff for day in similar.days}) == 5
    y = pd.Series(north.series[0].values_TC[:, 0], north.stamps(north.series[0]))
    for day in similar.days:
        assert day.cutoff + DAY <= CUTOFF
        assert day.cutoff.hour == CUTOFF.hour
        np.testing.assert_allclose(day.outcome_H, y[day.cutoff : day.cutoff + 23 * north.step])


def test_the_cosine_is_that_of_the_encoders_final_states(fitted: dict[str, Forecaster], north: Demand) -> None:
    similar = explain(fitted["looking"], north, CUTOFF).similar
    model = fitted["looking"].model
    assert isinstance(model, NetworkRuntime)
    days = [CUTOFF, *[day.cutoff for day in similar.days]]
    states = []
    hook = model.network.encoder.register_forward_hook(lambda _m, _i, out: states.append(out.state_BD.numpy()))
    model.quantiles(inputs_at(fitted["looking"].spec, north.as_of(CUTOFF), days, 24, np.arange(6)))
    hook.remove()
    today_D, past_ND = states[0][0], states[0][1:]
    cosine_N = past_ND @ today_D / np.linalg.norm(past_ND, axis=1) / np.linalg.norm(today_D)
    np.testing.assert_allclose([day.similarity for day in similar.days], cosine_N, atol=1e-5)
    assert similar.space == "the final state of the encoder (lstm)"
    assert similar.candidates == 54


@pytest.mark.parametrize("name", ["looking", "tiny", "transformer"])
def test_a_day_with_the_same_past_is_found_first(name: str, fitted: dict[str, Forecaster]) -> None:
    frame = long_frame(days=60, names=("north",))
    past = frame["ds"] < CUTOFF
    twin = (frame["ds"] >= CUTOFF - 30 * DAY) & (frame["ds"] < CUTOFF - 28 * DAY)
    rows = np.flatnonzero(past)[-48:]
    for column in ("y", "humidity", "temperature", "holiday"):
        frame.loc[twin, column] = frame[column].to_numpy()[rows]
    found = explain(fitted[name], make_demand(frame), CUTOFF).similar.days[0]
    assert found.cutoff == CUTOFF - 28 * DAY
    assert found.similarity == pytest.approx(1, abs=1e-5)


def test_an_ensemble_uses_its_first_member_with_an_encoder(fitted: dict[str, Forecaster], north: Demand) -> None:
    members = tuple(fitted[name].model for name in ("ridge", "tiny", "looking"))
    together = explain(with_model(fitted["tiny"], Mean(nothing, members)), north, CUTOFF).similar
    alone = explain(fitted["tiny"], north, CUTOFF).similar
    assert together.as_dict() == alone.as_dict()
    assert together.space.endswith("(gru)")
    inner = explain(with_model(fitted["tiny"], Shifted(nothing, fitted["tiny"].model)), north, CUTOFF).similar
    assert inner.space == alone.space


def test_a_model_without_encoder_compares_the_columns_ahead(fitted: dict[str, Forecaster], north: Demand) -> None:
    similar = explain(fitted["ridge"], north, CUTOFF).similar
    assert similar.space == "the columns ahead, standardised (the model has no encoder)"
    days = [CUTOFF - back * DAY for back in range(similar.candidates + 1)]
    inputs = inputs_at(fitted["ridge"].spec, north.as_of(CUTOFF), days, 24, np.arange(len(days)))
    known_NHF, value_NHF = inputs.future_mask_BHF > 0, inputs.future_BHF.astype(float)
    past = np.ma.array(value_NHF[1:], mask=~known_NHF[1:])
    moving_F = past.std((0, 1)).filled(0) > 1e-5
    z_NHF = (value_NHF - past.mean((0, 1)).filled(0)) / np.where(moving_F, past.std((0, 1)).filled(1), np.inf)
    z_ND = (np.clip(z_NHF, -3, 3) * known_NHF).reshape(len(days), -1)
    cosine_N = z_ND[1:] @ z_ND[0] / np.linalg.norm(z_ND[1:], axis=1) / np.linalg.norm(z_ND[0])
    order = np.argsort(-cosine_N)[:5]
    assert [day.cutoff for day in similar.days] == [days[1 + place] for place in order]
    np.testing.assert_allclose([day.similarity for day in similar.days], cosine_N[order], atol=1e-4)


def test_days_whose_outcome_is_still_on_its_way_are_left_out(fitted: dict[str, Forecaster], north: Demand) -> None:
    slow = replace(north, delay=3 * DAY)
    explanation = explain(fitted["ridge"], slow, CUTOFF)
    assert explanation.references[0] == CUTOFF - 4 * DAY
    assert all(day.cutoff <= CUTOFF - 4 * DAY for day in explanation.similar.days)


def test_a_gap_is_no_number_and_a_hole_no_day(fitted: dict[str, Forecaster]) -> None:
    frame = long_frame(days=60, names=("north",))
    frame.loc[frame["ds"] == step_at(5) - DAY, "y"] = np.nan
    frame.loc[(frame["ds"] >= step_at(0) - 3 * DAY) & (frame["ds"] < step_at(5) - 3 * DAY), "y"] = np.nan
    explanation = explain(fitted["ridge"], make_demand(frame), CUTOFF)
    assert list(explanation.references[:2]) == [CUTOFF - DAY, CUTOFF - 2 * DAY]
    assert CUTOFF - 3 * DAY not in explanation.references
    told = {day["cutoff"]: day["outcome"] for day in explanation.similar.as_dict()["days"]}
    yesterday = told.get((CUTOFF - DAY).isoformat())
    assert yesterday is not None, "yesterday is like today in this demand"
    assert [place for place, y in enumerate(yesterday) if y is None] == [5]


def test_the_local_clock_is_kept_where_clocks_change() -> None:
    lisbon = make_demand(long_frame(start="2024-03-20", days=20, names=("north",), zone="Europe/Lisbon"),
                         zone="Europe/Lisbon")  # fmt: skip
    cutoff = pd.Timestamp("2024-04-02T01:30", tz="Europe/Lisbon")
    moments = same_clock(cutoff, lisbon.series[0], lisbon.step, 24)
    local = moments.tz_convert("Europe/Lisbon").strftime("%m-%d %H:%M").tolist()
    # On 31 March 01:30 does not exist; the first day of the table has too little before it.
    assert local == [
        "04-01 01:30", "03-31 02:00", "03-30 01:30", "03-29 01:30", "03-28 01:30", "03-27 01:30", "03-26 01:30",
        "03-25 01:30", "03-24 01:30", "03-23 01:30", "03-22 01:30", "03-21 01:30",
    ]  # fmt: skip
    assert len(same_clock(utc("2024-03-20T12:00"), lisbon.series[0], lisbon.step, 24)) == 0


def test_a_batch_of_windows_gives_the_same_states_as_one_by_one(fitted: dict[str, Forecaster], north: Demand) -> None:
    model = fitted["transformer"].model
    assert isinstance(model, NetworkRuntime)
    days = [CUTOFF - back * DAY for back in range(3)]
    inputs = [inputs_at(fitted["transformer"].spec, north, days, 24, np.array(rows)) for rows in ([0, 1, 2], [1])]
    batch, alone = (look_inside(model.network, partial(model.quantiles, one)) for one in inputs)
    np.testing.assert_allclose(batch.state_BD[1], alone.state_BD[0], atol=1e-5)
    assert batch.mask_BL.shape == (3, 16)
