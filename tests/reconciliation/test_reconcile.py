"""Children sum to their parents at every level: as properties, beside references, and what cannot be reconciled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from forecast.errors import DataError, RequestError
from forecast.reconciliation import COHERENT, METHODS, Hierarchy, PastErrors, reconcile
from forecast.reconciliation.projection import Projection
from forecast.reconciliation.weights import learned, structural
from forecast.tables import LEVELS, Forecast, mean_of_quantiles, quantile_columns
from tests.reconciliation.families import CITY, CUTOFF, drawn, errors, said, values, wide

FAMILY = CITY.families[0]
NAMES = FAMILY.names
LEARNED = ("variance", "mint")


def given_errors(method: str) -> pd.DataFrame | None:
    return errors(NAMES) if method in LEARNED else None


@st.composite
def forests(draw: st.DrawFn) -> Hierarchy:
    """Any forest of 2 to 12 series: every series but the first may hang on one before it."""
    count = draw(st.integers(2, 12))
    above = [draw(st.none() | st.integers(0, at - 1)) for at in range(1, count - 1)] + [draw(st.integers(0, count - 2))]
    return Hierarchy({f"s{at + 1}": f"s{parent}" for at, parent in enumerate(above) if parent is not None})


@given(hierarchy=forests(), seed=st.integers(0, 999), method=st.sampled_from(METHODS), low=st.sampled_from([0.0, -9.0]))
@settings(max_examples=60)
def test_coherent_monotone_and_not_negative(hierarchy: Hierarchy, seed: int, method: str, low: float) -> None:
    names = sorted(hierarchy.names)
    base = said(drawn([*names, "alone"], np.random.default_rng(seed), low=low))
    past = errors(names, seed) if method in LEARNED else None
    made = reconcile(base, hierarchy, method, errors=past, time_limit_s=60)
    for family in hierarchy.families:
        made_NKQ = values(made, family.names)
        assert family.gap(made_NKQ.reshape(len(made_NKQ), -1)) <= COHERENT
        assert (np.diff(made_NKQ, axis=-1) >= 0).all()
        free_N = (values(base, family.names) < 0).any(axis=(1, 2))
        bounded = [at for at, name in enumerate(family.names) if not free_N[at] and name in family.leaves]
        assert (made_NKQ[bounded] >= 0).all()
        if not free_N[len(family.parents) :].any():
            assert (made_NKQ >= 0).all()
        assert made.frame["mean"].to_numpy() == pytest.approx(_means(made), rel=1e-9, abs=1e-9)
    kept = made.frame["unique_id"] == "alone"
    pd.testing.assert_frame_equal(made.frame[kept], base.frame[kept])
    pd.testing.assert_frame_equal(made.frame[["unique_id", "cutoff", "ds"]], base.frame[["unique_id", "cutoff", "ds"]])
    assert made.warnings == ()


def _means(forecast: Forecast) -> np.ndarray:
    return mean_of_quantiles(forecast.frame[quantile_columns(forecast.levels)].to_numpy(), forecast.levels)


@pytest.mark.parametrize("method", METHODS)
@given(seed=st.integers(0, 999))
@settings(max_examples=8)
def test_what_is_coherent_stays(method: str, seed: int) -> None:
    leaves = drawn(FAMILY.leaves, np.random.default_rng(seed))
    stacked = np.stack([leaves[name].ravel() for name in FAMILY.leaves])
    whole = dict(zip(NAMES, FAMILY.whole(stacked).reshape(len(NAMES), -1, len(LEVELS)), strict=True))
    base = said(whole)
    made = reconcile(base, CITY, method, errors=given_errors(method))
    assert values(made, NAMES) == pytest.approx(values(base, NAMES), rel=1e-9, abs=1e-9)
    again = reconcile(made, CITY, method, errors=given_errors(method))
    assert values(again, NAMES) == pytest.approx(values(made, NAMES), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("method", [*LEARNED, "structural"])
def test_no_bias_is_added(method: str) -> None:
    """S P S = S: the expectation of unbiased base forecasts is coherent, and coherent values come back."""
    weight = structural(FAMILY) if method == "structural" else learned(method, errors(NAMES).to_numpy())
    projection = Projection.of(FAMILY, weight)
    summing_NM = FAMILY.whole(np.eye(len(FAMILY.leaves)))
    assert projection.leaves(summing_NM) == pytest.approx(np.eye(len(FAMILY.leaves)), abs=1e-9)
    truth_N = summing_NM @ [3.0, 5.0, 7.0, 2.0]
    noisy_NK = truth_N[:, None] + np.random.default_rng(0).normal(size=(len(NAMES), 40_000))
    found_N = FAMILY.whole(projection.leaves(noisy_NK)).mean(axis=1)
    assert found_N == pytest.approx(truth_N, abs=0.06)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("mint", "mint_shrink"), ("variance", "wls_var"), ("structural", "wls_struct")]
)
def test_as_hierarchicalforecast_says(ours: str, theirs: str) -> None:
    methods = pytest.importorskip("hierarchicalforecast.methods", reason="needs hierarchicalforecast (extra bench)")
    past_EN = errors(NAMES).to_numpy()
    # The reference's variance counts the bias, ours does not; it refuses errors whose sum is exactly zero.
    past_EN += 1e-5 - past_EN.mean(axis=0)
    base = said(
        {name: 9 * one[:, :1] for name, one in drawn(NAMES, np.random.default_rng(4), steps=6).items()}, levels=(0.5,)
    )
    found_NK = methods.MinTrace(method=theirs).fit_predict(
        S=FAMILY.whole(np.eye(len(FAMILY.leaves))), y_hat=values(base, NAMES)[..., 0], y_insample=past_EN.T,
        y_hat_insample=np.zeros_like(past_EN.T),
    )["mean"]  # fmt: skip
    past = pd.DataFrame(past_EN, columns=list(NAMES)) if ours in LEARNED else None
    made = reconcile(base, CITY, ours, errors=past, non_negative=False)
    assert values(made, NAMES)[..., 0] == pytest.approx(found_NK, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("method", ["structural", "mint"])
@given(seed=st.integers(0, 999))
@settings(max_examples=25)
def test_within_bounds_it_is_the_nearest(method: str, seed: int) -> None:
    """A single level, whose only bound is zero, beside another solver of the same quadratic programme."""
    rng = np.random.default_rng(seed)
    base = said({name: np.round(rng.exponential(2, (1, 1)), 2) for name in NAMES}, levels=(0.5,))
    weight = structural(FAMILY) if method == "structural" else learned("mint", errors(NAMES).to_numpy())
    made_N = values(reconcile(base, CITY, method, errors=given_errors(method)), NAMES)[:, 0, 0]
    root_NN = np.linalg.cholesky(np.linalg.inv(weight if weight.ndim == 2 else np.diag(weight))).T
    summing_NM = FAMILY.whole(np.eye(len(FAMILY.leaves)))
    found = lsq_linear(root_NN @ summing_NM, root_NN @ values(base, NAMES)[:, 0, 0], (0, np.inf), method="bvls")
    assert made_N == pytest.approx(summing_NM @ found.x, rel=1e-6, abs=1e-6)


def test_net_load_may_be_negative() -> None:
    sun = {"all": [[-2.0, -1.0]], "use": [[3.0, 4.0]], "sun": [[-6.0, -5.0]]}
    made = reconcile(said(sun, levels=(0.4, 0.6)), Hierarchy({"use": "all", "sun": "all"}), "structural")
    assert wide(made, "q0.6").to_numpy().min() < 0
    # The leaf that is nowhere negative stays so, unless nothing is bounded.
    dark = {"all": [[0.0, 0.0]], "a": [[0.1, 0.2]], "b": [[9.0, 9.0]]}
    parts = Hierarchy({"a": "all", "b": "all"})
    assert wide(reconcile(said(dark, levels=(0.4, 0.6)), parts), "q0.4")["a"].item() == 0
    free = reconcile(said(dark, levels=(0.4, 0.6)), parts, non_negative=False)
    assert wide(free, "q0.4")["a"].item() < -1


def test_without_time_leaves_are_cut_and_it_is_said() -> None:
    base = said(drawn(NAMES, np.random.default_rng(1)))
    whole = reconcile(base, CITY, "structural", time_limit_s=60)
    cut = reconcile(base, CITY, "structural", time_limit_s=0)
    assert whole.warnings == ()
    (told,) = cut.warnings
    assert "were not solved within 0 s" in told
    cut_NKQ = values(cut, NAMES)
    assert FAMILY.gap(cut_NKQ.reshape(len(NAMES), -1)) <= COHERENT
    assert (cut_NKQ >= 0).all()
    assert not np.allclose(cut_NKQ, values(whole, NAMES))


def test_only_errors_known_before_each_cutoff_count() -> None:
    """Two cutoffs: what became known between them moves the second only; what is known later moves neither."""
    known_at = pd.date_range("2024-02-01", periods=60 * 24, freq="1h", tz="UTC")
    past = errors(NAMES, count=len(known_at)).set_axis(known_at)
    steps = drawn(NAMES, np.random.default_rng(2), steps=4)
    base = said({name: 50 + one for name, one in steps.items()}, cutoffs=(CUTOFF, "2024-03-11"))
    first, second = (pd.Timestamp(day, tz="UTC") for day in (CUTOFF, "2024-03-11"))
    made = wide(reconcile(base, CITY, errors=past))
    late, between = past.copy(), past.copy()
    late[known_at > second] = 1e9
    between.loc[(known_at > first) & (known_at <= second), "hill"] *= 50
    pd.testing.assert_frame_equal(wide(reconcile(base, CITY, errors=late)), made)
    moved = wide(reconcile(base, CITY, errors=between))
    pd.testing.assert_frame_equal(moved.loc[[first]], made.loc[[first]])
    assert not np.allclose(moved.loc[second], made.loc[second])


def test_a_walk_tells_errors_once_its_periods_are_over() -> None:
    hours = pd.date_range("2024-02-01", periods=48, freq="1h", tz="UTC")
    walk = pd.DataFrame({"unique_id": "a", "cutoff": hours[0], "ds": hours, "y": 5.0, "mean": 9.0, "q0.5": 3.0})
    past = PastErrors.of(walk.assign(model="ridge"), "ridge", delay="2h")
    assert len(past.known(["a"], hours[0] + pd.Timedelta("3h"))) == 1
    assert past.known(["a"], hours[0] + pd.Timedelta("4h")).tolist() == [[2.0], [2.0]]
    both = pd.concat([walk.assign(model="ridge"), walk.assign(model="lstm", y=4.0)])
    assert PastErrors.of(both, "lstm").known(["a"], hours[-1])[0].tolist() == [1.0]
    with pytest.raises(RequestError, match="past errors of ridge, lstm, and a forecast of 'gru'"):
        PastErrors.of(both, "gru")


def test_too_few_errors_fall_back_and_say_so() -> None:
    base = said(drawn(NAMES, np.random.default_rng(3)))
    made = reconcile(base, CITY, "mint", errors=errors(NAMES, count=19))
    (told,) = made.warnings
    assert (
        "fewer than 20 past moments with errors of every series of the family of 'city' were known at 1 cutoff" in told
    )
    assert "by spread instead of mint" in told
    assert values(made, NAMES).tolist() == values(reconcile(base, CITY, "spread"), NAMES).tolist()


def _without(base: Forecast, drop: pd.Series) -> Forecast:
    return Forecast(base.frame[~drop].reset_index(drop=True), base.unit, base.model)


def test_what_is_missing_is_named() -> None:
    base = said(drawn(NAMES, np.random.default_rng(5)))
    name, ds = base.frame["unique_id"], base.frame["ds"]
    with pytest.raises(DataError, match="the forecast has no hill"):
        reconcile(_without(base, name == "hill"), CITY)
    with pytest.raises(DataError, match=r"series 'lake': no forecast of it at 1 moments .*2024-03-01 ?T?02"):
        reconcile(_without(base, (name == "lake") & (ds == ds.max())), CITY)
    with pytest.raises(RequestError, match="a hierarchy of a, b and a forecast of city"):
        reconcile(base, Hierarchy({"a": "b"}))
    with pytest.raises(DataError, match="no past errors of mill"):
        reconcile(base, CITY, errors=errors(NAMES[:-1]))


def test_mixed_frequencies_are_refused() -> None:
    rng = np.random.default_rng(6)
    fine = said(drawn(NAMES[1:], rng, steps=6), freq="30min")
    coarse = said(drawn(NAMES[:1], rng, steps=3))
    both = Forecast(pd.concat([coarse.frame, fine.frame], ignore_index=True), "MW", "ridge")
    with pytest.raises(DataError, match=r"mixed frequencies \(city: 0 days 01:00:00, north: 0 days 00:30:00"):
        reconcile(both, CITY)


@pytest.mark.parametrize(
    ("method", "told"), [("mean", "method 'mean' is not known"), ("mint", "method mint without past errors")]
)
def test_methods_that_cannot_be(method: str, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        reconcile(said(drawn(NAMES, np.random.default_rng(7))), CITY, method)
