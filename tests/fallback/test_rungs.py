"""The rungs below the models: the right numbers where something is known, valid ones always."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from forecast.fallback import CONSTANT, GROUP_PROFILE, SEASONAL_NAIVE, Known, Profile, Said, below
from forecast.fallback.spread import shares
from tests.builders import utc
from tests.fallback.test_known import CUTOFF, HOUR, meter, wave

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
MELBOURNE = "Australia/Melbourne"


def known_of(y: np.ndarray, length: int = 672) -> Known:
    return Known.of(meter(y), CUTOFF, length)


def valid(said: Said, shape: tuple[int, ...]) -> bool:
    ordered = (np.diff(said.quantiles_SHQ, axis=-1) >= 0).all()
    return bool(said.quantiles_SHQ.shape == shape and np.isfinite(said.quantiles_SHQ).all() and ordered
                and np.isfinite(said.mean_SH).all() and (said.mean_SH.shape == shape[:2]))  # fmt: skip


def test_last_week_again() -> None:
    y = wave(24 * 28)
    said = below(known_of(y), 48, LEVELS)
    assert said.rungs == (SEASONAL_NAIVE,)
    assert said.mean_SH[0] == pytest.approx(y[-168:][:48])
    assert said.quantiles_SHQ[0, :, 2] == pytest.approx(said.mean_SH[0])


def test_the_week_before_where_last_week_is_missing_and_a_day_where_no_week_is_there() -> None:
    y = wave(24 * 28)
    gone = y.copy()
    gone[-168 : -168 + 24] = np.nan
    assert below(known_of(gone), 24, LEVELS).mean_SH[0] == pytest.approx(y[-336:][:24])
    assert below(known_of(y[-72:]), 24, LEVELS).mean_SH[0] == pytest.approx(y[-24:])
    assert below(known_of(y), 24 * 15, LEVELS).mean_SH[0, -24:] == pytest.approx(y[-168:][:24])


@pytest.mark.parametrize("late", [24, 72, 200])
def test_bands_widen_with_staleness(late: int) -> None:
    y = np.cumsum(np.random.default_rng(3).normal(0, 5, 24 * 28)) + 2000
    old = y.copy()
    old[-late:] = np.nan
    fresh, stale = (below(known_of(one), 24, LEVELS) for one in (y, old))
    width, wider = (float(np.mean(one.quantiles_SHQ[..., -1] - one.quantiles_SHQ[..., 0])) for one in (fresh, stale))
    assert wider > (1.15 if late > 168 else 0.75) * width


def test_bands_hold_what_they_promise() -> None:
    """Of 80 % bands from the past alone, about 80 % hold the next day."""
    inside = []
    for seed in range(30):
        y = wave(24 * 29, seed) + np.random.default_rng(seed + 100).normal(0, 40, 29).repeat(24)
        said = below(known_of(y[:-24]), 24, (0.1, 0.5, 0.9))
        inside.append((said.quantiles_SHQ[0, :, 0] <= y[-24:]) & (y[-24:] <= said.quantiles_SHQ[0, :, 2]))
    assert 0.7 < np.mean(inside) < 0.92


def test_the_local_clock_is_kept_over_its_changes() -> None:
    """Demand that follows the local clock alone is forecast without error across the change."""
    cutoff = utc("2024-04-06T00:00")  # clocks go back in Melbourne on the 7th
    ds = pd.date_range(cutoff - 28 * 24 * HOUR, periods=30 * 24, freq="1h")
    local = ds.tz_convert(MELBOURNE)
    y = 100 + 10.0 * local.hour.to_numpy()
    known = Known(("a",), (MELBOURNE,), HOUR.value, np.array([cutoff.value]), y[None, : 28 * 24], np.array([28 * 24]))
    assert below(known, 48, LEVELS).mean_SH[0] == pytest.approx(y[28 * 24 :])


def test_a_new_meter_takes_the_shape_of_its_neighbours() -> None:
    y = wave(24 * 28)
    new = np.full_like(y, np.nan)
    new[-6:] = y[-6:] * 0.1
    known = known_of(y)
    both = Known(("old", "new"), known.zones * 2, known.step, known.first_S.repeat(2), np.stack([y, new]),
                 known.due_S.repeat(2))  # fmt: skip
    said = below(both, 24, LEVELS)
    assert said.rungs == (SEASONAL_NAIVE, GROUP_PROFILE)
    assert said.mean_SH[1] == pytest.approx(said.mean_SH[0] * 0.1, rel=0.1)
    alone = below(both.only(np.array([False, True])), 24, LEVELS)
    assert alone.rungs == (CONSTANT,), "alone, it has no neighbours"
    learned = Profile.of(meter(y))
    assert below(both.only(np.array([False, True])), 24, LEVELS, learned).rungs == (GROUP_PROFILE,)


def test_a_learned_series_of_which_nothing_is_known_has_its_level() -> None:
    y = wave(24 * 28)
    profile = Profile.of(meter(y))
    assert profile is not None
    assert Profile.model_validate_json(profile.model_dump_json()) == profile
    lost = replace(known_of(y), y_SL=np.full((1, 672), np.nan))
    said = below(lost, 24, LEVELS, profile)
    assert said.rungs == (GROUP_PROFILE,)
    assert said.mean_SH.mean() == pytest.approx(y.mean(), rel=0.1)
    other = below(replace(lost, names=("stranger",)), 24, LEVELS, profile)
    assert other.rungs == (CONSTANT,)
    assert other.mean_SH == pytest.approx(profile.levels["a"])


def test_the_last_resort_is_wide() -> None:
    y = wave(24 * 28)
    few = np.full_like(y, np.nan)
    few[-200:-195] = y[-200:-195]
    said = below(known_of(few), 24, LEVELS)
    assert said.rungs == (CONSTANT,)
    assert said.mean_SH == pytest.approx(np.median(y[-200:-195]))
    assert (said.quantiles_SHQ[..., -1] - said.quantiles_SHQ[..., 0] > 0.5 * said.mean_SH).all()
    nothing = below(replace(known_of(y), y_SL=np.full((1, 672), np.nan)), 3, LEVELS)
    assert valid(nothing, (1, 3, 5))
    assert (nothing.quantiles_SHQ[..., -1] > nothing.quantiles_SHQ[..., 0]).all()


def test_demand_that_is_never_negative_is_not_forecast_to_be() -> None:
    y = np.abs(np.random.default_rng(2).normal(0, 50, 24 * 28))
    assert (below(known_of(y), 24, (0.01, 0.5)).quantiles_SHQ >= 0).all()
    assert (below(known_of(y - 60), 24, (0.01, 0.5)).quantiles_SHQ < 0).any(), "a feeder that feeds back may be"


NUMBERS = st.one_of(st.just(np.nan), st.floats(-1e12, 1e12))


@settings(max_examples=150, deadline=None)
@given(
    y_SL=arrays.arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 80)), elements=NUMBERS),
    horizon=st.integers(1, 60),
    levels=st.lists(st.floats(0.001, 0.999), min_size=1, max_size=6, unique=True).map(sorted),
    step=st.sampled_from(["10min", "1h", "5h", "1D"]),
    zone=st.sampled_from(["UTC", MELBOURNE, "Australia/Lord_Howe", "+05:45"]),
    profile=st.sampled_from([None, Profile.of(meter(wave(24 * 14)))]),
)
def test_whatever_is_known_the_answer_is_valid(
    y_SL: np.ndarray, horizon: int, levels: list[float], step: str, zone: str, profile: Profile | None
) -> None:
    count, length = y_SL.shape
    first = utc("2024-04-06T20:00").value
    known = Known(tuple("abc"[:count]), (zone,) * count, pd.Timedelta(step).value, np.full(count, first), y_SL,
                  np.full(count, length))  # fmt: skip
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        said = below(known, horizon, levels, profile)
    assert valid(said, (count, horizon, len(levels)))
    assert set(said.rungs) <= {SEASONAL_NAIVE, GROUP_PROFILE, CONSTANT}


def test_shares_are_even() -> None:
    assert shares((0.25, 0.5, 0.75)).tolist() == [0.5, 0, 0.5]
