"""A report as a table, in order, and treated as a person says."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast.errors import DataError, DeclarationError
from forecast.quality import RULES, Finding, QualityReport, duplicates
from forecast.quality.finding import found

DAY = pd.Timestamp("2023-05-01", tz="UTC")
SPIKE = Finding("south", DAY, DAY, "spike", "warning", "7 deviations", "masked")
GAP = Finding("north", DAY, DAY + pd.Timedelta("3h"), "gap", "note", "4 periods are missing")


def test_findings_are_ordered_by_series_and_time() -> None:
    assert found([SPIKE, GAP]).findings == (GAP, SPIKE)
    assert (QualityReport((SPIKE,)) + QualityReport((GAP,))).findings == (GAP, SPIKE)
    assert str(GAP) == "north: gap, 4 periods are missing, 2023-05-01 00:00 to 2023-05-01 03:00Z; kept"


def test_a_report_is_a_table() -> None:
    frame = found([SPIKE, GAP]).frame()
    assert list(frame.columns) == ["series", "first", "last", "rule", "severity", "size", "done"]
    assert frame["rule"].tolist() == ["gap", "spike"]
    counts = found([SPIKE, GAP, GAP]).counts()
    assert counts.loc["north", "gap"] == 2
    assert counts.loc["south"].tolist() == [0, 1]
    assert list(QualityReport().frame().columns) == list(frame.columns)


def test_treating_names_what_it_cannot_do() -> None:
    report = found([SPIKE, GAP])
    assert [one.done for one in report.treating("spike", "kept").findings] == ["kept", "kept"]
    assert report.treating("spike", "kept").touching() == QualityReport()
    with pytest.raises(DeclarationError, match="no rule 'bump'"):
        report.treating("bump", "kept")  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match="cannot be 'gone'"):
        report.treating("gap", "gone")  # type: ignore[arg-type]
    assert len(set(RULES)) == 10


def doubled(rows: list[int], y: float | None = None) -> pd.DataFrame:
    ds = pd.date_range(DAY, periods=48, freq="1h")
    frame = pd.DataFrame({"unique_id": "a", "ds": ds, "y": range(48)})
    again = frame.iloc[rows] if y is None else frame.iloc[rows].assign(y=y)
    return pd.concat([frame, again])


def test_repeated_and_contradicting_rows_are_told_apart() -> None:
    frame = pd.concat([doubled([3, 4, 5]), doubled([20, 21], y=-1.0).iloc[48:]])
    same, other = duplicates(frame).findings
    assert (same.first, same.last, same.size) == (
        DAY + pd.Timedelta("3h"), DAY + pd.Timedelta("5h"), "3 rows again, with the same values",
    )  # fmt: skip
    assert (other.severity, other.size) == ("error", "2 rows again, with other values")
    assert duplicates(doubled([])).findings == ()


def test_revisions_are_no_duplicates() -> None:
    frame = doubled([3, 4], y=7.0).assign(available_at=DAY + pd.Timedelta("3D"))
    frame.iloc[48:, frame.columns.get_loc("available_at")] = DAY + pd.Timedelta("4D")
    assert duplicates(frame).findings == ()
    with pytest.raises(DataError, match="no column 'ds'"):
        duplicates(frame.drop(columns="ds"))
