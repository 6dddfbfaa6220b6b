"""Injected faults are found and named at any step and in any zone; a clean table is left in peace."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.quality import Finding, examine
from forecast.quality.faults import KINDS, RULE, SIZES, Fault, Kind, draw, inject
from tests.quality.towns import table, town

PLACES = [
    ("1h", "Europe/Berlin", 120),
    ("30min", "Australia/Adelaide", 90),
    ("15min", "America/Sao_Paulo", 60),
    ("5min", "Asia/Kathmandu", 45),
]


def overlaps(one: Finding, fault: Fault) -> bool:
    return one.rule == RULE[fault.kind] and one.first <= fault.last and one.last >= fault.first


@pytest.mark.parametrize(("freq", "zone", "days"), [*PLACES, ("3h", "UTC", 300), ("1D", "Asia/Tokyo", 600)])
def test_a_clean_table_has_no_finding(freq: str, zone: str, days: int) -> None:
    assert examine(table(town(freq, zone=zone, days=days), zone)).findings == ()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("freq", "zone", "days"), PLACES)
def test_large_faults_are_found_by_their_rule(freq: str, zone: str, days: int, kind: Kind) -> None:
    demand, rng = table(town(freq, zone=zone, days=days), zone), np.random.default_rng(1)
    for _ in range(3 if freq == "1h" else 1):
        fault = draw(demand, kind, rng)
        while not fault.large:
            fault = draw(demand, kind, rng)
        report = examine(inject(demand, fault))
        assert any(overlaps(one, fault) for one in report.findings), (fault, report.findings)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e6])
def test_no_rule_depends_on_the_unit(unit: float) -> None:
    demand = table(town(mean=1000 * unit))
    faulty = demand
    for number, kind in enumerate(KINDS):
        first = demand.series[0].start + pd.Timedelta(days=20 + 15 * number, hours=10)
        length = pd.Timedelta("1h") if kind == "spike" else pd.Timedelta("3D")
        faulty = inject(faulty, Fault("town", kind, SIZES[kind][1], True, first, first + length))
    rules = [one.rule for one in examine(faulty).findings]
    assert rules == ["spike", "stuck meter", "stuck meter", "level shift", "unit slip", "clock slip"]


def test_the_span_of_a_finding_is_that_of_the_fault() -> None:
    demand = table(town())
    start = demand.series[0].start
    for kind, hours in (("stuck meter", 30), ("stuck at zero", 30), ("unit slip", 30), ("level shift", 240)):
        first, last = start + pd.Timedelta("50D"), start + pd.Timedelta("50D") + pd.Timedelta(hours=hours - 1)
        (one,) = examine(inject(demand, Fault("town", kind, SIZES[kind][1], False, first, last))).findings  # type: ignore[index, arg-type]
        # A meter that sticks holds the reading before it, which is the first of the equal ones.
        begun = first - pd.Timedelta("1h") if kind == "stuck meter" else first
        assert (one.first, one.last) == (begun, last)


def test_nothing_later_than_the_cutoff_is_looked_at() -> None:
    frame = town(days=100)
    cutoff = frame["ds"].iloc[24 * 80]
    later = frame["ds"] >= cutoff
    before = examine(table(inject_frame(frame)).as_of(cutoff))
    after = examine(table(inject_frame(frame).assign(y=lambda one: one["y"].where(~later, one["y"] * 7))).as_of(cutoff))
    assert len(before) > 0
    assert before == after


def inject_frame(frame: pd.DataFrame) -> pd.DataFrame:
    y = frame["y"].to_numpy().copy()
    y[24 * 40 : 24 * 41] = 0.0
    y[24 * 60 + 12] *= 2
    return frame.assign(y=y)


@pytest.mark.parametrize("days", [1, 2, 6, 10, 20])
def test_a_short_history_is_judged_by_what_there_is(days: int) -> None:
    frame = town(days=days)
    assert examine(table(frame)).findings == ()
    still = frame.assign(y=np.where(np.arange(len(frame)) < 12, 500.0, frame["y"]))
    (one,) = examine(table(still)).of("stuck meter")
    assert one.size == "12 equal readings (12 h) of 500"


def test_series_without_a_shape_are_left_in_peace() -> None:
    ds = pd.date_range("2023-01-01", periods=24 * 200, freq="1h", tz="UTC")
    rng = np.random.default_rng(2)
    noise = pd.DataFrame({"unique_id": "noise", "ds": ds, "y": 500 + rng.normal(0, 1, len(ds))})
    switched = pd.DataFrame({"unique_id": "switched", "ds": ds, "y": 100 + 200 * (rng.random(200 * 3).repeat(8) < 0.8)})
    switched["y"] += rng.normal(0, 20, len(ds))
    report = examine(table(pd.concat([noise, switched]), "UTC"))
    assert report.of("clock slip") == report.of("stuck meter") == report.of("unit slip") == ()
    assert len(report) <= 2


def test_an_unmeasured_meter_has_no_finding() -> None:
    frame = town(days=3).assign(y=np.nan)
    assert examine(table(frame, forecast_only=True)).findings == ()
