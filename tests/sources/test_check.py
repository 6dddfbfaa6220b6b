from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.sources import Declaration, Report, check

Write = Callable[..., Path]


def texts(report: Report, severity: str) -> str:
    return "\n".join(finding.text for finding in report.findings if finding.severity == severity)


def test_what_was_understood(tmp_path: Path) -> None:
    stamps = pd.date_range("2014-01-01", "2014-12-31", freq="1h", tz="Europe/Lisbon")
    values = 100.0 + np.arange(len(stamps)) % 24
    values[50:60] = np.nan
    table = pd.DataFrame({"at": stamps, "load": values, "temp": 10.0, "comment": "x"})
    table.drop(index=range(200, 203)).to_csv(tmp_path / "my demand.csv", index=False)
    report = check(tmp_path / "my demand.csv", Declaration(time="at", zone="Europe/Lisbon", known="temp"))
    assert report.ok
    rows = dict(report.rows)
    assert rows["source"].endswith("my demand.csv")
    assert (rows["rows"], rows["step"], rows["civil zone"]) == ("8,734", "1h", "Europe/Lisbon")
    assert (rows["time"], rows["demand"]) == ("column 'at', start of the period", "load in MW")
    (one,) = report.series
    assert (one.unique_id, one.periods, one.low, one.high) == ("load", 8737, 100.0, 123.0)
    assert one.gaps == ((stamps[50], 10), (stamps[200], 3))
    assert one.missing == pytest.approx(13 / 8737)
    assert (one.short_days, one.long_days) == ((date(2014, 3, 30),), (date(2014, 10, 26),))
    assert one.cells[1] == "2014-01-01 00:00 +0000"
    assert len(one.cells) == len(one.headings)
    assert texts(report, "warning") == "columns not used: comment"
    assert shlex.split(report.suggestion) == [
        "forecast", "train", str(tmp_path / "my demand.csv"), "--time", "at", "--target", "load", "--known", "temp",
        "--zone", "Europe/Lisbon", "--recipe", "default", "--out", "model",
    ]  # fmt: skip


@pytest.mark.parametrize(("days", "told"), [(200, True), (365, False), (380, False)])
def test_weather_that_no_model_will_be_shown_is_told(tmp_path: Path, days: int, told: bool) -> None:
    stamps = pd.date_range("2014-01-01", periods=24 * days, freq="1h", tz="UTC")
    pd.DataFrame({"ds": stamps, "y": np.arange(len(stamps)) % 24, "temp": 10.0}).to_csv(
        tmp_path / "demand.csv", index=False
    )
    report = check(tmp_path / "demand.csv", Declaration(zone="UTC", past="temp"))
    assert report.ok
    assert ("temp: known up to the cutoff, and 200 days of history" in texts(report, "warning")) is told


def test_several_mistakes_are_found_at_once(write: Write) -> None:
    hours = [f"2014-01-{1 + at // 24:02d} {at % 24:02d}:00" for at in range(48)]
    lines = [f"{hour},{at},{at}" for at, hour in enumerate(hours)]
    lines[3], lines[7] = f"{hours[3]},err,1", f"{hours[7]},1,inf"
    lines[10], lines[20] = f"{hours[9]},1,1", f"{hours[18]},1,1"
    report = check(write("ds,y,temp", *lines), Declaration(zone="UTC", past="temp"))
    assert not report.ok
    assert report.suggestion == ""
    errors = texts(report, "error")
    assert "column 'y': 1 values are not numbers (line 5: 'err')" in errors
    assert "column 'temp': 1 values are infinite or beyond 1e+30 (line 9)" in errors
    assert "2 stamps occur twice (line 12: 2014-01-01T09:00Z, line 22: 2014-01-01T18:00Z)" in errors
    assert "not in time order (line 22: 2014-01-01T18:00Z)" in errors
    assert dict(report.rows)["step"] == "1h"


def test_the_last_check_is_that_of_the_table(write: Write) -> None:
    lines = ["ds,y,area", "2014-01-01 00:00,1,1", "2014-01-01 01:00,1,2"]
    report = check(write(*lines), Declaration(zone="UTC", static="area"))
    assert "a static covariate changes" in texts(report, "error")


@pytest.mark.parametrize(
    ("lines", "told"),
    [([], "is empty"), (["ds,y"], "no rows"), (["ds,x", "2014,1"], "no demand column"),
     (["ds,y", "2014-01-01 00:00,1", "soon,2"], "line 3: 'soon'")],
)  # fmt: skip
def test_what_cannot_be_read_is_a_finding(write: Write, lines: list[str], told: str) -> None:
    report = check(write(*lines), Declaration(zone="UTC"))
    assert not report.ok
    assert told in texts(report, "error")
    assert report.series == ()
    assert report.rows[0] == ("source", report.source)


def test_warnings(write: Write) -> None:
    stamps = pd.date_range("2014-10-24", "2014-10-29", freq="1h", tz="UTC")
    values = [str(at % 7 - 1) for at in range(len(stamps))]
    values[10:40] = ["5"] * 30
    values[80:90] = [""] * 10
    # The hour that Lisbon's clock repeats, 01:00 to 02:00 of the 26th, is there only once.
    lines = [f"{s:%Y-%m-%dT%H:%MZ};{v}" for s, v in zip(stamps, values, strict=True) if s != stamps[49]]
    report = check(write("ds;y", *lines), Declaration(zone="Europe/Lisbon"))
    assert report.ok
    warnings = texts(report, "warning")
    assert "more than 5 % of demand is missing: y 9.1%" in warnings
    assert "negative" not in warnings
    told = {one.rule: one for one in report.quality.findings}
    assert told["impossible value"].size == "12 values below zero, in line with their neighbours"
    assert told["stuck meter"].size == "30 equal readings (30 h) of 5"
    assert told["clock change"].size == "the hour that the clock repeats is there only once"
    assert told["clock change"].first == stamps[49]
    assert ("note", "columns are separated by semicolons") in report.rows


def test_an_undeclared_zone_is_noted(write: Write) -> None:
    lines = ("ds,y", "2014-01-01T00:00+10:00,1", "2014-01-01T01:00+10:00,2")
    report = check(write(*lines))
    assert report.ok
    assert "no civil zone is declared: hours and holidays are counted in UTC" in texts(report, "warning")
    report = check(write(*lines), Declaration(zone="Australia/Melbourne", stamp_zone="+10:00"))
    assert "carry their own offset; --stamp-zone +10:00 is not used" in texts(report, "warning")


def test_mistakes_of_the_options_are_findings_too(tmp_path: Path) -> None:
    assert "both --query" in texts(check(tmp_path / "x.csv", query="SELECT 1"), "error")
