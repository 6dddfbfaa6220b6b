"""Health told at a glance is the health that a closer look tells; and whatever is not in order gets the closer look."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import forecast.fallback.health as module
from forecast.fallback import Health
from forecast.tables import Columns, Demand
from tests.builders import long_frame, make_demand, plain, utc

CUTOFF = utc("2024-02-20T00:00")
WEATHER = Columns(known=("temperature",))


def closer(demand: Demand, monkeypatch: pytest.MonkeyPatch, cutoff: pd.Timestamp = CUTOFF) -> Health:
    with monkeypatch.context() as patched:
        patched.setattr(module, "whole", lambda *_, **__: None)
        return look(demand, cutoff)


def look(demand: Demand, cutoff: pd.Timestamp = CUTOFF) -> Health:
    return Health.of(demand, cutoff, context=168, horizon=24)


def assert_same(glance: Health, close: Health) -> None:
    for one in fields(Health):
        if one.name != "in_order":
            np.testing.assert_array_equal(getattr(glance, one.name), getattr(close, one.name), err_msg=one.name)


def series(y: np.ndarray, step: str = "1h") -> Demand:
    start = CUTOFF - len(y) * pd.Timedelta(step)
    return plain(y, start=f"{start:%Y-%m-%dT%H:%M}", freq=step)


@pytest.mark.parametrize("offset", [500.0, 0.0, -500.0], ids=["consumption", "both signs", "generation"])
@pytest.mark.parametrize("seed", range(4))
def test_both_say_the_same_of_series_in_order(
    offset: float, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    demand = series(np.random.default_rng(seed).normal(offset, 80, 400))
    glance = look(demand)
    assert glance.in_order
    assert_same(glance, closer(demand, monkeypatch))
    assert glance.well


def test_several_series_with_weather_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    demand = make_demand(long_frame(), columns=WEATHER)
    glance = look(demand)
    assert glance.in_order
    assert glance.names == ("north", "south")
    assert_same(glance, closer(demand, monkeypatch))


def test_a_table_narrowed_to_the_cutoff_is_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    demand = make_demand(long_frame()).as_of(CUTOFF)
    assert look(demand).in_order
    assert_same(look(demand), closer(demand, monkeypatch))


def wave() -> np.ndarray:
    return np.asarray(500 + 80 * np.sin(np.arange(400) / 24 * 2 * np.pi))


def _gap(y: np.ndarray) -> None:
    y[-30] = np.nan


def _late(y: np.ndarray) -> None:
    y[-3:] = np.nan


def _stuck(y: np.ndarray) -> None:
    y[-30:] = 42.0


def _absurd(y: np.ndarray) -> None:
    y[-50] = 1e9


def _negative(y: np.ndarray) -> None:
    y[-50] = -1e9


def _zero(y: np.ndarray) -> None:
    y[:] = 0.0


@pytest.mark.parametrize("harm", [_gap, _late, _stuck, _absurd, _negative, _zero])
def test_what_is_not_in_order_gets_the_closer_look(harm: object) -> None:
    y = wave()
    harm(y)  # type: ignore[operator]
    assert not look(series(y)).in_order


@pytest.mark.parametrize(
    "demand",
    [
        series(wave()[:100]),
        make_demand(long_frame(), delay="5h"),
        make_demand(long_frame(late=True)),
        make_demand(long_frame()).as_of(CUTOFF - pd.Timedelta("3h")),
    ],
    ids=["short", "delayed", "stated", "narrowed"],
)
def test_tables_that_say_more_get_the_closer_look(demand: Demand) -> None:
    assert not look(demand).in_order


def test_weather_that_ends_early_is_looked_at_closer() -> None:
    demand = make_demand(long_frame(), columns=WEATHER)
    end = demand.series[0].start + len(demand.series[0]) * demand.step
    cutoff = end - 10 * demand.step
    told = look(demand, cutoff)
    assert not told.in_order
    assert told.ahead_S.max() < 1


@given(
    st.lists(st.sampled_from([0.0, 1.0, -1.0, 2.0, 99.0, 100.0, 199.0, -200.0, 1e6, np.nan]), min_size=3, max_size=40),
    st.integers(2, 30),
    st.integers(-90, 90),
)
def test_any_series_is_told_the_same(y: list[float], context: int, minutes: int) -> None:
    if not np.isfinite(y).any():
        y[0] = 1.0
    demand, cutoff = series(np.array(y)), CUTOFF + pd.Timedelta(minutes=minutes)
    with pytest.MonkeyPatch.context() as patched:
        glance = Health.of(demand, cutoff, context=context, horizon=24)
        patched.setattr(module, "whole", lambda *_, **__: None)
        close = Health.of(demand, cutoff, context=context, horizon=24)
    assert_same(glance, close)
