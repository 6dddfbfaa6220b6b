"""Figures of a report name the rule, the series and the zone, and draw nothing outside it."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.figure import Figure

from forecast.errors import DataError
from forecast.plots import quality_closeups, quality_overview
from forecast.plots.quality import COLOURS, worst
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
