"""Figures of a report name the rule, the series and the zone, and draw nothing outside it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from forecast.errors import DataError
from forecast.plots import quality_closeups, quality_overview
from forecast.plots.paper import sheet, stamps, time_axis
from forecast.plots.quality import COLOURS, TRACK, worst
from forecast.quality import RULES, QualityReport, examine
from forecast.quality.faults import Fault, inject
from forecast.tables import Demand
from tests.quality.towns import table, town


@pytest.fixture(scope="module")
def demand() -> Demand:
    """Two towns; the meter of one stuck for a day, and its unit slipped for two."""
    clean = table(pd.concat([town(days=60, name="north"), town(days=60, name="south", seed=1)]))
    start = clean.series[0].start
    for kind, day, days in (("stuck at zero", 30, 1), ("unit slip", 40, 2)):
        first = start + pd.Timedelta(days=day)
        clean = inject(clean, Fault("south", kind, 24, True, first, first + pd.Timedelta(days=days)))  # type: ignore[arg-type]
    return clean


def words(figure: Figure) -> str:
    figure.canvas.draw()
    told = [text.get_text() for axis in figure.axes for text in axis.texts]
    told += [axis.get_title(loc="left") for axis in figure.axes] + [axis.get_xlabel() for axis in figure.axes]
    told += [label.get_text() for axis in figure.axes for label in axis.get_yticklabels()]
    told += [text.get_text() for one in figure.legends for text in one.get_texts()]
    return "\n".join(told)


def test_the_overview_has_a_row_per_series_and_a_colour_per_rule(demand: Demand) -> None:
    told = words(quality_overview(demand, examine(demand)))
    assert "2 findings in 1 of 2 series" in told
    for word in ("north", "south", "stuck meter", "unit slip", "local time (Europe/Berlin)"):
        assert word in told
    assert "spike" not in told
    assert "0 findings in 0 of 2 series" in words(quality_overview(demand, QualityReport()))


def test_close_by_the_worst_of_every_rule_comes_first(demand: Demand) -> None:
    report = examine(demand)
    told = words(quality_closeups(demand, report))
    assert "south: stuck meter" in told
    assert "49 readings are 1000 times the usual ones; masked" in told
    many = QualityReport(report.findings * 9)
    assert [one.rule for one in worst(demand, many)[:4]] == ["stuck meter", "unit slip"] * 2
    assert len(worst(demand, many)) == 8


def test_without_findings_there_is_nothing_to_look_at(demand: Demand) -> None:
    with pytest.raises(DataError, match="no finding"):
        quality_closeups(demand, QualityReport())


def test_every_rule_has_a_colour_of_its_own() -> None:
    assert set(COLOURS) == set(RULES)
    assert len(set(COLOURS.values())) == len(RULES)


def test_a_gap_is_seen_on_the_track() -> None:
    """Of the greys, the gap's and late data's differ from the track beneath and from each other."""
    greys = sorted(int(one[1:3], 16) for one in (COLOURS["gap"], COLOURS["late data"], TRACK))
    assert min(np.diff(greys)) > 0x40


@pytest.mark.parametrize("width", [5.5, 10.0])
@pytest.mark.parametrize("first", ["2024-02-26 05:00", "2023-12-20", "2024-03-30 22:00"])
@pytest.mark.parametrize("days", [0.2, 3, 12, 25, 250, 1000])
def test_dates_do_not_touch(width: float, first: str, days: float) -> None:
    begin = pd.Timestamp(first, tz="UTC")
    figure, (axis,) = sheet(width, 2.3)
    axis.plot(stamps([begin, begin + pd.Timedelta(days=days)]), [0, 1])
    time_axis(axis, "Europe/Lisbon")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [label.get_window_extent(canvas.get_renderer()) for label in axis.get_xticklabels() if label.get_text()]
    inside = sorted(
        (box for box in boxes if axis.bbox.x0 <= box.x0 + box.width / 2 <= axis.bbox.x1), key=lambda b: b.x0
    )
    assert len(inside) >= 2
    assert all(left.x1 + 3 < right.x0 for left, right in pairwise(inside))


@pytest.mark.parametrize(
    ("first", "hours", "told"),
    [("2024-06-10 02:00", 6, "10 Jun 2024"), ("2024-06-10", 96, "2024"), ("2023-12-29", 120, "2023–2024")],
)
def test_the_end_of_the_axis_says_what_no_date_does(first: str, hours: int, told: str) -> None:
    begin = pd.Timestamp(first, tz="UTC")
    figure, (axis,) = sheet(6, 2.3)
    axis.plot(stamps([begin, begin + pd.Timedelta(hours=hours)]), [0, 1])
    time_axis(axis, "UTC")
    FigureCanvasAgg(figure).draw()
    assert axis.xaxis.get_offset_text().get_text() == told
