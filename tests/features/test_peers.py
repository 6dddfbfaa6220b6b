"""What the other series say at a cutoff: as it was known then, in units that fit every series."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.features import Inputs, fit_features
from forecast.features.peers import NAMES, states
from forecast.recipe import FeatureConfig
from forecast.tables import Demand
from forecast.windows import origins_at

HOURS = 24 * 12
NAMED = {name: place for place, name in enumerate(NAMES)}


def frame(**more: float) -> pd.DataFrame:
    """Two series of one shape, the second a hundred times larger."""
    ds = pd.date_range("2024-03-01", periods=HOURS, freq="1h", tz="UTC")
    shape = 10 + 3 * np.sin(np.arange(HOURS) / 24 * 2 * np.pi)
    shape[-24:] += more.get("last_day", 0.0)
    return pd.concat([
        pd.DataFrame({"unique_id": name, "ds": ds, "y": scale * shape}) for name, scale in (("a", 1.0), ("b", 100.0))
    ])  # fmt: skip


def at(demand: Demand, moment: str, series: tuple[str, ...] = ("a", "b")) -> np.ndarray:
    return states(demand, series, np.array([pd.Timestamp(moment, tz="UTC").value]))[0]


def test_a_day_above_its_week_is_said_in_units_of_the_series_own_spread() -> None:
    flat, high = at(Demand.from_frame(frame()), "2024-03-13"), at(Demand.from_frame(frame(last_day=2.0)), "2024-03-13")
    np.testing.assert_allclose(flat, 0, atol=1e-4)
    np.testing.assert_allclose(high[0], high[1], rtol=1e-4)
    week = np.concatenate(
        [10 + 3 * np.sin(np.arange(24) / 24 * 2 * np.pi)] * 6 + [12 + 3 * np.sin(np.arange(24) / 24 * 2 * np.pi)]
    )
    np.testing.assert_allclose(high[0, :4], 2 / week.std(), rtol=1e-4)
    np.testing.assert_allclose(high[0, NAMED["last day against the day before"]], 2 / week.std(), rtol=1e-4)
    np.testing.assert_allclose(high[0, NAMED["last day against the week"]], 2 * 6 / 7 / week.std(), rtol=1e-4)


def test_nothing_later_than_the_cutoff_and_nothing_late_is_heard() -> None:
    moment = "2024-03-12"
    early, late = Demand.from_frame(frame()), Demand.from_frame(frame(last_day=5.0))
    np.testing.assert_array_equal(at(early, moment), at(late, moment))
    # With a day's delay the newest known day is the one before.
    delayed = Demand.from_frame(frame(last_day=5.0), delay="24h")
    told = at(delayed, "2024-03-13")
    assert np.isnan(told[:, :4]).all()
    narrowed = late.as_of("2024-03-12T12:00Z")
    assert np.isnan(at(narrowed, "2024-03-13")[:, 2:4]).all()
    assert np.isfinite(at(narrowed, "2024-03-13")[:, :2]).all()


def test_a_series_that_is_missing_constant_or_short_is_unknown() -> None:
    demand = Demand.from_frame(frame())
    assert np.isnan(at(demand, "2024-03-13", ("a", "gone"))[1]).all()
    constant = frame().assign(y=7.0)
    assert np.isnan(at(Demand.from_frame(constant), "2024-03-13")).all()
    assert np.isnan(at(demand, "2024-03-01")).all()


def inputs(demand: Demand, learned: Demand) -> Inputs:
    features = fit_features(FeatureConfig(reach_days=8), learned, 48)
    windows = features.window_set(
        demand, origins_at(demand, pd.DatetimeIndex(["2024-03-11", "2024-03-12"], tz="UTC")), 24
    )
    return features.inputs(windows, features.clock(windows), np.arange(len(windows)))


def test_windows_know_which_of_the_learned_series_they_are() -> None:
    both = Demand.from_frame(frame())
    peers_BSD = inputs(both, both).peers_BSD
    assert peers_BSD.shape == (4, 2, len(NAMES) + 1)
    np.testing.assert_array_equal(peers_BSD[:, :, -1], [[1, 0], [1, 0], [0, 1], [0, 1]])
    np.testing.assert_array_equal(peers_BSD[0, :, :-1], peers_BSD[2, :, :-1])
    stranger = Demand.from_frame(frame().replace({"unique_id": {"b": "c"}}))
    peers_BSD = inputs(stranger, both).peers_BSD
    np.testing.assert_array_equal(peers_BSD[:, :, -1], [[1, 0], [1, 0], [0, 0], [0, 0]])
    assert np.isnan(peers_BSD[:, 1, :-1]).all()


def test_one_series_alone_has_no_peers() -> None:
    alone = Demand.from_frame(frame().query("unique_id == 'a'"))
    assert inputs(alone, alone).peers_BSD.shape == (2, 0, len(NAMES) + 1)


def test_series_that_are_not_forecast_are_still_heard() -> None:
    both = Demand.from_frame(frame(last_day=2.0))
    some = both.select(["b"])
    np.testing.assert_array_equal(inputs(some, both).peers_BSD, inputs(both, both).peers_BSD[2:])
    assert [one.unique_id for one in some.series] == ["b"]
    assert [one.unique_id for one in some.select(["b"]).beside] == ["a"]
