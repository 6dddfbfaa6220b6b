"""Attention over history is the network's own, by lead, on a clock; a model without any says why."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from forecast.explanations import explain
from forecast.explanations.past import inputs_at
from forecast.forecaster import Forecaster
from forecast.networks.attention import attention_weights
from forecast.networks.runtime import NetworkRuntime, tensors
from forecast.tables import Demand
from tests.explanations.toys import CUTOFF, Mean, Shifted, nothing, with_model


def own_weights(forecaster: Forecaster, demand: Demand, part: str) -> np.ndarray:
    """Mean over heads of one part's weights, [H, encoder steps]."""
    assert isinstance(forecaster.model, NetworkRuntime)
    today = inputs_at(forecaster.spec, demand.as_of(CUTOFF), [CUTOFF], 24, np.arange(1))
    weights = attention_weights(forecaster.model.network, *tensors(today))
    return weights[part][0].mean(0).double().numpy()


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "part", "hours"), [("looking", "decoder.attention", 1), ("transformer", "decoder.layers.0.cross", 3)]
)
def test_the_parts_that_look_at_history_are_shown_on_its_clock(
    name: str, part: str, hours: int, fitted: dict[str, Forecaster], north: Demand
) -> None:
    attention = explain(fitted[name], north, CUTOFF).attention
    assert attention is not None
    np.testing.assert_allclose(attention.weights_HL, own_weights(fitted[name], north, part), atol=1e-6)
    np.testing.assert_allclose(attention.weights_HL[:, attention.known_L].sum(1), 1, rtol=1e-5)
    assert attention.weights_HL.shape == (24, 48 // hours)
    assert attention.length == pd.Timedelta(hours=hours)
    assert (attention.ds[0], attention.ds[-1]) == (CUTOFF - pd.Timedelta(days=2), CUTOFF - attention.length)


def test_an_ensemble_is_averaged_by_lag_over_the_members_that_look(
    fitted: dict[str, Forecaster], north: Demand
) -> None:
    members = tuple(fitted[name].model for name in ("ridge", "looking", "tiny", "transformer"))
    attention = explain(with_model(fitted["looking"], Mean(nothing, members)), north, CUTOFF).attention
    assert attention is not None
    hourly = own_weights(fitted["looking"], north, "decoder.attention").reshape(24, 16, 3).sum(2)
    expected = (hourly + own_weights(fitted["transformer"], north, "decoder.layers.0.cross")) / 2
    np.testing.assert_allclose(attention.weights_HL, expected, atol=1e-6)
    assert (attention.networks, attention.length) == (2, pd.Timedelta("3h"))


def test_a_network_inside_another_model_is_seen_with_what_it_is_fed(
    fitted: dict[str, Forecaster], north: Demand
) -> None:
    wrapped = Shifted(nothing, fitted["looking"].model)
    inside, outside = (explain(with_model(fitted["looking"], one), north, CUTOFF).attention
                       for one in (wrapped, fitted["looking"].model))  # fmt: skip
    assert inside is not None
    assert outside is not None
    np.testing.assert_allclose(inside.weights_HL.sum(1), 1, rtol=1e-5)
    assert np.abs(inside.weights_HL - outside.weights_HL).max() > 1e-6


@pytest.mark.parametrize(
    ("name", "reason"), [("ridge", "kind 'ridge' holds no network"), ("tiny", r"decoder \(direct\).*no single hour")]
)
def test_a_model_that_attends_to_nothing_says_why(
    name: str, reason: str, fitted: dict[str, Forecaster], north: Demand
) -> None:
    explanation = explain(fitted[name], north, CUTOFF)
    assert explanation.attention is None
    assert explanation.as_dict()["attention"] is None
    assert re.search(reason, explanation.no_attention)


def test_watching_leaves_no_hook_behind(fitted: dict[str, Forecaster], north: Demand) -> None:
    explain(fitted["transformer"], north, CUTOFF)
    model = fitted["transformer"].model
    assert isinstance(model, NetworkRuntime)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.network.modules())
