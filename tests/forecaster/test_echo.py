"""The errors of the days before: each outcome exactly as the wanted cutoff knew it, and nothing later."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.calendars import cutoffs, gate_cutoff
from forecast.forecaster.echo import Echo, Moments
from forecast.tables import Demand
from forecast.windows import origins_at
from tests.builders import long_frame, make_demand

MELBOURNE, LISBON = "Australia/Melbourne", "Europe/Lisbon"


def heard(demand: Demand, wanted: pd.DatetimeIndex, days: int, zone: str, horizon: int) -> tuple[Moments, Echo]:
    moments = Moments.of(wanted, days, zone)
    return moments, Echo.of(demand, origins_at(demand, moments.all_M), moments, horizon)


def by_hand(demand: Demand, cutoff: pd.Timestamp, earlier: pd.Timestamp, horizon: int) -> np.ndarray:
    """What a table narrowed to the cutoff shows of the periods that the earlier moment forecast; [S, H], NaN."""
    known = demand.as_of(cutoff).to_frame()
    rows = []
    for one in demand.series:
        y = known.loc[known["unique_id"] == one.unique_id].set_index("ds")["y"]
        first = one.start + -(-(earlier - one.start) // demand.step) * demand.step
        rows.append(y.reindex(pd.date_range(first, periods=horizon, freq=demand.step)).to_numpy(dtype=np.float32))
    return np.stack(rows)


CASES = {
    "at once": {},
    "delayed": {"delay": "7h"},
    "delayed by days": {"delay": "50h"},
    "each row late": {"late": True},
    "half-hours": {"freq": "30min", "horizon": 48},
    "april": {"zone": MELBOURNE, "start": "2024-03-15", "first": "2024-04-04", "last": "2024-04-10"},
    "october": {"zone": MELBOURNE, "start": "2024-09-15", "first": "2024-10-03", "last": "2024-10-09"},
    "at a gate in april": {
        "zone": MELBOURNE, "start": "2024-03-15", "first": "2024-04-05", "last": "2024-04-10",
        "gate": "D-1T10:00", "horizon": 38,
    },
    "at a gate in october": {
        "zone": MELBOURNE, "start": "2024-09-15", "first": "2024-10-04", "last": "2024-10-09",
        "gate": "D-1T10:00", "horizon": 38, "late": True,
    },
    "lisbon in march": {"zone": LISBON, "start": "2024-03-10", "first": "2024-03-29", "last": "2024-04-03"},
}  # fmt: skip


def world(case: dict[str, object]) -> tuple[Demand, pd.DatetimeIndex, str, int]:
    zone = str(case.get("zone", "UTC"))
    start = str(case.get("start", "2024-01-20"))
    frame = long_frame(
        days=30, start=start, freq=str(case.get("freq", "1h")), gaps=0.05, late=bool(case.get("late", False)), zone=zone
    )
    demand = make_demand(frame, zone=zone, delay=str(case.get("delay", "0h")))
    first, last = str(case.get("first", "2024-02-05")), str(case.get("last", "2024-02-09"))
    gate = case.get("gate")
    wanted = cutoffs(first, last, "delivery-day" if gate else "1d", zone, str(gate) if gate else None)
    return demand, wanted, zone, int(str(case.get("horizon", 24)))


@pytest.mark.parametrize("name", CASES)
def test_outcomes_are_those_that_the_wanted_cutoff_knew(name: str) -> None:
    demand, wanted, zone, horizon = world(CASES[name])
    moments, echo = heard(demand, wanted, 4, zone, horizon)
    known = unknown = 0
    for place, cutoff in enumerate(wanted):
        assert moments.all_M[moments.wanted_W[place]] == cutoff
        for back in range(4):
            earlier = moments.all_M[moments.before_WK[place, back]]
            assert earlier.tz_convert(zone).time() == cutoff.tz_convert(zone).time()
            assert (cutoff.tz_convert(zone).date() - earlier.tz_convert(zone).date()).days == back + 1
            expected = by_hand(demand, cutoff, earlier, horizon)
            got = np.where(echo.known_SWKH[:, place, back], echo.y_SWKH[:, place, back], np.nan)
            np.testing.assert_array_equal(got, expected, err_msg=f"{cutoff} {back}")
            assert (echo.y_SWKH[:, place, back][~echo.known_SWKH[:, place, back]] == 0).all()
            known, unknown = known + np.isfinite(expected).sum(), unknown + np.isnan(expected).sum()
    assert known > 100
    assert unknown > 0


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("poison", [1e9, np.nan])
def test_nothing_that_became_known_later_is_heard(name: str, poison: float) -> None:
    demand, wanted, zone, horizon = world(CASES[name])
    cutoff = wanted[len(wanted) // 2]
    frame, narrowed = demand.to_frame(), demand.as_of(cutoff)
    for one in demand.series:
        mine = frame.index[frame["unique_id"] == one.unique_id]
        frame.loc[mine[~narrowed.known_rows(one)], ["y", "humidity"]] = poison
        if one.available_at_T is not None:
            frame.loc[mine, "available_at"] = pd.to_datetime(one.available_at_T, utc=True)
    spoiled = make_demand(frame, zone=zone, delay=str(CASES[name].get("delay", "0h")))
    (_, one_said), (_, other_said) = (heard(table, pd.DatetimeIndex([cutoff]), 4, zone, horizon)
                                      for table in (demand, spoiled))  # fmt: skip
    np.testing.assert_array_equal(one_said.known_SWKH, other_said.known_SWKH)
    np.testing.assert_array_equal(one_said.y_SWKH, other_said.y_SWKH)
    _, after = heard(spoiled, pd.DatetimeIndex([cutoff + pd.Timedelta("3D")]), 4, zone, horizon)
    assert (after.known_SWKH.sum() < one_said.known_SWKH.sum()) if np.isnan(poison) else (after.y_SWKH == 1e9).any()


def test_yesterdays_forecast_at_the_gate_is_half_known() -> None:
    """At 10:00 of the day before, yesterday's forecast of 38 hours has come to its 24th."""
    demand = make_demand(long_frame(days=30), zone="UTC")
    cutoff = gate_cutoff("2024-02-10", "D-1T10:00", "UTC")
    _, echo = heard(demand, pd.DatetimeIndex([cutoff]), 2, "UTC", 38)
    assert echo.known_SWKH[0, 0].sum(1).tolist() == [24, 38]
    assert not echo.known_SWKH[0, 0, 0, 24:].any()


def test_days_before_the_history_are_unknown() -> None:
    demand = make_demand(long_frame(days=5))
    _, echo = heard(demand, pd.DatetimeIndex([pd.Timestamp("2024-01-22", tz="UTC")]), 4, "UTC", 24)
    assert echo.known_SWKH[0, 0].sum(1).tolist() == [24, 24, 0, 0]


def test_moments_that_two_cutoffs_share_are_forecast_once() -> None:
    wanted = pd.date_range("2024-02-05", periods=6, freq="1D", tz="UTC")
    moments = Moments.of(wanted, 3, "UTC")
    assert len(moments.all_M) == 9
    assert Moments.of(wanted, 0, "UTC").before_WK.shape == (6, 0)
