"""What is wrong is never learned and never scored; what is repaired may only be looked back on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError, DeclarationError
from forecast.quality import Finding, QualityReport, examine, mask, repaired
from forecast.quality.faults import Fault, inject
from forecast.tables import Columns, Demand
from forecast.windows import WindowSet, origins_every
from tests.quality.towns import table, town

START = pd.Timestamp("2023-01-01 23:00", tz="UTC")


def faulty(kind: str, first: int, last: int, *, upward: bool = True, size: float = 3.0) -> tuple[Demand, Demand]:
    """A clean table, and the same with a fault between two rows."""
    demand = table(town())
    stamps = [START + row * demand.step for row in (first, last)]
    return demand, inject(demand, Fault("town", kind, size, upward, *stamps))  # type: ignore[arg-type]


def y_of(demand: Demand) -> np.ndarray:
    return demand.observed(demand.series[0])


def test_masked_values_are_missing_and_nothing_else_moves() -> None:
    clean, wrong = faulty("stuck at zero", 1000, 1029)
    masked = mask(wrong, examine(wrong))
    assert np.isnan(y_of(masked)[1000:1030]).all()
    np.testing.assert_array_equal(np.delete(y_of(masked), np.s_[1000:1030]), np.delete(y_of(clean), np.s_[1000:1030]))
    assert (y_of(wrong)[1000:1030] == 0).all()  # the table that was given stays
    assert not masked.arena_RC.flags.writeable
    assert examine(masked).of("stuck meter") == ()


def test_no_window_shows_a_masked_value_as_context_or_target() -> None:
    _, wrong = faulty("unit slip", 1000, 1029)
    masked = mask(wrong, examine(wrong))
    windows = WindowSet(masked, origins_every(masked, context=48, horizon=24), reach=48, horizon=24)
    batch = windows.gather(np.arange(len(windows)))
    assert batch.values_BWC.max() < 3000
    assert batch.target_BH.max() < 3000
    row_BH = batch.row_B[:, None] + np.arange(24)
    inside_BH = (row_BH >= 1000) & (row_BH < 1030)
    assert inside_BH.any()
    assert not batch.target_mask_BH[inside_BH].any()


def test_kept_findings_are_kept_and_a_person_may_say_otherwise() -> None:
    _, wrong = faulty("level shift", 1000, 1239, size=40)
    report = examine(wrong)
    assert mask(wrong, report) is wrong
    masked = mask(wrong, report.treating("level shift", "masked"))
    assert np.flatnonzero(np.isnan(y_of(masked))).tolist() == list(range(1000, 1240))


def test_covariates_and_other_series_stay() -> None:
    frame = pd.concat([town(name="north"), town(name="south", seed=1)]).assign(warmth=1.0)
    demand = table(frame, columns=Columns(known=("warmth",))).select(["north"])
    one = Finding("south", START, START + demand.step, "spike", "warning", "", "masked")
    masked = mask(demand, QualityReport((one,)))
    (south,) = masked.beside
    assert np.flatnonzero(np.isnan(south.values_TC[:, 0])).tolist() == [0, 1]
    assert np.isfinite(south.values_TC[:, 1]).all()
    assert np.isfinite(masked.series[0].values_TC).all()


def test_every_version_of_a_masked_value_is_gone() -> None:
    frame = town(days=40)
    frame["available_at"] = frame["ds"] + pd.Timedelta("2h")
    again = frame.iloc[500:520].assign(available_at=lambda one: one["available_at"] + pd.Timedelta("5D"))
    demand = table(pd.concat([frame, again]).sort_values(["ds", "available_at"]))
    assert "y" in demand.versions
    one = Finding("town", frame["ds"][505], frame["ds"][509], "spike", "warning", "", "masked")
    masked = mask(demand, QualityReport((one,)))
    for moment in (frame["ds"][515], frame["ds"][700], frame["ds"][900]):
        narrowed = masked.as_of(moment)
        assert np.isnan(y_of(narrowed)[505:510]).all()
        assert np.isfinite(y_of(narrowed)[500:505]).all()


def test_a_repaired_unit_slip_is_context_and_no_truth() -> None:
    clean, wrong = faulty("unit slip", 1000, 1029, upward=False)
    put = repaired(wrong, examine(wrong).treating("unit slip", "repaired for context"))
    np.testing.assert_allclose(put.series[0].values_TC[:, 0], y_of(clean), rtol=1e-6)
    assert np.flatnonzero(put.doubted_R).tolist() == list(range(1000, 1030))
    assert np.flatnonzero(np.isnan(y_of(put))).tolist() == list(range(1000, 1030))


@pytest.mark.parametrize("upward", [True, False])
def test_a_repaired_clock_slip_is_known_no_earlier_than_it_was(upward: bool) -> None:
    clean, wrong = faulty("clock slip", 1000, 1239, upward=upward)
    found = QualityReport(examine(wrong).treating("clock slip", "repaired for context").of("clock slip"))
    (one,) = found.findings
    first, last = ((stamp - START) // wrong.step for stamp in (one.first, one.last))
    put = repaired(wrong, found)
    inner = slice(max(first, 1000) + 2, min(last, 1239) - 2)
    np.testing.assert_array_equal(put.series[0].values_TC[inner, 0], y_of(clean)[inner])
    assert np.isnan(y_of(put)[first : last + 1]).all()
    cutoff = START + 1100 * wrong.step  # the reading of the hour before it came in late, or early
    narrowed = put.as_of(cutoff)
    shown_T = narrowed.known_rows(narrowed.series[0]) & np.isfinite(narrowed.series[0].values_TC[:, 0])
    newest = np.flatnonzero(shown_T)[-1]
    assert newest == (1098 if upward else 1099)


def test_findings_without_a_cure_are_masked_by_both() -> None:
    _, wrong = faulty("stuck meter", 1000, 1029)
    report = examine(wrong)
    np.testing.assert_array_equal(y_of(repaired(wrong, report)), y_of(mask(wrong, report)))
    with pytest.raises(DeclarationError, match="a stuck meter cannot be repaired; expected one of unit slip"):
        report.treating("stuck meter", "repaired for context")


def test_a_table_of_versions_cannot_be_repaired() -> None:
    frame = town(days=10)
    frame["available_at"] = frame["ds"] + pd.Timedelta("2h")
    again = frame.iloc[5:9].assign(available_at=lambda one: one["available_at"] + pd.Timedelta("1D"))
    demand = table(pd.concat([frame, again]).sort_values(["ds", "available_at"]))
    with pytest.raises(DataError, match="holds every version"):
        repaired(demand, QualityReport())
